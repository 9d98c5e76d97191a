"""Companies that a call brings along, planned and stored like those of files."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from django.utils.translation import gettext_lazy as _

from config.db import in_transaction
from config.errors import DomainError
from config.tables import Problem

from .applying import ImportRefused, apply_companies, closed_gate
from .company_plan import plan_companies
from .kinds import Caller
from .plans import Plan
from .progress import Progress
from .records import Record


class ChangedMeanwhile(DomainError):
    """Somebody was faster; nothing was stored."""

    code = "changed_meanwhile"
    default_message = _(
        "Somebody else has just changed one of these companies, or taken a code or a "
        "number of theirs. Try again."
    )


class Given:
    """Records that come as they are, to be read like those of files."""

    late_notes: Mapping[tuple[str, int], Sequence[Problem]] = {}

    def __init__(self, records: Sequence[Record]) -> None:
        self.given = records
        self.is_complete = not any(record.problems for record in records)

    def records(self) -> Sequence[Record]:
        return self.given


def plan_upserts(records: Sequence[Record], caller: Caller) -> Plan:
    """What would become of the companies; nothing is stored."""
    caller = replace(caller, finds_duplicates=False)
    return plan_companies(Given(records), caller, Progress())


@in_transaction
def upsert_companies(records: Sequence[Record], caller: Caller) -> Plan:
    """Create, change and move companies until they are as the records say.

    All of them, or none if a record is refused: the plan says which. Raises
    ChangedMeanwhile.
    """
    with closed_gate():
        plan = plan_upserts(records, caller)
        if not plan.refused:
            try:
                apply_companies(plan, caller, Progress())
            except ImportRefused as error:
                raise ChangedMeanwhile from error
    return plan
