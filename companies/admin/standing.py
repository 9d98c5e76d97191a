"""Where a person may act, as what, and by which assignment."""

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import npgettext_lazy

from companies.models import Company, Contact, ContactAssignment
from companies.models.company import CompanyQuerySet, Status
from config.admin import Fact, Panel, add_facts, rows_of

from .tree import show_paths

AT_ONCE = 50


def reached(request: HttpRequest, contact: Contact) -> CompanyQuerySet:
    """The companies in which one of the person's assignments counts today."""
    mine = (
        rows_of(request, ContactAssignment)
        .in_force()
        .filter(contact=contact)
        .order_by()
    )
    companies = rows_of(request, Company)
    return companies.reached_by(mine)


def reach_of(request: HttpRequest, contact: Contact) -> dict[str, Any]:
    """Each company with the role that counts there, and where it comes from."""
    rows = reached(request, contact).with_effective_status().order_by("name", "pk")
    page = Paginator(rows, AT_ONCE).get_page(request.GET.get("reach"))
    companies = list(page.object_list)
    known = rows_of(request, Company)
    show_paths(companies, among=known)
    givers = known.in_bulk({company.through for company in companies})
    roles = dict(ContactAssignment.Role.choices)
    for company in companies:
        company.role_text = roles.get(company.role, "")
        company.giver = givers.get(company.through)
        company.effective = Status(company.effective_status)
    return {"page": page, "companies": companies, "contact": contact}


def companies_reached(request: HttpRequest, contact: Contact) -> int:
    return reached(request, contact).order_by().count()


REACH = Panel(
    "reach",
    _("May act for"),
    "companies/reach.html",
    reach_of,
    permission="companies.view_contactassignment",
    order=30,
)
add_facts(
    "companies.Contact",
    Fact(
        npgettext_lazy("counted", "company to act for", "companies to act for"),
        "reach",
        companies_reached,
        "companies.view_contactassignment",
        order=10,
    ),
)
