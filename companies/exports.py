"""What leaves in files: the columns of each list, and a hierarchy with all of its own.

Columns are named as the importer reads them. groups and approvals add their parts.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import TextIOWrapper
from typing import IO
from zipfile import ZIP_DEFLATED, ZipFile

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models, transaction

from config.spreadsheets import Columns, csv_pieces, rows_of

from .models import Company, CompanyLink, Contact, ContactAssignment, Location

COMPANIES: Columns = {
    "code": "code",
    "name": "name",
    "parent_code": "parent__code",
    "status": "status",
    "legal_name": "legal_name",
    "legal_form": "legal_form",
    "registration_id": "registration_id",
    "registration_agency": "registration_agency",
    "registered_on": "registered_on",
    "country": "country",
    "tax_id": "tax_id",
    "lei": "lei",
    "duns": "duns",
    "website": "website",
    "email": "email",
    "phone": "phone",
    "language": "language",
    "currency": "currency",
    "attributes": "attributes",
}
LOCATIONS: Columns = {
    "company_code": "company__code",
    "code": "code",
    "name": "name",
    "type": "type",
    "address_line1": "address_line1",
    "address_line2": "address_line2",
    "city": "city",
    "region": "region",
    "postcode": "postcode",
    "country": "country",
    "latitude": "latitude",
    "longitude": "longitude",
    "email": "email",
    "phone": "phone",
    "is_billing": "is_billing",
    "is_shipping": "is_shipping",
    "is_default_billing": "is_default_billing",
    "is_default_shipping": "is_default_shipping",
    "is_shared": "is_shared",
    "is_active": "is_active",
}
CONTACTS: Columns = {
    "email": "email",
    "first_name": "first_name",
    "last_name": "last_name",
    "phone": "phone",
    "job_title": "job_title",
    "language": "language",
    "external_id": "external_id",
    "is_active": "is_active",
}
ASSIGNMENTS: Columns = {
    "email": "contact__email",
    "company_code": "company__code",
    "type": "type",
    "role": "role",
    "covers_subsidiaries": "covers_subsidiaries",
    "valid_from": "valid_from",
    "valid_until": "valid_until",
}
IMPORTS: Columns = {
    "file": "file_name",
    "kind": "kind",
    "size": "size",
    "state": "state",
    "totals": "totals",
    "staff": "staff__username",
    "client": "client__name",
    "created_at": "created_at",
    "finished_at": "finished_at",
}
MAPPINGS: Columns = {
    "name": "name",
    "kind": "kind",
    "columns": "columns",
    "updated_at": "updated_at",
}
LINKS: Columns = {
    "company_code": "company__code",
    "kind": "kind",
    "other_code": "other__code",
    "percent": "percent",
    "valid_from": "valid_from",
    "valid_until": "valid_until",
}


@dataclass(frozen=True)
class Part:
    """Rows of one kind that belong to companies: one file of the ZIP, one list."""

    name: str
    columns: Columns
    of: Callable[[models.QuerySet], models.QuerySet]  # companies → rows


PARTS = [
    Part("companies", COMPANIES, lambda companies: companies),
    Part("locations", LOCATIONS, lambda of: Location.objects.filter(company__in=of)),
    Part(
        "contacts",
        CONTACTS,
        lambda of: Contact.objects.filter(
            pk__in=ContactAssignment.objects.filter(company__in=of).values("contact")
        ),
    ),
    Part(
        "contact-assignments",
        ASSIGNMENTS,
        lambda of: ContactAssignment.objects.filter(company__in=of),
    ),
    Part("company-links", LINKS, lambda of: CompanyLink.objects.filter(company__in=of)),
]


def add_parts(parts: Iterable[Part]) -> None:
    """For the apps above: what they know of companies leaves with them."""
    PARTS.extend(parts)


type Seen = Callable[[models.QuerySet], models.QuerySet]


def everything(rows: models.QuerySet) -> models.QuerySet:
    return rows


def write_zip(company: Company, file: IO[bytes], seen: Seen = everything) -> None:
    """The company and all below it, with all that belongs to them: a CSV per kind.

    `seen` leaves out the rows that whoever takes the file does not see.
    """
    with transaction.atomic(), ZipFile(file, "w", ZIP_DEFLATED) as archive:
        for part in PARTS:
            with archive.open(f"{part.name}.csv", "w", force_zip64=True) as member:
                for piece in csv_pieces(
                    rows_of(_rows(part, company, seen), part.columns)
                ):
                    member.write(piece)


def write_json(company: Company, file: IO[bytes], seen: Seen = everything) -> None:
    """The same as one JSON object, a list of objects for each kind."""
    text = TextIOWrapper(file, encoding="utf-8", write_through=True)
    with transaction.atomic():
        for piece in _json_pieces(company, seen):
            text.write(piece)
    text.detach()


def _json_pieces(company: Company, seen: Seen) -> Iterator[str]:
    yield "{"
    for number, part in enumerate(PARTS):
        yield f"{', ' if number else ''}{json.dumps(part.name)}: ["
        rows = _rows(part, company, seen).values_list(*part.columns.values())
        for place, row in enumerate(rows.iterator(chunk_size=2000)):
            told = dict(zip(part.columns, row, strict=True))
            text = json.dumps(told, cls=DjangoJSONEncoder, ensure_ascii=False)
            yield f"{', ' if place else ''}{text}"
        yield "]"
    yield "}\n"


HIERARCHY_FILES = {"zip": write_zip, "json": write_json}


def rights_to_export() -> list[str]:
    """The permissions of who may take all of a hierarchy: to see each kind of row."""
    return [
        f"{model._meta.app_label}.view_{model._meta.model_name}"
        for model in (part.of(Company.objects.none()).model for part in PARTS)
    ]


def _rows(part: Part, company: Company, seen: Seen) -> models.QuerySet:
    rows = part.of(Company.objects.under(company).order_by())
    return seen(rows).order_by("pk")
