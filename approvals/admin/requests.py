"""Purchase requests: what was asked for and why it needs whom; approve and decline."""

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from approvals import services
from approvals.exports import REQUESTS
from approvals.models import PurchaseRequest
from approvals.rules import Step
from companies.models import Contact
from config.admin import (
    AnswerForAllForm,
    AnswerForm,
    ReadOnlyAdmin,
    ReasonForm,
    badge,
    plain,
)
from config.admin.base import ON_PAGE
from config.admin.numbers import ReadersDecimalField
from config.money import DECIMAL_PLACES, MAX_DIGITS, Money, readable

from .home import AttentionFilter
from .may_they_buy import may_they_buy
from .request_panels import PANELS
from .words import of_company_or

LONGEST_ID = 18  # digits that every database takes for a number


class DecideForm(AnswerForm):
    comment = forms.CharField(
        label=gettext_lazy("Comment"),
        max_length=2000,
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )


class DeclineAllForm(AnswerForAllForm):
    comment = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=2000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )


class AmountFormField(ReadersDecimalField):
    """An amount in the currency of the request."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            max_digits=MAX_DIGITS,
            decimal_places=DECIMAL_PLACES,
            min_value=Decimal(0),
            **kwargs,
        )


class OrderForm(DecideForm):
    number = forms.CharField(
        label=gettext_lazy("Order number"),
        max_length=64,
        widget=UnfoldAdminTextInputWidget,
    )
    amount = AmountFormField(
        label=gettext_lazy("Ordered amount"),
        required=False,
        help_text=gettext_lazy("Empty: all that was approved. At most that."),
    )
    field_order = ["number", "amount", "comment"]


class RefundForm(DecideForm):
    amount = AmountFormField(
        label=gettext_lazy("Amount"),
        help_text=gettext_lazy("In all at most what was ordered."),
    )
    field_order = ["amount", "comment"]


ENDING: dict[str, Callable[..., PurchaseRequest]] = {
    "order": services.order_request,
    "cancel": services.cancel_request,
    "refund": services.refund_request,
}


def of_number(text: str) -> Q:
    """The request whose id somebody has typed; no request for another text."""
    is_number = text.isascii() and text.isdecimal() and len(text) <= LONGEST_ID
    return Q(pk__in=[int(text)] if is_number else [])


@admin.register(PurchaseRequest)
class PurchaseRequestAdmin(ReadOnlyAdmin):
    export_columns = REQUESTS
    list_display = [
        "reference",
        "kind",
        "company",
        "requester",
        "shown_amount",
        "state",
        "submitted_at",
    ]
    list_filter = [
        ("status", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        AttentionFilter,
        "submitted_at",
    ]
    list_select_related = ["company", "requester"]
    search_fields = ["reference", "company__search_text", "requester__search_text"]
    search_help_text = gettext_lazy("Reference, order number, company or person")
    ordering = ["-id"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("reference", "kind", "state"),
                    ("company", "requester"),
                    "shown_amount",
                    ("order_number", "shown_ordered", "shown_refunded"),
                    ("submitted_at", "decided_at", "expires_at"),
                    ("billing_location", "shipping_location"),
                    "note",
                ]
            },
        )
    ]
    readonly_fields = ["state", "shown_amount", "shown_ordered", "shown_refunded"]
    panels = PANELS
    actions = [
        *("approve", "decline", "take_over", "order", "cancel", "refund"),
        "decline_all",
    ]
    change_form_outer_before_template = "approvals/request_top.html"

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.may_they_buy)
        return [
            path("may-they-buy/", page, name="approvals_may_they_buy"),
            *super().get_urls(),
        ]

    def may_they_buy(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = self.admin_site.each_context(request) | {"opts": self.opts}
        return may_they_buy(request, context)

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        related = ("company", "requester", "billing_location", "shipping_location")
        return super().get_queryset(request).select_related(*related)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        requests = PurchaseRequest.objects.all()
        people = Contact.objects.order_by().matching(term)
        ways = [requests.filter(requester__in=people), requests.filter(of_number(term))]
        names = ("reference", "order_number")
        return of_company_or(queryset, term, *names, ways=ways), False

    @admin.display(description=gettext_lazy("amount"), ordering="amount")
    def shown_amount(self, purchase: PurchaseRequest) -> str:
        return readable(purchase.amount, purchase.currency)

    @admin.display(description=gettext_lazy("ordered"))
    def shown_ordered(self, purchase: PurchaseRequest) -> str:
        if purchase.ordered_amount is None:
            return plain(None)
        return readable(purchase.ordered_amount, purchase.currency)

    @admin.display(description=gettext_lazy("refunded"))
    def shown_refunded(self, purchase: PurchaseRequest) -> str:
        if not purchase.refunded_amount:
            return plain(None)
        return readable(purchase.refunded_amount, purchase.currency)

    @admin.display(description=gettext_lazy("status"), ordering="status")
    def state(self, purchase: PurchaseRequest) -> SafeString:
        return badge(purchase.status, purchase.get_status_display())

    def page_context(
        self, request: HttpRequest, obj: PurchaseRequest
    ) -> dict[str, Any]:
        return {"open_step": self._open_step(obj)}

    def _open_step(self, obj: PurchaseRequest) -> Step | None:
        """Read once per page: the buttons and the page ask for it."""
        if not hasattr(obj, "_open_step"):
            obj._open_step = services.approvers_of(obj)
        return obj._open_step

    # --- decisions

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("approvals.decide_purchaserequest")

    def has_order_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("approvals.order_purchaserequest")

    def offers(self, action: str, obj: PurchaseRequest) -> bool:
        """Staff decide only where nobody else can; the service checks it again."""
        match action:
            case "order" | "cancel":
                return obj.status == PurchaseRequest.Status.APPROVED
            case "refund":
                return obj.status == PurchaseRequest.Status.ORDERED
        step = self._open_step(obj)
        if action == "take_over":
            return step is not None and not step.staff
        return step is not None and step.staff

    @admin.action(
        description=gettext_lazy("Approve"), permissions=["decide"], location=ON_PAGE
    )
    def approve(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse:
        return self._decide(
            request, queryset.get(), "approve", _("Approve"), services.approve_request
        )

    @admin.action(
        description=gettext_lazy("Decline"), permissions=["decide"], location=ON_PAGE
    )
    def decline(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse:
        return self._decide(
            request, queryset.get(), "decline", _("Decline"), services.decline_request
        )

    @admin.action(
        description=gettext_lazy("Decline, with one reason"), permissions=["decide"]
    )
    def decline_all(
        self, request: HttpRequest, queryset: QuerySet
    ) -> HttpResponse | None:
        """Each on its own: what is refused is said, and hinders no other."""
        rows = list(queryset.order_by("pk"))
        if not rows:
            return None  # gone meanwhile, or never to be seen
        form = self.answer_for_all(request, rows, DeclineAllForm)
        if not form.is_bound or not form.is_valid():
            return self.ask_for_all(
                request,
                rows,
                form,
                action="decline_all",
                title=_("Decline these requests"),
                button=_("Decline"),
                danger=True,
            )
        seen = form.cleaned_data["seen_versions"]
        for purchase in rows:
            self.attempt(
                request,
                purchase,
                partial(
                    services.decline_request,
                    purchase,
                    actor=self.actor(request),
                    expected_version=seen.get(purchase.pk, 0),
                    comment=form.cleaned_data["comment"],
                ),
                done=_("%(request)s: declined.") % {"request": purchase},
            )
        return None  # back to the list

    def has_take_over_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("approvals.take_over_purchaserequest")

    @admin.action(
        description=gettext_lazy("Take over"),
        permissions=["take_over"],
        location=ON_PAGE,
    )
    def take_over(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse:
        purchase = queryset.get()
        form = self.answer(request, purchase, ReasonForm)
        if form.is_bound and form.is_valid():
            self.attempt(
                request,
                purchase,
                lambda: services.take_over_request(
                    purchase,
                    actor=self.actor(request),
                    expected_version=form.cleaned_data["seen_version"],
                    reason=form.cleaned_data["reason"],
                ),
                done=_("%(request)s: staff can decide now.") % {"request": purchase},
            )
            return HttpResponseRedirect(self.url_of("change", purchase.pk))
        return self.ask(
            request,
            purchase,
            form,
            action="take_over",
            title=_("Take over: %(request)s") % {"request": purchase},
            button=_("Take over"),
            sentences=[
                _("The seller's staff can decide, beside the customer's approvers."),
                _("Who took it over and why stands in its history."),
            ],
        )

    # --- what becomes of it

    @admin.action(
        description=gettext_lazy("Note the order"),
        permissions=["order"],
        location=ON_PAGE,
    )
    def order(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse:
        return self._end(
            request, queryset.get(), "order", _("Note the order"), OrderForm
        )

    @admin.action(
        description=gettext_lazy("Cancel"), permissions=["order"], location=ON_PAGE
    )
    def cancel(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse:
        return self._end(request, queryset.get(), "cancel", _("Cancel"), DecideForm)

    @admin.action(
        description=gettext_lazy("Refund"), permissions=["order"], location=ON_PAGE
    )
    def refund(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse:
        return self._end(request, queryset.get(), "refund", _("Refund"), RefundForm)

    def _end(
        self,
        request: HttpRequest,
        purchase: PurchaseRequest,
        action: str,
        verb: str,
        form_class: type[AnswerForm],
    ) -> HttpResponse:
        form = self.answer(request, purchase, form_class)
        if form.is_bound and form.is_valid():
            service = ENDING[action]
            answer = dict(form.cleaned_data)
            version = answer.pop("seen_version")
            amount = answer.pop("amount", None)
            if amount is not None:
                answer["money"] = Money(amount, purchase.currency)
            self.attempt(
                request,
                purchase,
                lambda: service(
                    purchase,
                    actor=self.actor(request),
                    expected_version=version,
                    **answer,
                ),
                done=_("%(request)s: done.") % {"request": purchase},
            )
            return HttpResponseRedirect(self.url_of("change", purchase.pk))
        return self.ask(
            request,
            purchase,
            form,
            action=action,
            title=f"{verb}: {purchase}",
            button=verb,
            danger=action == "cancel",
        )

    def _decide(
        self,
        request: HttpRequest,
        purchase: PurchaseRequest,
        action: str,
        verb: str,
        decide: Callable[..., PurchaseRequest],
    ) -> HttpResponse:
        form = self.answer(request, purchase, DecideForm)
        if form.is_bound and form.is_valid():
            self.attempt(
                request,
                purchase,
                lambda: decide(
                    purchase,
                    actor=self.actor(request),
                    expected_version=form.cleaned_data["seen_version"],
                    comment=form.cleaned_data["comment"],
                ),
                done=_("%(request)s: the decision has been recorded.")
                % {"request": purchase},
            )
            return HttpResponseRedirect(self.url_of("change", purchase.pk))
        return self.ask(
            request,
            purchase,
            form,
            action=action,
            title=f"{verb}: {purchase}",
            button=verb,
            danger=action == "decline",
        )
