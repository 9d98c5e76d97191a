"""Records of companies, each beside the company that is stored, if there is one."""

import json
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import batched
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Exists, F, OuterRef
from django.db.models.functions import Lower
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from companies.models import Company, CompanyMerge, Location
from companies.models.company import check_attributes
from config.text import fold

from .filling import columns_of, fill, said
from .kinds import Caller, Column
from .plans import Action, Change, Outcome
from .progress import Progress
from .records import Reading, Record

BATCH = 1_000
FIELDS = (
    "code",
    "name",
    "legal_name",
    "legal_form",
    "registration_id",
    "registration_agency",
    "registered_on",
    "country",
    "tax_id",
    "lei",
    "duns",
    "website",
    "email",
    "phone",
    "language",
    "currency",
)
IDENTIFIERS = {"code", "registration_id", "tax_id", "lei", "duns"}
ADDRESS = ("address_line1", "address_line2", "city", "region", "postcode")
ATTRIBUTES = ("kind", "source")  # what the source says; kept in `attributes`
NEW = (*FIELDS, "attributes")
PLACE = (*ADDRESS, "country")
REGISTERED = "registered"  # code of the location with a company's own address

KEPT = gettext_lazy("Kept as an attribute.")
COLUMNS = (
    *columns_of(Company, FIELDS, IDENTIFIERS),
    Column(
        "parent_code",
        gettext_lazy("parent company"),
        gettext_lazy("Its code."),
        identifier=True,
    ),
    *columns_of(Location, ADDRESS, ("postcode",)),
    Column(
        "attributes",
        gettext_lazy("attributes"),
        gettext_lazy("A JSON object. It takes the place of all of them."),
    ),
    Column("kind", gettext_lazy("kind"), KEPT),
    Column("source", gettext_lazy("source"), KEPT),
)


@dataclass(slots=True, eq=False)
class Row:
    """A company as its record describes it.

    Of new ones only the values are kept, and of the first the instance: of all it would
    take ten times as much memory. Of a stored one the instance with new values, if
    there are any.
    """

    outcome: Outcome
    key: str  # the code in lower case
    parent: str | None  # key of the parent, "": a head company, None: not told
    parent_code: str  # as it is written there
    digest: int
    new: tuple[Any, ...] | None = None  # of the fields in NEW
    company: Company | None = None
    fields: Sequence[str] = ()
    lei: str = ""
    address: tuple[str, ...] | None = None  # of the fields in PLACE
    addressed: tuple[str, ...] = ()  # those of them that are told
    location: Location | None = None  # the stored one, with new values

    def values(self) -> dict[str, Any]:
        """The fields of a new company."""
        return dict(zip(NEW, self.new or (), strict=True))

    def make_company(self) -> Company:
        return self.company or Company(**self.values())

    def make_location(self, company: int, *, is_default: bool) -> Location:
        """The company's own address, as its registered office."""
        return Location(
            company_id=company,
            code=REGISTERED,
            type=Location.Type.REGISTERED_OFFICE,
            is_billing=True,
            is_default_billing=is_default,
            **dict(zip(PLACE, self.address or (), strict=True)),
        )


@dataclass(frozen=True, slots=True)
class Stored:
    """What the plan has to know of a stored company."""

    pk: int
    code: str
    parent: int | None
    parent_code: str | None  # None: there is a parent, but the caller does not see it
    status: str
    is_merged: bool

    def moves_to(self, parent: str | None) -> bool:
        """Whether a record that tells this key of a parent gives it another place.

        Whoever does not see its parent cannot say otherwise than that there is none.
        """
        return parent is not None and parent != (self.parent_code or "").lower()


