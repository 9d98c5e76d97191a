"""Makes limits, groups, people in hierarchies and requests for tests."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from approvals import membership, rulebook, services, stand_ins
from approvals.models import (
    ApprovalGroup,
    ApprovalRule,
    PurchaseLimit,
    PurchaseRequest,
    StandIn,
)
from companies.models import Company, Contact
from config.actors import SYSTEM, Actor
from config.money import Money, plain
from tests.factories import make_assignment, make_company, make_contact, numbers


def euros(amount: str) -> Money:
    return Money(Decimal(amount), "EUR")


def make_limit(**fields: Any) -> PurchaseLimit:
    if "company" not in fields:
        fields["company"] = make_company()
    if not fields.get("unlimited"):
        fields["amount"] = Decimal(fields.get("amount", "1000"))
    return PurchaseLimit.objects.create(**{"currency": "EUR"} | fields)


def make_approval_group(
    *, company: Company, members: Iterable[Contact] = (), **fields: Any
) -> ApprovalGroup:
    number = next(numbers)
    return membership.create_approval_group(
        actor=SYSTEM,
        company=company,
        members=members,
        **{"name": f"Approvers {number}"} | fields,
    )


def make_rule(
    *, company: Company, steps: Iterable[Any] = ({"role": "ADMIN"},), **fields: Any
) -> ApprovalRule:
    """A rule; an admin has to agree if not said otherwise."""
    return rulebook.create_rule(
        actor=SYSTEM, company=company, steps=list(steps), **{"name": "Rule"} | fields
    )


def make_stand_in(
    *, company: Company, contact: Contact, stand_in: Contact, **fields: Any
) -> StandIn:
    """Somebody who stands in for a person from today for ten days."""
    today = timezone.localdate()
    dates = {"valid_from": today, "valid_until": today + timedelta(days=10)}
    return stand_ins.name_stand_in(
        company=company,
        contact=contact,
        stand_in=stand_in,
        actor=SYSTEM,
        **dates | fields,
    )


def person(company: Company, role: str = "", **fields: Any) -> Contact:
    """Somebody assigned to the company in that role."""
    contact = fields.pop("contact", None) or make_contact()
    return make_assignment(
        contact=contact, company=company, role=role, **fields
    ).contact


def acting(contact: Contact | int) -> Actor:
    return Actor.client(1, contact_id=getattr(contact, "pk", contact))


@dataclass
class World:
    """A head company with an admin, and a subsidiary with one person of each role."""

    head: Company
    sub: Company
    boss: Contact
    admin: Contact
    buyer: Contact
    requester: Contact


def make_world() -> World:
    head = make_company(name="Acme SE")
    sub = make_company(name="Acme Deutschland", parent=head)
    return World(
        head=head,
        sub=sub,
        boss=person(head, "ADMIN"),
        admin=person(sub, "ADMIN"),
        buyer=person(sub, "BUYER"),
        requester=person(sub, "REQUESTER"),
    )


def submit(
    company: Company, requester: Contact, amount: str = "100.00", **fields: Any
) -> PurchaseRequest:
    """A stored request; the purchase must not be blocked."""
    _answer, request = services.submit_request(
        **{
            "company": company,
            "requester": requester,
            "money": euros(amount),
            "kind": "CART",
            "reference": f"cart-{next(numbers)}",
            "actor": acting(requester),
        }
        | fields
    )
    assert request is not None
    return request


def counted(limit: PurchaseLimit) -> list[tuple[str, str, str]]:
    """What the limit has reserved and used, by the first day of the period."""
    return [
        (
            counter.period_start.isoformat(),
            plain(counter.reserved, limit.currency),
            plain(counter.used, limit.currency),
        )
        for counter in limit.counters.order_by("period_start", "period")
    ]


def entries(limit: PurchaseLimit) -> list[tuple[str, str]]:
    """The limit's ledger: what happened, and with how much."""
    return [
        (entry.kind, plain(entry.amount, limit.currency))
        for entry in limit.ledger.order_by("id")
    ]
