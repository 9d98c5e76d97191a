"""The page of a person: what they may approve, stand-ins, their requests."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy, npgettext_lazy

from approvals.inbox import waiting_anywhere
from approvals.models import ApprovalGroup, PurchaseRequest, StandIn
from approvals.waiting import open_steps
from companies.models import Contact, ContactAssignment
from companies.models.assignment import Role
from config.admin import Fact, Panel, add_facts, extend, may_see, rows_of
from config.money import readable

from .words import waits_for

SHOWN = 50
RELATED = ("contact", "stand_in", "company")


def rights_of(request: HttpRequest, contact: Contact) -> dict[str, Any]:
    """Roles and approval groups that let them approve, and who stands in for whom."""
    return {
        "contact": contact,
        "roles": _roles(request, contact),
        "groups": _groups(request, contact),
        "may_see_stand_ins": may_see(request, StandIn),
        "for_them": _stand_ins(request, contact=contact),
        "for_others": _stand_ins(request, stand_in=contact),
    }


def _roles(request: HttpRequest, contact: Contact) -> Any:
    if not may_see(request, ContactAssignment):
        return []
    rows = rows_of(request, ContactAssignment).in_force()
    mine = rows.filter(contact=contact, role__in=(Role.ADMIN, Role.BUYER))
    return mine.select_related("company").order_by("pk")[:SHOWN]


def _groups(request: HttpRequest, contact: Contact) -> Any:
    if not may_see(request, ApprovalGroup):
        return []
    rows = rows_of(request, ApprovalGroup).filter(memberships__contact=contact)
    return rows.select_related("company").order_by("pk")[:SHOWN]


def _stand_ins(request: HttpRequest, **whose: Contact) -> list[StandIn]:
    """Those of today and of days to come."""
    if not may_see(request, StandIn):
        return []
    rows = rows_of(request, StandIn).to_come().filter(**whose)
    found = list(rows.select_related(*RELATED).order_by("valid_from", "pk")[:SHOWN])
    for one in found:
        one.most = "" if one.amount is None else readable(one.amount, one.currency)
    return found


def requests_of_person(request: HttpRequest, contact: Contact) -> dict[str, Any]:
    """What they asked for and is open, and what waits for a decision of theirs."""
    rows = rows_of(request, PurchaseRequest).order_by("-pk")
    mine = list(rows.open().filter(requester=contact)[:SHOWN])
    found = waiting_anywhere(contact, rows, most=SHOWN)
    waiting = rows.filter(pk__in=found).order_by("pk")
    steps = open_steps([one for one in mine if one.is_pending])
    return {
        "contact": contact,
        "most": SHOWN,
        "open": [(one, waits_for(steps.get(one.pk))) for one in mine],
        "waiting": waiting,
        "all": admin.site.get_model_admin(PurchaseRequest).url_of("changelist"),
    }


def open_requests(request: HttpRequest, contact: Contact) -> int:
    rows = rows_of(request, PurchaseRequest).filter(requester=contact)
    return rows.open().order_by().count()


def approval_groups(request: HttpRequest, contact: Contact) -> int:
    rows = rows_of(request, ApprovalGroup).filter(memberships__contact=contact)
    return rows.order_by().count()


add_facts(
    "companies.Contact",
    Fact(
        npgettext_lazy("counted", "approval group", "approval groups"),
        "approvals",
        approval_groups,
        "approvals.view_approvalgroup",
        order=20,
    ),
    Fact(
        npgettext_lazy("counted", "open request of theirs", "open requests of theirs"),
        "requests",
        open_requests,
        "approvals.view_purchaserequest",
        order=30,
    ),
)
extend(
    "companies.Contact",
    Panel(
        "approvals",
        gettext_lazy("May approve"),
        "approvals/person_rights.html",
        rights_of,
        order=40,
    ),
    Panel(
        "requests",
        gettext_lazy("Requests"),
        "approvals/person_requests.html",
        requests_of_person,
        permission="approvals.view_purchaserequest",
        order=50,
    ),
)