class CompanyReader:
    """Reads the records in batches, so that what changes nothing is soon forgotten."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.rows: dict[str, Row] = {}
        self.outcomes: list[Outcome] = []
        self.refused: dict[str, Outcome] = {}  # by key
        self.stored: dict[str, Stored] = {}
        self.hidden: set[str] = set()  # keys of companies that the caller does not see
        self.asked: set[str] = set()  # keys of parents that were looked up

    def read(self, reading: Reading, progress: Progress) -> None:
        records = progress.over(reading.records(), "read")
        for batch in batched(records, BATCH):
            self._read(batch)
        for outcome in self.outcomes:
            for problem in reading.late_notes.get((outcome.file, outcome.number), ()):
                outcome.note(problem.code, problem.message, problem.column)

    def _read(self, records: Sequence[Record]) -> None:
        keyed = [(record, key_of(record)) for record in records]
        parents = {record.values.get("parent_code", "").lower() for record in records}
        found = self.find({key for _record, key in keyed} | (parents - self.asked))
        for record, key in keyed:
            outcome = Outcome(record.file, record.number, record.line)
            outcome.key = shared(self._code_of(record, key))
            outcome.notes = record.notes or ()
            outcome.label = record.values.get("name", "")
            self.outcomes.append(outcome)
            for problem in record.problems:
                outcome.refuse(problem.code, problem.message, problem.column)
            if not record.problems:
                self._judge(record, key, outcome, found)
            if outcome.is_refused and key not in self.rows:
                self.refused.setdefault(key, outcome)

    def _code_of(self, record: Record, key: str) -> str:
        """As it is stored, else as the record has it."""
        stored = self.stored.get(key)
        return stored.code if stored else record.values.get("code") or key

    def find(self, keys: Collection[str]) -> dict[str, Company]:
        """The stored companies of these keys that the caller sees; notes them all."""
        self.asked |= keys
        wanted = [key for key in keys if 0 < len(key) <= 64]
        found: dict[str, Company] = {}
        merges = CompanyMerge.objects.standing().filter(company=OuterRef("pk"))
        rows = Company.objects.order_by().annotate(
            _code=Lower("code"),
            _seen=self.caller.sees_company(),
            _parent_code=F("parent__code"),
            _parent_seen=self.caller.sees_company("parent"),
            _merged=Exists(merges),
        )
        for batch in batched(wanted, 2 * BATCH):
            for company in rows.filter(_code__in=batch):
                key = company.code.lower()
                if not company._seen:
                    self.hidden.add(key)
                    continue
                found[key] = company
                parent = company._parent_code or ""
                if parent and not company._parent_seen:
                    parent = None
                self.stored[key] = Stored(
                    company.pk,
                    company.code,
                    company.parent_id,
                    shared(parent),
                    company.status,
                    company._merged,
                )
        return found

    def _judge(
        self, record: Record, key: str, outcome: Outcome, found: dict[str, Company]
    ) -> None:
        values = record.values
        if not key:
            column = "code" if "code" in values else "name"
            outcome.refuse("required", _("It is empty."), column)
            return
        parent = values.get("parent_code")
        row = Row(
            outcome,
            key,
            None if parent is None else shared(parent.lower()),
            shared(parent or ""),
            hash(frozenset(values.items() - {("code", values.get("code"))})),
        )
        if key in self.rows:
            self._compare(self.rows[key], row, values)
            return
        if key in self.hidden:
            message = _("The code is taken.")
            outcome.refuse("duplicate_code", message, "code")
            return
        if self._fill(row, values, found.get(key)):
            self.rows[key] = row

    def _compare(self, first: Row, second: Row, values: dict[str, str]) -> None:
        """A second record of a code is well if it says the same as the first."""
        place, outcome = _place(first.outcome, second.outcome), second.outcome
        if second.digest == first.digest:
            message = _("It says the same as record %s.") % place
            outcome.note("same_record", message, "code")
        elif "code" not in values:
            message = _("The name of record %s. Give codes.") % place
            outcome.refuse("duplicate_name", message, "name")
        elif second.parent != first.parent:
            message = _("A second parent for the company of record %s.") % place
            outcome.refuse("second_parent", message, "parent_code")
        else:
            message = _("The code of record %s, with other data.") % place
            outcome.refuse("duplicate_code", message, "code")

    def _fill(self, row: Row, values: dict[str, str], stored: Company | None) -> bool:
        """Give the company the record's values; False if they are refused."""
        outcome = row.outcome
        company = stored or Company(code=values.get("code") or row.key)
        told = {name: values[name] for name in FIELDS if name in values}
        if stored is None:
            told["code"] = company.code
            if "name" not in values:
                message = _("A new company needs a name.")
                outcome.refuse("required", message, "name")
        else:
            told.pop("code", None)
        row.address = self._address(values, outcome)
        if row.address is not None:
            row.addressed = tuple(name for name in PLACE if name in values)
        attributes = _attributes(company.attributes, values, outcome)
        changes = fill(company, told, outcome)
        if outcome.is_refused:
            return False
        changes += _differences(company.attributes, attributes, values)
        company.attributes = attributes
        outcome.label, row.lei = shared(company.name), shared(company.lei)
        if stored is None:
            outcome.action = Action.CREATE
            row.new = tuple(shared(getattr(company, name)) for name in NEW)
            row.company = company if len(self.rows) < BATCH else None
        elif changes or self.stored[row.key].moves_to(row.parent):
            outcome.changes = changes
            outcome.action = Action.UPDATE if changes else Action.UNCHANGED
            row.company = company
            names = (
                "attributes" if c.field in ATTRIBUTES else c.field for c in changes
            )
            row.fields = tuple(dict.fromkeys(names))
        return True

    def _address(
        self, values: dict[str, str], outcome: Outcome
    ) -> tuple[str, ...] | None:
        """The address in the record, if there is one: a region alone is none."""
        told = {name: values.get(name, "") for name in ADDRESS}
        if not any(value for name, value in told.items() if name != "region"):
            return None
        location = Location(country=values.get("country", "").upper())
        fill(location, told, outcome)
        return tuple(shared(getattr(location, name)) for name in PLACE)


