"""Requests, limits, rules and approval groups in the search over everything."""

from typing import Any

from django.db.models import Q
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from approvals.models import (
    ApprovalGroup,
    ApprovalRule,
    PurchaseLimit,
    PurchaseRequest,
)
from config.admin import Searched, add_searched, joined

from .requests import of_number


def keys_of_request(query: str) -> Q:
    keys = Q(reference__iexact=query) | Q(order_number__iexact=query)
    return keys | of_number(query)


def about_request(purchase: PurchaseRequest) -> str:
    return joined(
        purchase.company,
        purchase.requester,
        purchase.order_number,
        date_format(purchase.submitted_at, "SHORT_DATE_FORMAT"),
    )


def about_limit(limit: PurchaseLimit) -> str:
    return joined(
        limit.company, limit.company.code, limit.cap_text, limit.get_period_display()
    )


def about_group(group: ApprovalGroup) -> str:
    return joined(group.company, group.company.code, group.code)


def of_active(row: Any) -> tuple[str, Any]:
    return ("ACTIVE", _("Active")) if row.is_active else ("DRAFT", _("Inactive"))


add_searched(
    Searched(
        PurchaseRequest,
        "shopping_cart",
        about_request,
        keys_of_request,
        state=lambda purchase: (purchase.status, purchase.get_status_display()),
        related=("company", "requester"),
        order=30,
    ),
    Searched(
        PurchaseLimit,
        "speed",
        about_limit,
        lambda query: Q(name__iexact=query),
        state=of_active,
        related=("company", "contact"),
        order=40,
    ),
    Searched(
        ApprovalRule,
        "rule",
        lambda rule: joined(rule.company, rule.company.code),
        lambda query: Q(name__iexact=query),
        state=of_active,
        related=("company",),
        order=50,
    ),
    Searched(
        ApprovalGroup,
        "how_to_reg",
        about_group,
        lambda query: Q(code__iexact=query) | Q(name__iexact=query),
        related=("company",),
        order=55,
    ),
)
