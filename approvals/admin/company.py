"""The page of a company: who approves, what was asked for, and both at a glance."""

from typing import Any

from django.contrib import admin
from django.db.models import Prefetch
from django.http import HttpRequest
from django.utils.translation import gettext_lazy, npgettext_lazy

from approvals.models import (
    ApprovalGroup,
    ApprovalGroupMember,
    ApprovalRule,
    PurchaseLimit,
    PurchaseRequest,
    StandIn,
)
from approvals.waiting import open_steps
from companies.models import Company
from config.admin import Fact, Panel, add_facts, extend, may_see, rows_of

from .words import waits_for

SHOWN = 50


def approvals_of(request: HttpRequest, company: Company) -> dict[str, Any]:
    """Approval groups and rules that count here, from which company, with who is in."""
    path = Company.objects.above(company).nearest_first()
    near = {pk: number for number, pk in enumerate(path.values_list("pk", flat=True))}
    members = ApprovalGroupMember.objects.select_related("contact").order_by("pk")
    groups = sorted(
        rows_of(request, ApprovalGroup)
        .filter(company__in=near)
        .select_related("company")
        .prefetch_related(Prefetch("memberships", members)),
        key=lambda group: (near[group.company_id], group.pk),
    )
    nearest = groups[0].company_id if groups else None
    may = request.user.has_perm
    return {
        "company": company,
        "groups": [(group, group.company_id == nearest) for group in groups],
        "rules": _rules(request, company),
        "stand_ins": _stand_ins(request, near),
        "may_add_group": may("approvals.add_approvalgroup"),
        "may_add_rule": may("approvals.add_approvalrule"),
        "may_see_rules": may("approvals.view_approvalrule"),
        "may_see_stand_ins": may("approvals.view_standin"),
    }


def _rules(request: HttpRequest, company: Company) -> list[dict[str, Any]]:
    pages = admin.site.get_model_admin(ApprovalRule)
    if not pages.has_view_permission(request):
        return []
    rules = pages.get_queryset(request).reaching(company).select_related("company")
    return [
        {"rule": rule, "sentence": pages.sentence(rule)}
        for rule in rules.order_by("pk")
    ]


def _stand_ins(request: HttpRequest, path: Any) -> Any:
    if not may_see(request, StandIn):
        return []
    rows = rows_of(request, StandIn).in_force().filter(company__in=path)
    return rows.select_related("contact", "stand_in", "company").order_by("pk")[:SHOWN]


def requests_of(request: HttpRequest, company: Company) -> dict[str, Any]:
    """What is open, with whom it waits for, and the newest of the past."""
    rows = rows_of(request, PurchaseRequest).filter(company=company).order_by("-pk")
    open_ones = list(rows.open()[:SHOWN])
    steps = open_steps([one for one in open_ones if one.is_pending])
    return {
        "company": company,
        "open": [(one, waits_for(steps.get(one.pk))) for one in open_ones],
        "past": rows.exclude(pk__in=rows.open().order_by().values("pk"))[:SHOWN],
        "all": admin.site.get_model_admin(PurchaseRequest).url_of("changelist"),
    }


def open_requests(request: HttpRequest, company: Company) -> int:
    rows = rows_of(request, PurchaseRequest).filter(company=company)
    return rows.open().order_by().count()


def limits(request: HttpRequest, company: Company) -> int:
    return rows_of(request, PurchaseLimit).binding(company).order_by().count()


add_facts(
    "companies.Company",
    Fact(
        npgettext_lazy("counted", "limit that binds it", "limits that bind it"),
        "limits",
        limits,
        "approvals.view_purchaselimit",
        order=60,
    ),
    Fact(
        npgettext_lazy("counted", "open request", "open requests"),
        "requests",
        open_requests,
        "approvals.view_purchaserequest",
        order=70,
    ),
)
extend(
    "companies.Company",
    Panel(
        "approvals",
        gettext_lazy("Approvals"),
        "approvals/approvals.html",
        approvals_of,
        permission="approvals.view_approvalgroup",
        order=42,
    ),
    Panel(
        "requests",
        gettext_lazy("Requests"),
        "approvals/requests.html",
        requests_of,
        permission="approvals.view_purchaserequest",
        order=50,
    ),
)