def _attributes(
    stored: dict[str, Any], values: dict[str, str], outcome: Outcome
) -> dict[str, Any]:
    """The free attributes: all of them, and those with a column of their own."""
    attributes = stored
    if "attributes" in values:
        try:
            attributes = parse_object((values["attributes"] or "{}").encode())
            check_attributes(attributes)
        except ValidationError as error:
            outcome.refuse(error.code or "invalid", error.message, "attributes")
        except ValueError as error:
            outcome.refuse("not_an_object", str(error), "attributes")
    for name in ATTRIBUTES:
        if name in values:
            others = {key: one for key, one in attributes.items() if key != name}
            attributes = others | ({name: values[name]} if values[name] else {})
    return attributes


def _differences(
    before: dict[str, Any], after: dict[str, Any], values: dict[str, str]
) -> list[Change]:
    if before == after:
        return []
    if "attributes" in values:
        return [Change("attributes", json.dumps(before), json.dumps(after))]
    return [
        Change(name, said(before.get(name)), said(after.get(name)))
        for name in ATTRIBUTES
        if before.get(name) != after.get(name)
    ]


def parse_object(text: bytes) -> dict[str, Any]:
    """A JSON object; ValueError if it is none that we store."""
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError(_("Nested too deep.")) from error
    if not isinstance(value, dict):
        raise ValueError(_("Give a JSON object."))
    return value


def shared(value: Any) -> Any:
    """The same text is in memory once: files have few cities, and countries fewer."""
    return sys.intern(value) if type(value) is str else value


def key_of(record: Record) -> str:
    """The company's code in lower case; made of its name if there is no such column."""
    values = record.values
    if "code" in values:
        return values["code"].lower()
    return slugify(fold(values.get("name", "")))[:64].strip("-")


def _place(first: Outcome, second: Outcome) -> str:
    place = str(first.number)
    return place if first.file == second.file else f"{place} of {first.file}"
