"""What each record of the files says, cleaned by the models' own rules."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from companies.models import Company, Location

from .csv_files import Fault, Record, read_table

FIELDS = (
    "code",
    "name",
    "legal_name",
    "country",
    "registration_id",
    "registration_agency",
    "lei",
    "tax_id",
)
ADDRESS = ("address_line1", "address_line2", "city", "region", "postcode")
ATTRIBUTES = ("kind", "source")  # what the source says; kept in `attributes`
COLUMNS = frozenset({*FIELDS, *ADDRESS, *ATTRIBUTES, "parent_code"})
LOCATION_COLUMNS = frozenset({*ADDRESS, "company_code", "type", "country"})
LOCATION_TYPES = {
    "registered": Location.Type.REGISTERED_OFFICE,
    "headquarters": Location.Type.HEADQUARTERS,
}
REGISTERED = "registered"  # the address of a company's own record

type Progress = Callable[[Iterable[Record]], Iterable[Record]]


@dataclass(slots=True, eq=False)
class Row:
    """A company as its record describes it."""

    record: Record
    company: Company
    parent: str | None  # key of the parent, "" for a head company, None: not told

    def fault(self, code: str, message: Any, column: str) -> Fault:
        return fault_of(self.record, code, message, column)


@dataclass(slots=True, eq=False)
class Address:
    """A location as a record describes it; a company has one of each kind."""

    record: Record
    location: Location


@dataclass(slots=True)
class Reading:
    """The good records, by key: the company's code in lower case. And the faults."""

    rows: dict[str, Row] = field(default_factory=dict)
    addresses: dict[tuple[str, str], Address] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    is_complete: bool = True  # no record was unreadable

    def refuse(self, record: Record, code: str, message: Any, column: str) -> None:
        self.faults.append(fault_of(record, code, message, column))

    def read_companies(self, files: Sequence[Path], progress: Progress) -> None:
        records = self._read(files, COLUMNS, ("code", "name"))
        for record in progress(records):
            key = record.values["code"].lower()
            row = self._company(record)
            if row is None:
                self.refused.add(key)
            elif key in self.rows:
                self._compare(self.rows[key], row)
            else:
                self.rows[key] = row
                self._add_address(record, key, REGISTERED)
        self._refuse_double_leis()

    def read_locations(self, files: Sequence[Path]) -> None:
        """Their addresses come before those of the companies' own records."""
        first: dict[tuple[str, str], Record] = {}
        records = self._read(files, LOCATION_COLUMNS, ("company_code", "type"))
        for record in records:
            key = record.values["company_code"].lower()
            kind = record.values["type"].lower()
            if kind not in LOCATION_TYPES:
                message = _("Give “registered” or “headquarters”.")
                self.refuse(record, "unknown_type", message, "type")
            elif first.setdefault((key, kind), record).values != record.values:
                message = _("The company has such a location in record %s already.")
                message %= first[key, kind].number
                self.refuse(record, "duplicate_location", message, "type")
            else:
                self._add_address(record, key, kind)

    def _read(
        self, files: Sequence[Path], known: frozenset[str], mandatory: tuple[str, ...]
    ) -> list[Record]:
        records = []
        for path in files:
            table = read_table(path, known=known, mandatory=mandatory)
            records += table.records
            self.faults += table.faults
            self.is_complete &= not table.faults
        return records

    def _company(self, record: Record) -> Row | None:
        values = record.values
        company = Company(**{name: values[name] for name in FIELDS if name in values})
        company.country = company.country.upper()
        company.attributes = {
            name: values[name] for name in ATTRIBUTES if values.get(name)
        }
        if not company.code:  # the model would make one
            self.refuse(record, "required", _("The code is empty."), "code")
            return None
        if not self._clean(company, record):
            return None
        parent = values.get("parent_code")
        return Row(record, company, None if parent is None else parent.lower())

    def _add_address(self, record: Record, key: str, kind: str) -> None:
        """The address in the record, if there is one: a region alone is none."""
        values = {name: record.values.get(name, "") for name in ADDRESS}
        if not any(value for name, value in values.items() if name != "region"):
            return
        location = Location(
            **values,
            code=kind,
            type=LOCATION_TYPES[kind],
            country=record.values.get("country", "").upper(),
            is_billing=kind == REGISTERED,
            is_default_billing=kind == REGISTERED,
        )
        if self._clean(location, record):
            self.addresses[key, kind] = Address(record, location)
        else:
            self.refused.add(key)

    def _clean(self, instance: Company | Location, record: Record) -> bool:
        """The model's own rules for the fields that the record can have."""
        others = {f.name for f in instance._meta.fields if f.name not in record.values}
        try:
            instance.clean_fields(exclude=others)
            instance.clean()
        except ValidationError as error:
            for column, errors in error.error_dict.items():
                for one in errors:
                    message = " ".join(one.messages)
                    self.refuse(record, one.code or "invalid", message, column)
            return False
        return True

    def _compare(self, first: Row, second: Row) -> None:
        """A second record of a code is well if it says the same as the first."""
        if {**second.record.values, "code": ""} == {**first.record.values, "code": ""}:
            return
        place = str(first.record.number)
        if first.record.file != second.record.file:
            place = f"{place} of {first.record.file}"
        if first.parent != second.parent:
            message = _("A second parent for the company of record %s.") % place
            self.faults.append(second.fault("second_parent", message, "parent_code"))
        else:
            message = _("The code of record %s, with other data.") % place
            self.faults.append(second.fault("duplicate_code", message, "code"))

    def _refuse_double_leis(self) -> None:
        first: dict[str, Row] = {}
        for row in self.rows.values():
            lei = row.company.lei
            if lei and first.setdefault(lei, row) is not row:
                message = _("The LEI of record %s.") % first[lei].record.number
                self.faults.append(row.fault("duplicate_lei", message, "lei"))


def fault_of(record: Record, code: str, message: Any, column: str) -> Fault:
    return Fault(record.file, code, message, record.number, record.line, column)
