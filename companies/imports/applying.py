"""Store what a plan says."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import batched
from operator import attrgetter
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.db.models import Count, Max, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from companies.models import Company, Location
from companies.tree.load import store_companies
from config.bulk import allocate_ids, copy_rows, insert_history
from config.db import acquire_gate, is_unique_violation
from config.errors import DomainError, StaleVersion
from config.tables import Fault
from integrations.recording import event_noun
from integrations.services import record_events

from .company_plan import PART, Work
from .company_records import Row
from .kinds import Caller
from .plans import Outcome, Plan
from .progress import Progress

PART_OF_CHANGED = 5_000


class ImportRefused(Exception):
    """Some records are bad; nothing was stored."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = faults
        super().__init__("\n".join(map(str, faults)))


@contextmanager
def closed_gate() -> Iterator[None]:
    """From here on the stored tree stays what the plan is made for."""
    acquire_gate(exclusive=True)
    yield


def state_of_companies() -> dict[str, int | None]:
    """Another after each change, creation and deletion of a company."""
    rows = Company.objects.order_by()
    return rows.aggregate(count=Count("pk"), versions=Sum("version"), last=Max("pk"))


def apply_companies(plan: Plan, caller: Caller, progress: Progress) -> None:
    work: Work = plan.work
    pks = work.stored
    new = list(batched(work.created, PART)) or [()]
    # From the top down: a parent stands in its new place before what goes below it.
    changed = list(batched(work.saved, PART_OF_CHANGED)) or [()]
    progress.begin("create", len(work.created))
    for done, rows in enumerate(new[:-1]):
        progress.report(done * PART)
        _store(rows, (), plan, pks, caller)
    progress.begin("update", len(work.saved))
    _store(new[-1], changed[0], plan, pks, caller)
    for done, rows in enumerate(changed[1:], 1):
        progress.report(done * PART_OF_CHANGED)
        _store((), rows, plan, pks, caller)
    placed = [
        row.make_location(pks[row.key], is_default=is_default)
        for row, is_default in work.placed
    ]
    with placing(plan):
        create_rows(Location, placed, caller)
    for row, fields in progress.over(work.readdressed, "locations"):
        with placing(plan, row.outcome):
            save(row.location, caller, fields)


def _store(
    created: Sequence[Row],
    saved: Sequence[Row],
    plan: Plan,
    pks: dict[str, int],
    caller: Caller,
) -> None:
    """New companies with their own addresses, and changed ones; notes the new ids."""
    new = {row.key: row.make_company() for row in created}
    moved = [row for row in saved if "parent" in row.fields]
    pairs = [(row.key, row.company) for row in moved]
    for key, company in (*new.items(), *pairs):
        parent = plan.work.parents[key]
        if parent in new:
            company.parent = new[parent]
        else:
            company.parent_id = pks[parent] if parent else None
    changed = [(row.company, row.fields) for row in saved]
    by = {"actor": caller.actor, "reason": caller.reason}
    outcomes = {row.company.pk: row.outcome for row in saved}
    with placing(plan, outcomes=outcomes):
        store_companies(new.values(), changed, **by)
        pks |= {key: company.pk for key, company in new.items()}
        addressed = [row for row in created if row.address is not None]
        places = [r.make_location(pks[r.key], is_default=True) for r in addressed]
        create_rows(Location, places, caller)


def save(row: Any, caller: Caller, fields: Sequence[str] | None = None) -> None:
    row.by(caller.actor, caller.reason).save(update_fields=fields)


def save_after(
    row: Any, caller: Caller, fields: Sequence[str], taken: set[int]
) -> None:
    """`save()`, where rows of the companies in `taken` may have lost a mark to others.

    What took the mark has written them, so that their version is another.
    """
    if row.company_id in taken:
        rows = type(row).objects.filter(pk=row.pk)
        row.version = rows.values_list("version", flat=True).get()
    save(row, caller, fields)


def create_rows(model: type[models.Model], rows: Sequence[Any], caller: Caller) -> None:
    """Insert new recorded rows at once, each with its history entry and its event.

    Callers have validated them and hold what locks they need.
    """
    if not rows:
        return
    now = timezone.now()
    for pk, row in zip(allocate_ids(model, len(rows)), rows, strict=True):
        row.pk = pk
        row.created_at = row.updated_at = now
    columns = [field.attname for field in model._meta.concrete_fields]
    copy_rows(model, columns, map(attrgetter(*columns), rows))
    stored = model._default_manager.filter(pk__range=(rows[0].pk, rows[-1].pk))
    insert_history(model, stored, actor=caller.actor, reason=caller.reason)
    event = f"{event_noun(model)}.created"
    if rows[0].event_company_id is None:
        record_events(event, stored, company=None)
    else:
        record_events(event, stored)
    for row in rows:
        row._state.adding = False


@contextmanager
def placing(
    plan: Plan,
    outcome: Outcome | None = None,
    *,
    outcomes: Mapping[int, Outcome] | None = None,
) -> Iterator[None]:
    """Turn a refusal into one that names the record, or at least the files.

    What nobody could know when planning: what others store at the same moment. Of many
    rows that are stored together, `outcomes` has the records by primary key.
    """
    try:
        with transaction.atomic():
            yield
    except (DomainError, ValidationError, IntegrityError) as error:
        if isinstance(error, StaleVersion) and outcomes:
            outcome = outcomes[error.details["rows"][0]]
        raise ImportRefused([_late_fault(error, plan, outcome)]) from error


def _late_fault(error: Exception, plan: Plan, outcome: Outcome | None) -> Fault:
    place: dict[str, Any] = {}
    names = ", ".join(source.file for source in plan.sources)
    if outcome is not None:
        names, place = outcome.file, {"record": outcome.number, "line": outcome.line}
    if isinstance(error, DomainError):
        return Fault(names, error.code, error.message, **place)
    if isinstance(error, IntegrityError) and not is_unique_violation(error):
        raise error
    if isinstance(error, ValidationError) and outcome is not None:
        return Fault(names, _code(error), " ".join(error.messages), **place)
    message = _("Somebody else has stored one of these codes or numbers meanwhile.")
    return Fault(names, "changed_meanwhile", message, **place)


def _code(error: ValidationError) -> str:
    codes = [
        one.code for errors in error.update_error_dict({}).values() for one in errors
    ]
    return codes[0] or "invalid"
