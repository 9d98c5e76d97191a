"""The tabs of a purchase request: what was asked for, why it needs whom, what came."""

from decimal import Decimal
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from approvals import services
from approvals.answers import in_words
from approvals.explanations import contact_of
from approvals.models import ApprovalGroup, PurchaseRequest
from approvals.rules import Purchase
from companies.models import Contact, ContactAssignment
from config.admin import Panel, seen
from config.money import grouped

from .considered import shown


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
        "decision": shown(in_words(kept, frozen, names), frozen),
        "hash": purchase.snapshot_hash,
    }


def steps_of(request: HttpRequest, purchase: PurchaseRequest) -> dict[str, Any]:
    """What each step needs and has, and who could decide now."""
    steps = purchase.steps.with_agreed().filter(round=purchase.round)
    steps = steps.select_related("company").order_by("position")
    roles = dict(ContactAssignment.Role.choices)
    steps = list(steps)
    groups = ApprovalGroup.objects.in_bulk(
        {pk for step in steps for pk in step.approval_groups}
    )
    for step in steps:
        names = [str(groups.get(pk, pk)) for pk in step.approval_groups]
        step.by = ", ".join(names or [str(roles[role]) for role in step.roles])
    related = ("contact", "right_of", "staff", "step")
    decisions = purchase.decisions.select_related(*related)
    return {
        "steps": steps,
        "decisions": decisions.order_by("pk"),
        "now": services.approvers_of(purchase),
    }


def timeline_of(request: HttpRequest, purchase: PurchaseRequest) -> dict[str, Any]:
    """What happened, who did it, and how money moved on limits."""

    def readable(amount: Decimal | None) -> str:
        return "" if amount is None else grouped(amount, purchase.currency)

    entries = list(purchase.history.select_related("on_behalf_of").order_by("pk"))
    acted = {entry.actor: contact_of(entry.actor) for entry in entries}
    people = Contact.objects.in_bulk(set(acted.values()) - {None})
    movements = seen(request, purchase.ledger.select_related("limit__company"))
    moved = list(movements.order_by("pk"))
    for entry in entries:
        entry.who = people.get(acted[entry.actor], entry.actor)
    for entry in entries + moved:
        entry.shown_amount = readable(entry.amount)
    for entry in moved:
        entry.shown_used = readable(entry.used_before)
        entry.shown_reserved = readable(entry.reserved_before)
    return {"entries": entries, "movements": moved, "purchase": purchase}


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
