"""Purchase limits: their own page, and those that bind a company on its page."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from approvals.models import ApprovalGroup, PurchaseLimit
from companies.models import Company, ContactAssignment
from config.admin import KonzernAdmin, KonzernForm, Panel, extend
from config.money import plain


class LimitForm(KonzernForm):
    roles = forms.MultipleChoiceField(
        label=gettext_lazy("Roles"),
        choices=ContactAssignment.Role.choices,
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=gettext_lazy("Only for a limit that binds people of some roles."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.amount is not None:
            amount = plain(self.instance.amount, self.instance.currency)
            self.initial["amount"] = Decimal(amount)


@admin.register(PurchaseLimit)
class PurchaseLimitAdmin(KonzernAdmin):
    form = LimitForm
    list_display = ["__str__", "company", "cap_text", "scope", "binds", "on_exceed"]
    list_filter = [
        ("scope", ChoicesDropdownFilter),
        ("binds", ChoicesDropdownFilter),
        ("on_exceed", ChoicesDropdownFilter),
        "unlimited",
    ]
    list_select_related = ["company", "contact"]
    search_fields = ["name", "company__search_text"]
    search_help_text = gettext_lazy("Name of the limit, or its company")
    autocomplete_fields = ["company", "contact"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("company", "name"),
                    ("amount", "currency", "unlimited"),
                    ("period", "scope", "on_exceed"),
                ],
                "description": gettext_lazy(
                    "No limit: not limited here, the companies above are looked at. "
                    "Amount 0: nothing may be bought. Unlimited: looked at and not "
                    "limited here; limits above still count. A limit for each purchase "
                    "says nothing about several purchases one after the other."
                ),
            },
        ),
        (
            gettext_lazy("Whom it binds"),
            {"fields": ["binds", "roles", "contact", "note"]},
        ),
    ]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        if not search_term.strip():
            return queryset, False
        companies = Company.objects.order_by().matching(search_term).values("pk")
        named = queryset.filter(name__icontains=search_term.strip())
        return named | queryset.filter(company__in=companies), False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [] if obj is None else ["company"]


def limits_of(request: HttpRequest, company: Company) -> dict[str, Any]:
    limits = PurchaseLimit.objects.binding(company)
    groups = ApprovalGroup.objects.filter(company__in=_path(company))
    return {
        "limits": limits.select_related("company", "contact"),
        "groups": groups.select_related("company").order_by("pk"),
        "company": company,
        "may_add": request.user.has_perm("approvals.add_purchaselimit"),
    }


def _path(company: Company) -> QuerySet:
    return Company.objects.above(company).order_by()


extend(
    "companies.Company",
    Panel(
        "limits",
        gettext_lazy("Limits"),
        "approvals/limits.html",
        limits_of,
        permission="approvals.view_purchaselimit",
        order=40,
    ),
)
