"""What the API shows of companies and people: each shape is declared once, here."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from django.utils import timezone

from companies.models import Company, CompanyQuerySet, Contact, ContactAssignment
from companies.models.company import DEPTH, HEAD, STATUS_OF_BADNESS
from config.api.rows import Batch, Shape, made, related
from integrations.models import ApiClient


def _company_type(parent: int | None) -> str:
    return "COMPANY" if parent is None else "SUBSIDIARY"


def _companies(client: ApiClient) -> CompanyQuerySet:
    return Company.objects.visible_to(client).order_by()


BRIEF_COMPANY = Shape("id", "code", "name")

LEGAL_INFO = Shape(
    "legal_name",
    "legal_form",
    "registration_id",
    "registration_agency",
    "registered_on",
    "country",
    "tax_id",
    "lei",
    "duns",
)

COMPANY = Shape(
    "id",
    "code",
    "name",
    annotate=CompanyQuerySet.with_badness,
    expandable={
        "parent": related(_companies, BRIEF_COMPANY, "parent_id"),
        "head": related(_companies, BRIEF_COMPANY, HEAD),
    },
    type=made(_company_type, "parent_id"),
    parent="parent_id",
    head=HEAD,
    depth=DEPTH,
    status="status",
    effective_status=made(STATUS_OF_BADNESS.__getitem__, "badness"),
    legal_info=LEGAL_INFO,
    website="website",
    email="email",
    phone="phone",
    language="language",
    currency="currency",
    attributes="attributes",
    version="version",
    created_at="created_at",
    updated_at="updated_at",
)

LOCATION = Shape(
    "id",
    "code",
    "name",
    "type",
    expandable={"company": related(_companies, BRIEF_COMPANY, "company_id")},
    company="company_id",
    address=Shape(
        line1="address_line1",
        line2="address_line2",
        city="city",
        region="region",
        postcode="postcode",
        country="country",
        latitude="latitude",
        longitude="longitude",
    ),
    email="email",
    phone="phone",
    is_billing="is_billing",
    is_shipping="is_shipping",
    is_default_billing="is_default_billing",
    is_default_shipping="is_default_shipping",
    is_shared="is_shared",
    is_active="is_active",
    version="version",
    created_at="created_at",
    updated_at="updated_at",
)

CONTACT = Shape(
    "id",
    "external_id",
    "email",
    "first_name",
    "last_name",
    "phone",
    "job_title",
    "language",
    "is_active",
    "erased_at",
    "version",
    "created_at",
    "updated_at",
)

BRIEF_CONTACT = Shape(
    "id", "external_id", "email", "first_name", "last_name", "is_active"
)

ASSIGNMENT = Shape(
    "id",
    expandable={
        "contact": related(
            lambda client: Contact.objects.visible_to(client),
            BRIEF_CONTACT,
            "contact_id",
        ),
        "company": related(_companies, BRIEF_COMPANY, "company_id"),
    },
    contact="contact_id",
    company="company_id",
    type="type",
    role="role",
    covers_subsidiaries="covers_subsidiaries",
    valid_from="valid_from",
    valid_until="valid_until",
    version="version",
    created_at="created_at",
    updated_at="updated_at",
)

LINK = Shape(
    "id",
    expandable={
        "company": related(_companies, BRIEF_COMPANY, "company_id"),
        "other": related(_companies, BRIEF_COMPANY, "other_id"),
    },
    company="company_id",
    kind="kind",
    other="other_id",
    percent="percent",
    valid_from="valid_from",
    valid_until="valid_until",
    version="version",
    created_at="created_at",
    updated_at="updated_at",
)


def _in_force(first: date | None, last: date | None, is_active: bool) -> bool:
    today = timezone.localdate()
    return (
        is_active
        and (first is None or first <= today)
        and (last is None or today <= last)
    )


# A person of a company: the assignment, of the company itself or of one above it.
PERSON = Shape(
    contact=Shape(
        id="contact_id",
        external_id="contact__external_id",
        email="contact__email",
        first_name="contact__first_name",
        last_name="contact__last_name",
        is_active="contact__is_active",
    ),
    assignment="id",
    type="type",
    role="role",
    in_force=made(_in_force, "valid_from", "valid_until", "contact__is_active"),
    valid_from="valid_from",
    valid_until="valid_until",
    inherited="inherited",
    company=Shape(id="company_id", code="company__code", name="company__name"),
)


WHY = Shape(
    id="id",
    role="role",
    type="type",
    company="company_id",
    covers_subsidiaries="covers_subsidiaries",
    valid_from="valid_from",
    valid_until="valid_until",
)


def _assignments(client: ApiClient) -> Any:
    return ContactAssignment.objects.visible_to(client)


def _roles(ids: Sequence[int], client: ApiClient) -> Mapping[int, Any]:
    rows = _assignments(client).filter(pk__in=ids)
    return {row["id"]: row for row in WHY.rows(rows, client)}


# Where a person may act: a company, and the assignment by which it is so.
REACH = Shape(
    company=BRIEF_COMPANY,
    role="role",
    inherited=made(lambda company, own: company != own, "through", "id"),
    through=Batch(_roles, "assignment", missing=type(None), shape=WHY),
)


def _progress(step: str, done: int, total: int | None) -> dict[str, Any]:
    return {"step": step, "done": done, "total": total}


def _if_any(value: Any) -> Any:
    return value or None


def _first_source(sources: list[Any]) -> Any:
    return sources[0] if sources else None


IMPORT = Shape(
    "id",
    "kind",
    name="file_name",
    size="size",
    state="state",
    mapping="mapping",
    encoding="encoding",
    partial="partial",
    totals=made(_if_any, "totals"),
    source=made(_first_source, "sources"),
    progress=made(_progress, "step", "done", "total"),
    faults="faults",
    fault_count="fault_count",
    created_at="created_at",
    updated_at="updated_at",
    finished_at="finished_at",
)
