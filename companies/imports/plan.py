"""What an import has to do, found beside the companies that are stored."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import batched
from typing import Any

from django.conf import settings
from django.db.models.functions import Lower
from django.utils.translation import gettext as _

from companies.errors import ParentClosed, TooDeep, WouldCloseCycle
from companies.models import Company, Location

from .records import ADDRESS, FIELDS, Address, Reading, Row

BATCH = 1_000


@dataclass(slots=True)
class Change:
    """A row with new values that are not saved yet."""

    record: Row | Address
    instance: Company | Location
    fields: list[str] | None  # None: the row is new


@dataclass(slots=True)
class Plan:
    """What to store; companies are behind their parents."""

    created: list[Company] = field(default_factory=list)
    updated: list[Change] = field(default_factory=list)
    moved: list[Change] = field(default_factory=list)
    locations: list[Location] = field(default_factory=list)  # of created companies
    changed_locations: list[Change] = field(default_factory=list)  # of stored ones
    unchanged: set[str] = field(default_factory=set)
    readdressed: int = 0  # companies of which only a location has changed


class Planner:
    """The companies of the files beside the stored ones."""

    def __init__(self, reading: Reading) -> None:
        self.reading, self.rows = reading, reading.rows
        keys = {key for key, _kind in reading.addresses} | self.rows.keys()
        keys |= {row.parent for row in self.rows.values() if row.parent}
        # Stored companies of which the files speak, and those above them.
        self.stored = {company.code.lower(): company for company in _coded(keys)}
        self.above = _parents(self.stored)

    def plan(self) -> Plan:
        """All that is to be done. Faults are added to those of the reading."""
        plan = Plan()
        self._check_leis()
        if self.reading.is_complete:  # else the missing parents may be in the rest
            self._check_parents()
            depths = self._depths()
            if not self.reading.faults:
                self._plan_companies(plan, sorted(self.rows, key=depths.__getitem__))
                self._plan_locations(plan)
        return plan

    def _parent_of(self, key: str) -> str | None:
        """Whose subsidiary the company is to be: a key, None for a head company."""
        row = self.rows.get(key)
        if row is None or row.parent is None:
            return self.above.get(key)
        return row.parent or None

    def _is_placed(self, key: str) -> bool:
        """Whether the files give the company another place than it has."""
        row = self.rows.get(key)
        if row is None or (row.parent is None and key in self.stored):
            return False
        return key not in self.stored or (row.parent or None) != self.above[key]

    def _check_leis(self) -> None:
        owners = {
            row.company.lei: key for key, row in self.rows.items() if row.company.lei
        }
        for batch in batched(owners, BATCH):
            for company in Company.objects.filter(lei__in=batch).order_by():
                key = owners[company.lei]
                if company.code.lower() != key:
                    message = _("The company %s has this LEI.") % company.code
                    self._refuse(self.rows[key], "duplicate_lei", message, "lei")

    def _check_parents(self) -> None:
        for key, row in self.rows.items():
            parent = row.parent
            if parent and parent not in self.stored and parent not in self.rows:
                if parent not in self.reading.refused:
                    message = _("There is no company of this code.")
                    self._refuse(row, "unknown_parent", message, "parent_code")
            elif parent in self.stored and self._is_placed(key):
                try:
                    row.company.refuse_parent(self.stored[parent])
                except ParentClosed as error:
                    self._refuse(row, error.code, error.message, "parent_code")
        for (key, _kind), address in self.reading.addresses.items():
            known = key in self.rows or key in self.stored
            if not known and key not in self.reading.refused:
                message = _("There is no company of this code.")
                self._refuse(address, "unknown_company", message, "company_code")

    def _depths(self) -> dict[str, int]:
        """How far below its head company each will be; faults where that is wrong."""
        depths: dict[str, int] = {}
        for start in self.rows:
            path: dict[str, None] = {}  # with the order of a list
            key: str | None = start
            while key is not None and key not in depths and key not in path:
                path[key] = None
                key = self._parent_of(key)
            walked = list(path)
            if key in path:
                self._refuse_cycle(walked[walked.index(key) :])
            depth = depths.get(key, -1) if key is not None else -1
            for key in reversed(walked):
                depth += 1
                depths[key] = depth
                if depth >= settings.COMPANY_MAX_DEPTH and self._is_placed(key):
                    message = TooDeep.default_message
                    self._refuse(self.rows[key], TooDeep.code, message, "parent_code")
        return depths

    def _refuse_cycle(self, keys: Collection[str]) -> None:
        for key in filter(self._is_placed, keys):
            message = _("The company would be below itself: %s.") % " → ".join(
                [self.rows[k].company.code if k in self.rows else k for k in keys][:10]
            )
            self._refuse(self.rows[key], WouldCloseCycle.code, message, "parent_code")

    def _refuse(self, row: Row | Address, code: str, message: Any, column: str) -> None:
        self.reading.refuse(row.record, code, message, column)

    def _plan_companies(self, plan: Plan, keys: list[str]) -> None:
        for key in keys:
            row = self.rows[key]
            company = self.stored.get(key, row.company)
            fields = [] if company is row.company else _changed(company, row)
            if self._is_placed(key):
                parent = self._parent_of(key)
                company.parent = self._company(parent) if parent else None
                fields.append("parent")
            if company is row.company:
                plan.created.append(company)
            elif "parent" in fields:
                plan.moved.append(Change(row, company, fields))
            elif fields:
                plan.updated.append(Change(row, company, fields))
            else:
                plan.unchanged.add(key)

    def _company(self, key: str) -> Company:
        return self.stored[key] if key in self.stored else self.rows[key].company

    def _plan_locations(self, plan: Plan) -> None:
        keys = {key for key, _kind in self.reading.addresses}
        pks = [self.stored[key].pk for key in keys if key in self.stored]
        stored, with_default = {}, set()
        for batch in batched(pks, BATCH):
            for location in Location.objects.filter(company__in=batch).order_by():
                stored[location.company_id, location.code.lower()] = location
                if location.is_default_billing:
                    with_default.add(location.company_id)
        for (key, kind), address in self.reading.addresses.items():
            location = address.location
            location.company = company = self._company(key)
            if key not in self.stored:
                plan.locations.append(location)
                continue
            fields = None
            if found := stored.get((company.pk, kind)):
                fields = _differences(found, location, [*ADDRESS, "country"])
                if not fields:
                    continue
                location = found
            elif company.pk in with_default:
                location.is_default_billing = False
            plan.changed_locations.append(Change(address, location, fields))
            if key in plan.unchanged:
                plan.unchanged.remove(key)
                plan.readdressed += 1


def _changed(company: Company, row: Row) -> list[str]:
    """Give the stored company the record's values; the names of those that differ."""
    told = row.record.values.keys()
    names = [name for name in FIELDS if name in told and name != "code"]
    fields = _differences(company, row.company, names)
    others = {k: v for k, v in company.attributes.items() if k not in told}
    attributes = others | row.company.attributes
    if attributes != company.attributes:
        company.attributes = attributes
        fields.append("attributes")
    return fields


def _differences(stored: Any, read: Any, names: list[str]) -> list[str]:
    fields = [name for name in names if getattr(stored, name) != getattr(read, name)]
    for name in fields:
        setattr(stored, name, getattr(read, name))
    return fields


def _coded(keys: Collection[str]) -> Iterator[Company]:
    rows = Company.objects.annotate(_code=Lower("code")).order_by()
    for batch in batched(keys, BATCH):
        yield from rows.filter(_code__in=batch)


def _parents(stored: dict[str, Company]) -> dict[str, str | None]:
    """Per key the parent's key, for these companies and all above them."""
    placed: dict[int, tuple[str, int | None]] = {}
    for batch in batched((company.pk for company in stored.values()), BATCH):
        above = Company.objects.above_any(batch).order_by()
        placed |= {
            pk: (code.lower(), parent)
            for pk, code, parent in above.values_list("pk", "code", "parent_id")
        }
    return {
        key: None if parent is None else placed[parent][0]
        for key, parent in placed.values()
    }
