"""What becomes of a request: withdrawn, ordered, cancelled, refunded, expired."""

from decimal import Decimal

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from approvals import ledger
from approvals.errors import (
    CompanyNotActive,
    MoreThanApproved,
    MoreThanOrdered,
    NotRequester,
)
from approvals.locks import in_locked_hierarchy
from approvals.models import Decision, PurchaseRequest, RequestHistory
from approvals.rules import ACTIVE
from approvals.situation import lock_path, lock_person
from companies.models import Contact
from config.actors import Actor
from config.db import in_transaction, locked_if_free
from config.money import Money

from .asking import refuse_other_currency
from .status import Change, Status, lock_request, set_status


@in_transaction
def withdraw_request(
    request: PurchaseRequest, *, actor: Actor, expected_version: int, comment: str = ""
) -> PurchaseRequest:
    """Take a request back, as the person who made it; also while on hold.

    Raises RequestNotPending, StaleVersion, NotRequester.
    """
    request = lock_request(request, Status.PENDING, expected_version)
    if actor.contact_id != request.requester_id:
        raise NotRequester(request=request.pk)
    if not lock_person(actor.contact_id).is_active:
        raise NotRequester(request=request.pk)
    ledger.release(request, actor=actor)
    set_status(request, Status.WITHDRAWN, Change.WITHDRAWN, actor, comment)
    return request


@in_locked_hierarchy
def order_request(
    request: PurchaseRequest,
    *,
    number: str,
    actor: Actor,
    expected_version: int,
    money: Money | None = None,
    comment: str = "",
) -> PurchaseRequest:
    """Note that the approved purchase was ordered, under the order's number.

    `money`: what was ordered, at most what was approved (default: all of it); the rest
    of the reservation is given back. Raises RequestNotApproved, StaleVersion,
    CompanyNotActive, MoreThanApproved, ValidationError.
    """
    path = lock_path(request.company_id)
    request = lock_request(request, Status.APPROVED, expected_version)
    if any(company.status != ACTIVE for company in path):
        raise CompanyNotActive(company=request.company_id)
    money = money or request.money
    refuse_other_currency(request, money)
    if money.amount > request.amount:
        raise MoreThanApproved(request=request.pk, approved=str(request.money))
    number = _cleaned_number(number, request)
    ledger.confirm(request, money.amount, actor=actor)
    set_status(
        request,
        Status.ORDERED,
        Change.ORDERED,
        actor,
        comment,
        amount=money.amount,
        order_number=number,
        ordered_amount=money.amount,
    )
    return request


def _cleaned_number(number: str, request: PurchaseRequest) -> str:
    try:
        number = PurchaseRequest._meta.get_field("order_number").clean(number, request)
        if not number:
            raise ValidationError(_("An order has a number."), code="blank")
    except ValidationError as error:
        raise ValidationError({"number": error}) from error
    return number


@in_transaction
def cancel_request(
    request: PurchaseRequest, *, actor: Actor, expected_version: int, comment: str = ""
) -> PurchaseRequest:
    """Give up an approved purchase that was not ordered; also while on hold.

    Raises RequestNotApproved, StaleVersion.
    """
    request = lock_request(request, Status.APPROVED, expected_version)
    ledger.release(request, actor=actor)
    set_status(request, Status.CANCELLED, Change.CANCELLED, actor, comment)
    return request


@in_transaction
def refund_request(
    request: PurchaseRequest,
    *,
    money: Money,
    actor: Actor,
    expected_version: int,
    comment: str = "",
) -> PurchaseRequest:
    """Give money of an order back to the limits, in one part or several.

    Raises RequestNotOrdered, StaleVersion, MoreThanOrdered, ValidationError.
    """
    request = lock_request(request, Status.ORDERED, expected_version)
    refuse_other_currency(request, money)
    refunded = request.refunded_amount + money.amount
    if refunded > (request.ordered_amount or Decimal(0)):
        raise MoreThanOrdered(request=request.pk, ordered=str(request.ordered_money))
    ledger.refund(request, money.amount, actor=actor)
    set_status(
        request,
        Status.ORDERED,
        Change.REFUNDED,
        actor,
        comment,
        amount=money.amount,
        refunded_amount=refunded,
    )
    return request


@in_transaction
def expire_request(request: PurchaseRequest, *, actor: Actor) -> bool:
    """End the request if its time has passed; whether it did. Safe at any time."""
    rows = PurchaseRequest.objects.overdue().filter(pk=request.pk)
    found = locked_if_free(rows).first()
    if found is None:
        return False
    ledger.release(found, actor=actor)
    set_status(found, Status.EXPIRED, Change.EXPIRED, actor)
    return True


def forget_texts_of(contact: Contact) -> None:
    """Empty what an erased person wrote; what they decided stays, under their id."""
    for rows, text in (
        (PurchaseRequest.objects.filter(requester=contact), "note"),
        (Decision.objects.filter(contact=contact), "comment"),
        (
            RequestHistory.objects.filter(actor__endswith=f"/contact:{contact.pk}"),
            "comment",
        ),
    ):
        rows.exclude(**{text: ""}).update(**{text: ""})
