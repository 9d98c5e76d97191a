"""Companies, people and places in the search over everything."""

from collections import defaultdict
from typing import Any

from django.db.models import Q
from django.http import HttpRequest

from companies.models import Company, Contact, ContactAssignment, Location
from config.admin import Searched, add_searched, joined, may_see, rows_of

from .tree import ARROW, short_path, show_paths

NAMED = 3  # companies of a person
LOOKED_AT = 100  # assignments, for these


def show_companies(request: HttpRequest, contacts: list[Contact]) -> None:
    """Set `works_for` of each: the names of some of their companies. One query."""
    works_for = defaultdict(list)
    if contacts and may_see(request, ContactAssignment):
        rows = rows_of(request, ContactAssignment)
        rows = rows.filter(contact__in=contacts).order_by("pk")
        for one in rows.select_related("company")[:LOOKED_AT]:
            works_for[one.contact_id].append(one.company.name)
    for contact in contacts:
        contact.works_for = works_for[contact.pk]


def paths_for(request: HttpRequest, companies: list[Company]) -> None:
    show_paths(companies, among=rows_of(request, Company))


def about_company(company: Company) -> str:
    return joined(
        ARROW.join(short_path(company)),
        company.code,
        company.registration_id,
        company.get_country_display(),
    )


def about_contact(contact: Contact) -> str:
    return joined(
        contact.email, contact.job_title, ", ".join(contact.works_for[:NAMED])
    )


def about_location(location: Location) -> str:
    return joined(location.company, location.get_type_display(), location.code)


def of_company(company: Company) -> tuple[str, Any]:
    return company.status, company.get_status_display()


def keys_of_company(query: str) -> Q:
    found = Q(lei__iexact=query) | Q(code__iexact=query) | Q(name__iexact=query)
    for field in ("registration_id", "tax_id", "duns"):
        found |= Q(**{field: query})
    return found


add_searched(
    Searched(
        Company,
        "account_tree",
        about_company,
        keys_of_company,
        state=of_company,
        prepare=paths_for,
        order=10,
    ),
    Searched(
        Contact,
        "person",
        about_contact,
        lambda query: Q(email__iexact=query) | Q(external_id=query),
        prepare=show_companies,
        order=20,
    ),
    Searched(
        Location,
        "location_on",
        about_location,
        lambda query: Q(code__iexact=query),
        related=("company",),
        order=70,
    ),
)
