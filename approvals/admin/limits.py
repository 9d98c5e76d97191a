"""Purchase limits, what binds a company on its page, and the ledger."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSingleDateWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from approvals import ledger, situation
from approvals.exports import LEDGER, LIMITS
from approvals.models import (
    LedgerEntry,
    PurchaseLimit,
)
from companies.models import Company, ContactAssignment
from config.admin import (
    AnswerForm,
    KonzernAdmin,
    KonzernForm,
    Panel,
    ReadOnlyAdmin,
    extend,
)
from config.admin.base import ON_PAGE
from config.admin.numbers import ReadersDecimalField
from config.money import plain, readable

from .home import AlertFilter
from .meters import Meter
from .words import of_company_or


class PercentsField(forms.CharField):
    """Whole percents, separated by commas: "80, 95"."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[Any]:
        parts = [part.strip() for part in (super().to_python(value) or "").split(",")]
        return [int(p) if p.isascii() and p.isdecimal() else p for p in parts if p]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return self.to_python(self.prepare_value(initial)) != self.to_python(data)


class LimitForm(KonzernForm):
    alert_percents = PercentsField(
        label=gettext_lazy("Alerts"),
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy(
            "Percents of the amount, such as 80, 95: an event each, once a period."
        ),
    )
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
    export_columns = LIMITS
    form = LimitForm
    list_display = [
        "__str__",
        "company",
        "cap_text",
        "period",
        "scope",
        "binds",
        "on_exceed",
        "is_active",
    ]
    list_filter = [
        ("period", ChoicesDropdownFilter),
        ("scope", ChoicesDropdownFilter),
        ("binds", ChoicesDropdownFilter),
        ("on_exceed", ChoicesDropdownFilter),
        AlertFilter,
        "unlimited",
        "is_active",
    ]
    list_select_related = ["company", "contact"]
    search_fields = ["name", "company__search_text"]
    search_help_text = gettext_lazy("Name of the limit, or its company")
    autocomplete_fields = ["company", "contact"]
    actions = ["correct"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("company", "name"),
                    ("amount", "currency", "unlimited"),
                    ("period", "time_zone"),
                    ("scope", "on_exceed"),
                    ("alert_percents", "is_active"),
                ],
                "description": gettext_lazy(
                    "No limit: not limited here, the companies above are looked at. "
                    "Amount 0: nothing may be bought. Unlimited: looked at and not "
                    "limited here; limits above still count. A limit for each purchase "
                    "says nothing about several purchases one after the other: that is "
                    "what limits per day, week, month, quarter or year are for."
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
        return of_company_or(queryset, search_term, "name"), False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [] if obj is None else ["company", "currency"]

    # --- what was counted wrongly, or bought elsewhere

    def has_correct_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("approvals.correct_ledger")

    def offers(self, action: str, obj: PurchaseLimit) -> bool:
        return obj.period != PurchaseLimit.Period.PURCHASE

    @admin.action(
        description=gettext_lazy("Correct what is used"),
        permissions=["correct"],
        location=ON_PAGE,
    )
    def correct(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse:
        limit = queryset.get()
        form = self.answer(request, limit, CorrectForm, day=timezone.localdate())
        if form.is_bound and form.is_valid():
            answer = form.cleaned_data
            self.attempt(
                request,
                limit,
                lambda: ledger.correct(
                    limit,
                    day=answer["day"],
                    amount=answer["amount"],
                    reason=answer["reason"],
                    actor=self.actor(request),
                ),
                done=_("The correction is in the ledger."),
            )
            return HttpResponseRedirect(self.url_of("change", limit.pk))
        return self.ask(
            request,
            limit,
            form,
            action="correct",
            title=_("Correct what is used of %(limit)s") % {"limit": limit},
            button=_("Correct"),
        )


class CorrectForm(AnswerForm):
    day = forms.DateField(
        label=gettext_lazy("A day of the period"), widget=UnfoldAdminSingleDateWidget
    )
    amount = ReadersDecimalField(
        label=gettext_lazy("Amount"),
        max_digits=18,
        decimal_places=4,
        help_text=gettext_lazy("Is added to what is used; with a minus it is taken."),
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    export_columns = LEDGER
    list_display = [
        "at",
        "kind",
        "shown_amount",
        "limit",
        "period_start",
        "company",
        "request",
        "actor",
    ]
    list_filter = [("kind", ChoicesDropdownFilter), "at"]
    list_select_related = ["limit__company", "company", "request"]
    search_fields = ["company__search_text"]
    search_help_text = gettext_lazy("Company")
    ordering = ["-id"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("at", "kind", "shown_amount"),
                    ("limit", "period", "period_start"),
                    ("reserved_before", "used_before", "cap"),
                    ("company", "request", "revision"),
                    ("actor", "call_id"),
                    "reason",
                ]
            },
        )
    ]
    readonly_fields = ["shown_amount"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        if not search_term.strip():
            return queryset, False
        companies = Company.objects.order_by().matching(search_term).values("pk")
        return queryset.filter(company__in=companies), False

    @admin.display(description=gettext_lazy("amount"), ordering="amount")
    def shown_amount(self, entry: LedgerEntry) -> str:
        return readable(entry.amount, entry.currency)


def limits_of(request: HttpRequest, company: Company) -> dict[str, Any]:
    return {
        "meters": [Meter(limit) for limit in situation.limits_of(company.pk)],
        "company": company,
        "may_add": request.user.has_perm("approvals.add_purchaselimit"),
    }


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
