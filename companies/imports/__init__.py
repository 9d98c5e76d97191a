"""Companies from CSV files: judged record by record, stored all or not at all.

What is new goes in by one bulk load. What has changed goes through `save()`, one by
one, so that versions, history, events and locks hold. What is the same is left alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from companies.models import Location
from companies.tree.load import load_companies
from config.actors import Actor
from config.bulk import copy_rows, insert_first_history
from config.db import acquire_gate, allow_long_work, is_unique_violation, repeated
from config.errors import DomainError
from integrations.services import record_events

from .csv_files import Fault
from .plan import Change, Plan, Planner
from .records import Progress, Reading

REASON = "import"
LOCATION_COLUMNS = [
    field.attname for field in Location._meta.concrete_fields if not field.primary_key
]


class ImportRefused(Exception):
    """Some records are bad; nothing was stored."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = faults
        super().__init__("\n".join(map(str, faults)))


@dataclass(frozen=True, slots=True)
class ImportResult:
    """How many companies were created, changed, left alone; and stored locations."""

    created: int
    updated: int
    moved: int
    unchanged: int
    locations: int


@repeated
def import_companies(
    files: Sequence[Path],
    *,
    actor: Actor,
    locations: Sequence[Path] = (),
    dry_run: bool = False,
    progress: Progress = iter,
) -> ImportResult:
    """Create, change and move companies until they are as the files say.

    Parents are in any of the files, or stored. Companies that the files do not name
    stay as they are, and so does what they have no column for. Raises ImportRefused,
    and then has changed nothing; nor does a dry run.
    """
    reading = Reading()
    reading.read_companies(files, progress)
    reading.read_locations(locations)
    if dry_run:
        return _result(_plan(reading))
    with transaction.atomic():
        allow_long_work()
        # From here on the stored companies stay what the plan is made for.
        acquire_gate(exclusive=True)
        plan = _plan(reading)
        try:
            _apply(plan, actor)
        except (DomainError, ValidationError, IntegrityError) as error:
            raise ImportRefused([_late_fault(error, files)]) from error
    return _result(plan)


def _plan(reading: Reading) -> Plan:
    plan = Planner(reading).plan()
    if reading.faults:
        raise ImportRefused(reading.faults)
    return plan


def _apply(plan: Plan, actor: Actor) -> None:
    ids = load_companies(plan.created, actor=actor, reason=REASON)
    _load_locations(plan.locations, ids, actor)
    # From the top down: a parent stands in its new place before what goes below it,
    # so that no step closes a cycle which the whole does not have.
    for change in [*plan.moved, *plan.updated]:
        _save(change, actor)
    for change in plan.changed_locations:
        _save(change, actor)


def _save(change: Change, actor: Actor) -> None:
    record = change.record.record
    try:
        change.instance.by(actor, REASON).save(update_fields=change.fields)
    except DomainError as error:
        fault = Fault(
            record.file, error.code, error.message, record.number, record.line
        )
        raise ImportRefused([fault]) from error


def _load_locations(locations: Sequence[Location], ids: range, actor: Actor) -> None:
    """The locations of companies that were loaded: all that these have."""
    if not locations:
        return
    now = timezone.now()
    for location in locations:
        location.company_id = location.company.pk
        location.created_at = location.updated_at = now
    copy_rows(Location, LOCATION_COLUMNS, map(attrgetter(*LOCATION_COLUMNS), locations))
    loaded = Location.objects.filter(company__gte=ids[0], company__lte=ids[-1])
    insert_first_history(Location, loaded, actor=actor, reason=REASON)
    record_events("location.created", loaded)


def _late_fault(error: Exception, files: Sequence[Path]) -> Fault:
    """What nobody could know when planning: what others store at the same moment."""
    names = ", ".join(path.name for path in files)
    if isinstance(error, DomainError):
        return Fault(names, error.code, error.message)
    if isinstance(error, IntegrityError) and not is_unique_violation(error):
        raise error
    message = _("Somebody else has stored one of these codes or numbers meanwhile.")
    return Fault(names, "changed_meanwhile", message)


def _result(plan: Plan) -> ImportResult:
    return ImportResult(
        created=len(plan.created),
        updated=len(plan.updated) + plan.readdressed,
        moved=len(plan.moved),
        unchanged=len(plan.unchanged),
        locations=len(plan.locations) + len(plan.changed_locations),
    )
