"""Purchase requests: what was asked for and why it needs whom; approve and decline."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.widgets import UnfoldAdminTextareaWidget

from approvals import services
from approvals.answers import in_words
from approvals.models import ApprovalGroup, PurchaseRequest
from approvals.rules import Outcome, Purchase
from companies.models import Company, Contact, ContactAssignment
from config.admin import AnswerForm, Panel, ReadOnlyAdmin, badge, extend
from config.admin.base import ON_PAGE
from config.money import readable

SHOWN = 50
OUTCOMES = {
    Outcome.ALLOWED: gettext_lazy("Allowed"),
    Outcome.APPROVAL_REQUIRED: gettext_lazy("Needs approval"),
    Outcome.BLOCKED: gettext_lazy("Blocked"),
}


class DecideForm(AnswerForm):
    comment = forms.CharField(
        label=gettext_lazy("Comment"),
        max_length=2000,
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )


def items_of(request: HttpRequest, purchase: PurchaseRequest) -> dict[str, Any]:
    return {"items": purchase.items, "purchase": purchase}


def reasons_of(request: HttpRequest, purchase: PurchaseRequest) -> dict[str, Any]:
    """Why it needs whom, in sentences: as it was frozen when it was submitted."""
    kept = purchase.snapshot["decision"]
    people = {
        approver["contact"] for step in kept["steps"] for approver in step["approvers"]
    }
    names = {pk: str(person) for pk, person in Contact.objects.in_bulk(people).items()}
    frozen = Purchase(amount=purchase.amount, currency=purchase.currency)
    return {
        "decision": in_words(kept, frozen, names),
        "outcome": OUTCOMES[kept["outcome"]],
        "hash": purchase.snapshot_hash,
    }


def steps_of(request: HttpRequest, purchase: PurchaseRequest) -> dict[str, Any]:
    """What each step needs and has, and who could decide now."""
    steps = purchase.steps.with_agreed().select_related("company").order_by("position")
    roles = dict(ContactAssignment.Role.choices)
    steps = list(steps)
    groups = ApprovalGroup.objects.in_bulk(
        {pk for step in steps for pk in step.approval_groups}
    )
    for step in steps:
        names = [str(groups.get(pk, pk)) for pk in step.approval_groups]
        step.by = ", ".join(names or [str(roles[role]) for role in step.roles])
    decisions = purchase.decisions.select_related("contact", "staff", "step")
    return {
        "steps": steps,
        "decisions": decisions.order_by("pk"),
        "now": services.approvers_of(purchase),
    }


def timeline_of(request: HttpRequest, purchase: PurchaseRequest) -> dict[str, Any]:
    return {"entries": purchase.history.order_by("pk")}


PANELS = (
    Panel("items", gettext_lazy("Items"), "approvals/items.html", items_of, order=10),
    Panel("why", gettext_lazy("Why"), "approvals/why.html", reasons_of, order=20),
    Panel(
        "steps",
        gettext_lazy("Steps and decisions"),
        "approvals/steps.html",
        steps_of,
        order=30,
    ),
    Panel(
        "timeline",
        gettext_lazy("History"),
        "approvals/timeline.html",
        timeline_of,
        order=100,
    ),
)


@admin.register(PurchaseRequest)
class PurchaseRequestAdmin(ReadOnlyAdmin):
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
        "submitted_at",
    ]
    list_select_related = ["company", "requester"]
    search_fields = ["reference", "company__search_text", "requester__search_text"]
    search_help_text = gettext_lazy("Reference, company or person")
    ordering = ["-id"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("reference", "kind", "state"),
                    ("company", "requester"),
                    "shown_amount",
                    ("submitted_at", "decided_at", "expires_at"),
                    ("billing_location", "shipping_location"),
                    "note",
                ]
            },
        )
    ]
    readonly_fields = ["state", "shown_amount"]
    panels = PANELS
    actions = ["approve", "decline"]
    change_form_outer_before_template = "approvals/request_top.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        related = ("company", "requester", "billing_location", "shipping_location")
        return super().get_queryset(request).select_related(*related)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        companies = Company.objects.order_by().matching(term).values("pk")
        people = Contact.objects.order_by().matching(term).values("pk")
        found = queryset.filter(reference__icontains=term)
        found |= queryset.filter(company__in=companies)
        return found | queryset.filter(requester__in=people), False

    @admin.display(description=gettext_lazy("amount"), ordering="amount")
    def shown_amount(self, purchase: PurchaseRequest) -> str:
        return readable(purchase.amount, purchase.currency)

    @admin.display(description=gettext_lazy("status"), ordering="status")
    def state(self, purchase: PurchaseRequest) -> SafeString:
        return badge(purchase.status, purchase.get_status_display())

    def page_context(
        self, request: HttpRequest, obj: PurchaseRequest
    ) -> dict[str, Any]:
        step = services.approvers_of(obj)
        return {"open_step": step}

    # --- decisions

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("approvals.decide_purchaserequest")

    def offers(self, action: str, obj: PurchaseRequest) -> bool:
        """Staff decide only where nobody else can; the service checks it again."""
        step = services.approvers_of(obj)
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


def requests_of(request: HttpRequest, company: Company) -> dict[str, Any]:
    rows = company.purchase_requests.select_related("requester").order_by("-pk")
    return {"requests": rows[:SHOWN], "company": company}


extend(
    "companies.Company",
    Panel(
        "requests",
        gettext_lazy("Requests"),
        "approvals/requests.html",
        requests_of,
        permission="approvals.view_purchaserequest",
        order=50,
    ),
)
