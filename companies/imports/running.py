"""From files to a plan, and from a plan to what it says."""

from collections.abc import Callable, Sequence

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from config.db import allow_long_work, repeated
from config.errors import DomainError

from .applying import ImportRefused
from .kinds import Caller, Kind
from .plans import Plan
from .progress import Progress
from .records import FileToRead, Reading


class PlanOutdated(DomainError):
    """What is stored, or what the caller may do, has changed since the plan."""

    code = "plan_outdated"
    default_message = _("The plan is no longer true. Plan the import again.")


def plan_import(
    kind: Kind, files: Sequence[FileToRead], caller: Caller, progress: Progress
) -> Plan:
    """What importing the files would do; nothing is stored. Raises FileRefused."""
    reading = Reading(kind, files, caller.caps)
    plan = kind.plan(reading, caller, progress)
    plan.sources = reading.sources
    return plan


@repeated
def apply_import(
    kind: Kind,
    files: Sequence[FileToRead],
    caller: Caller,
    progress: Progress,
    *,
    planned: str = "",
    partial: bool = False,
    finish: Callable[[Plan], None] = lambda plan: None,
) -> Plan:
    """Plan, and apply in one transaction: everything, or with `partial` what is good.

    `planned`: the fingerprint of the plan that somebody has agreed to. `finish` is
    called last, in the same transaction. Raises
    ImportRefused if records are bad, PlanOutdated if something else would be done now,
    FileRefused; in each case nothing was stored.
    """
    state = kind.state()
    plan = plan_import(kind, files, caller, progress)
    with transaction.atomic():
        allow_long_work()
        # Not before: planning takes long, and nobody else changes the tree meanwhile.
        with kind.locking():
            if kind.state() != state:
                del plan  # before there are two
                plan = plan_import(kind, files, caller, progress)
            if planned and plan.fingerprint() != planned:
                raise PlanOutdated
            if plan.refused and not partial:
                raise ImportRefused(plan.faults)
            kind.apply(plan, caller, progress)
            progress.begin("finish")  # the last moment to stop
            finish(plan)
    return plan
