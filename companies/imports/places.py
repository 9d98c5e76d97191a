"""Locations of stored companies, from files of their own."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import batched
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from companies.models import Company, Location
from companies.models.location import DEFAULTS

from .applying import create_rows, placing, save, save_after
from .filling import check_together, columns_of, company_in, fill, visible_companies
from .kinds import Caller, Column
from .plans import Action, Change, Outcome, Plan
from .progress import Progress
from .records import Reading, Record

BATCH = 1_000
FIELDS = (
    "code",
    "name",
    "type",
    "address_line1",
    "address_line2",
    "city",
    "region",
    "postcode",
    "country",
    "latitude",
    "longitude",
    "email",
    "phone",
    "is_billing",
    "is_shipping",
    "is_default_billing",
    "is_default_shipping",
    "is_shared",
    "is_active",
)
TYPES = {  # as registers write them
    "registered": Location.Type.REGISTERED_OFFICE,
    "headquarters": Location.Type.HEADQUARTERS,
}
COLUMNS = (
    Column("company_code", gettext_lazy("company"), identifier=True),
    *columns_of(Location, FIELDS, ("code", "postcode")),
)

type Key = tuple[str, str]


@dataclass(slots=True)
class Work:
    created: list[tuple[Outcome, Location]] = field(default_factory=list)
    saved: list[tuple[Outcome, Location, list[str]]] = field(default_factory=list)


def plan_locations(reading: Reading, caller: Caller, progress: Progress) -> Plan:
    """A location is known by its company and its code.

    In files without codes a company has one location of each type.
    """
    planner = _Planner(caller)
    for batch in batched(progress.over(reading.records(), "read"), BATCH):
        planner.read(batch)
    return Plan(planner.outcomes, work=planner.work)


class _Planner:
    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.outcomes: list[Outcome] = []
        self.work = Work()
        self.first: dict[Key, tuple[int, int]] = {}  # record, digest
        self.defaults: dict[tuple[int, str], int] = {}  # record, by company and mark

    def read(self, records: Sequence[Record]) -> None:
        said = [record.values for record in records]
        codes = [values.get("company_code", "") for values in said]
        companies = visible_companies(codes, self.caller)
        stored = {
            (location.company_id, location.code.lower()): location
            for location in Location.objects.filter(
                company__in=[company.pk for company in companies.values()]
            ).order_by()
        }
        for record, values in zip(records, said, strict=True):
            outcome = Outcome(record.file, record.number, record.line)
            outcome.notes = record.notes
            self.outcomes.append(outcome)
            for problem in record.problems:
                outcome.refuse(problem.code, problem.message, problem.column)
            if not record.problems:
                self._judge(values, outcome, companies, stored)

    def _judge(
        self,
        values: dict[str, str],
        outcome: Outcome,
        companies: dict[str, Company],
        stored: dict[Any, Location],
    ) -> None:
        company = company_in(values, companies, outcome)
        if company is None:
            return
        kind = values.get("type", "").lower()
        code = values.get("code", kind)
        outcome.key = f"{company.code}/{code}"
        outcome.label = values.get("name") or company.name
        if not code:
            column = "code" if "code" in values else "type"
            outcome.refuse("required", _("It is empty."), column)
            return
        if self._came_before((company.code.lower(), code.lower()), values, outcome):
            return
        location = stored.get((company.pk, code.lower()))
        is_new = location is None
        if location is None:
            location = Location(company=company, code=code)
        told = {name: values[name] for name in FIELDS if name in values}
        told.pop("code", None)
        if kind in TYPES:
            told["type"] = TYPES[kind]
        elif not kind:
            told.pop("type", None)
        changes = fill(location, told, outcome)
        if is_new and not outcome.is_refused:
            fill(location, {"code": code}, outcome)
        self._check_defaults(location, told, outcome)
        if not outcome.is_refused:
            self._add(outcome, location, changes, is_new=is_new)

    def _came_before(self, key: Key, values: dict[str, str], outcome: Outcome) -> bool:
        digest = hash(frozenset(values.items()))
        number, first = self.first.setdefault(key, (outcome.number, digest))
        if number == outcome.number:
            return False
        if first == digest:
            outcome.note("same_record", _("It says the same as record %s.") % number)
        else:
            message = _("The company has such a location in record %s already.")
            outcome.refuse("duplicate_location", message % number)
        return True

    def _check_defaults(
        self, location: Location, told: dict[str, str], outcome: Outcome
    ) -> None:
        marks = [mark for mark in DEFAULTS if getattr(location, mark)]
        if marks and not outcome.is_refused:
            check_together(location, told, outcome)
        for mark in marks:
            if mark in told and not outcome.is_refused:
                key = (location.company_id, mark)
                number = self.defaults.setdefault(key, outcome.number)
                if number != outcome.number:
                    message = _("The default of the company is record %s.") % number
                    outcome.refuse("second_default", message, mark)

    def _add(
        self,
        outcome: Outcome,
        location: Location,
        changes: list[Change],
        *,
        is_new: bool,
    ) -> None:
        if is_new:
            outcome.action = Action.CREATE
            self.work.created.append((outcome, location))
        elif changes:
            outcome.action, outcome.changes = Action.UPDATE, changes
            fields = [change.field for change in changes]
            self.work.saved.append((outcome, location, fields))


def apply_locations(plan: Plan, caller: Caller, progress: Progress) -> None:
    work: Work = plan.work
    # A new default takes the mark from the old one: `save()` sees to that.
    marked = [
        pair for pair in work.created if any(getattr(pair[1], m) for m in DEFAULTS)
    ]
    plain = [pair[1] for pair in work.created if pair not in marked]
    progress.begin("create", len(work.created))
    with placing(plan):
        create_rows(Location, plain, caller)
    for outcome, location in progress.over(marked, "create"):
        with placing(plan, outcome):
            save(location, caller)
    taken = {location.company_id for _outcome, location in marked}
    for outcome, location, fields in progress.over(work.saved, "update"):
        with placing(plan, outcome):
            save_after(location, caller, fields, taken)
        if set(DEFAULTS) & set(fields):
            taken.add(location.company_id)
