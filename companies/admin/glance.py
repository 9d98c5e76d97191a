"""What the page of a company says at a glance, as far as this app knows."""

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import npgettext_lazy

from companies.models import Company, ContactAssignment, Location
from config.admin import Fact, add_facts, rows_of


def primary_contact(request: HttpRequest, company: Company) -> str | None:
    rows = rows_of(request, ContactAssignment)
    kind = ContactAssignment.Type.PRIMARY
    found = rows.filter(company=company, type=kind).select_related("contact").first()
    return None if found is None else str(found.contact)


def people(request: HttpRequest, company: Company) -> int:
    rows = rows_of(request, ContactAssignment)
    return rows.reaching(company).in_force().order_by().count()


def places(request: HttpRequest, company: Company) -> int:
    rows = rows_of(request, Location)
    return rows.usable_by(company).order_by().count()


def subsidiaries(request: HttpRequest, company: Company) -> Any:
    rows = rows_of(request, Company)
    return rows.filter(parent=company).order_by().count()


add_facts(
    "companies.Company",
    Fact(
        _("primary contact"),
        "assignments",
        primary_contact,
        "companies.view_contactassignment",
        order=10,
    ),
    Fact(
        npgettext_lazy("counted", "person who may act here", "people who may act here"),
        "assignments",
        people,
        "companies.view_contactassignment",
        order=20,
    ),
    Fact(
        npgettext_lazy("counted", "location", "locations"),
        "locations",
        places,
        "companies.view_location",
        order=30,
    ),
    Fact(
        npgettext_lazy("counted", "direct subsidiary", "direct subsidiaries"),
        "subsidiaries",
        subsidiaries,
        "companies.view_company",
        order=40,
    ),
)
