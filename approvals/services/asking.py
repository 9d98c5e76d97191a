"""May this person buy this? Ask, submit, and change what was submitted."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from approvals import ledger
from approvals.errors import NotRequester, OpenRequestExists
from approvals.locks import in_locked_hierarchy
from approvals.models import ApprovalStep, LedgerEntry, PurchaseRequest
from approvals.rules import Decision as Answer
from approvals.rules import (
    Outcome,
    Path,
    Purchase,
    Situation,
    decide,
    with_approvers,
)
from approvals.situation import (
    lock_path,
    lock_person,
    out_of_the_decision,
    read_path,
    read_people,
    read_situation,
)
from approvals.snapshot import addresses, hash_of, make_snapshot
from companies.models import Company, Contact, Location
from config.actors import Actor
from config.db import is_unique_violation
from config.errors import StaleVersion
from config.money import AMOUNT, Money, check_digits, check_minor_units
from config.text import clean_text

from .status import Change, Status, as_read, expiry_of, lock_request, tell

USES = {"billing_location": "is_billing", "shipping_location": "is_shipping"}


def check_purchase(
    *,
    company: Company | int,
    requester: Contact,
    money: Money,
    kind: str = PurchaseRequest.Kind.CART,
    at: datetime | None = None,
) -> Answer:
    """May this person buy this, and if somebody has to agree, who could? No effects.

    `at`: what the answer would be at that moment, by the assignments, limits and use
    that are known now.
    """
    purchase = Purchase(amount=money.amount, currency=money.currency, kind=kind)
    return _answer(read_path(_pk(company)), requester, purchase, at=at)


def submit_request(
    *,
    company: Company | int,
    requester: Contact | int,
    kind: str,
    reference: str,
    money: Money,
    actor: Actor,
    items: Sequence[dict[str, str]] = (),
    billing_location: Location | int | None = None,
    shipping_location: Location | int | None = None,
    note: str = "",
) -> tuple[Answer, PurchaseRequest | None]:
    """Ask for a purchase: the same check again, then the request, frozen.

    Holds the amount on every limit concerned, in the same transaction. A blocked
    purchase is an answer, not an error: nothing is stored. What needs nobody is
    approved at once. Raises ValidationError, OpenRequestExists.
    """
    request = PurchaseRequest(
        company_id=_pk(company),
        requester_id=_pk(requester),
        kind=kind,
        reference=reference,
        amount=money.amount,
        currency=money.currency,
        items=list(items),
        note=clean_text(note),
    )
    refuse_other_currency(request, money)
    _check_fields(request)
    places = _places(billing_location, shipping_location)
    try:
        return _submit(request, places, actor=actor)
    except IntegrityError as error:
        if not is_unique_violation(error):
            raise
        first = PurchaseRequest.objects.open().filter(
            company=request.company_id, kind=kind, reference=request.reference
        )
        raise OpenRequestExists(
            request=first.values_list("pk", flat=True).first()
        ) from error


@in_locked_hierarchy
def _submit(
    request: PurchaseRequest, places: Mapping[str, int | None], *, actor: Actor
) -> tuple[Answer, PurchaseRequest | None]:
    path = lock_path(request.company_id)
    person = lock_person(request.requester_id)
    answer = _answer(path, person, _purchase(request))
    if answer.outcome == Outcome.BLOCKED:
        return answer, None
    _set_locations(request, places)
    request.pk = None
    _freeze(request, path, answer)
    request.submitted_at = request.updated_at
    request.save(force_insert=True)
    _store_steps(request, answer)
    alerts = ledger.reserve(request, answer.limits, actor=actor)
    tell(
        request,
        Change.SUBMITTED,
        actor,
        amount=request.amount,
        alerts=alerts,
        step=answer.steps[0] if answer.steps else None,
    )
    return answer, request


def change_request(
    request: PurchaseRequest,
    *,
    money: Money,
    actor: Actor,
    expected_version: int,
    items: Sequence[dict[str, str]] = (),
    billing_location: Location | int | None = None,
    shipping_location: Location | int | None = None,
    note: str = "",
    comment: str = "",
) -> tuple[Answer, PurchaseRequest | None]:
    """Let the requester replace what a pending request asks for, as its next revision.

    Checked as if it were new. A smaller amount for nothing else than before keeps its
    steps and approvals; anything more, or other things, needs new ones. If it is
    blocked nothing changes, and the answer says why. Raises RequestNotPending,
    StaleVersion, NotRequester, ValidationError.
    """
    changed = PurchaseRequest.objects.get(pk=request.pk)
    refuse_other_currency(changed, money)
    changed.amount, changed.items = money.amount, list(items)
    changed.note = clean_text(note)
    _check_fields(changed)
    places = _places(billing_location, shipping_location)
    return _change(changed, places, expected_version, actor=actor, comment=comment)


@in_locked_hierarchy
def _change(
    changed: PurchaseRequest,
    places: Mapping[str, int | None],
    expected_version: int,
    *,
    actor: Actor,
    comment: str,
) -> tuple[Answer, PurchaseRequest | None]:
    path = lock_path(changed.company_id)
    stored = lock_request(changed, Status.PENDING, expected_version)
    if actor.contact_id != stored.requester_id:
        raise NotRequester(request=stored.pk)
    person = lock_person(stored.requester_id)
    _set_locations(changed, places)
    changed.revision, changed.round = stored.revision + 1, stored.round
    held = ledger.held(stored)
    answer = _answer(path, person, _purchase(changed), without=held)
    if answer.outcome == Outcome.BLOCKED:
        return answer, None
    keeps = is_less_of_the_same(stored, changed)
    changed.round += not keeps
    _freeze(changed, path, answer)
    if keeps and changed.is_pending:
        changed.snapshot["decision"]["steps"] = stored.snapshot["decision"]["steps"]
        changed.snapshot_hash = hash_of(changed.snapshot)
    _store_revision(stored, changed)
    alerts = []
    if keeps:
        ledger.hold_less(stored, changed, actor=actor)
    else:
        _store_steps(changed, answer)
        alerts = ledger.hold_anew(stored, changed, answer.limits, actor=actor)
    tell(
        changed,
        Change.CHANGED,
        actor,
        comment,
        amount=changed.amount,
        replaced=stored.snapshot,
        alerts=alerts,
        step=answer.steps[0] if answer.steps and not keeps else None,
    )
    return answer, changed


def refuse_other_currency(request: PurchaseRequest, money: Money) -> None:
    """Amounts of a request are in its currency, and more than 0.

    With no more decimals and digits than amounts have. Else ValidationError.
    """
    code, text = "", None
    if money.currency != request.currency:
        code, text = "other_currency", _("Not the currency of the request.")
    elif money.amount <= 0:
        code, text = "amount_not_positive", _("The amount must be more than 0.")
    if text is not None:
        raise ValidationError({"money": ValidationError(text, code=code)})
    try:  # not every caller has parsed a text
        check_minor_units(money.amount, money.currency)
        check_digits(money.amount)
    except ValidationError as error:
        raise ValidationError({"money": error}) from error


def is_less_of_the_same(before: PurchaseRequest, after: PurchaseRequest) -> bool:
    """Whether a change asks for nothing that was not asked for before.

    No more money in all; each line, known by number and name, was there, and there is
    no more of it for no more money; it goes to the same addresses as were frozen.
    """
    frozen = before.snapshot
    if any(frozen[name] != place for name, place in addresses(after).items()):
        return False
    if after.amount > before.amount:
        return False
    if after.items == before.items:
        return True
    known = {_line(item): item for item in before.items}
    lines = {_line(item): item for item in after.items}
    if len(known) < len(before.items) or len(lines) < len(after.items):
        return False  # a line that is there twice is not known by its name
    return bool(lines) and all(
        line in known and _is_no_more(item, known[line]) for line, item in lines.items()
    )


def _line(item: Mapping[str, str]) -> tuple[str, str]:
    return item.get("sku", ""), item["name"]


def _is_no_more(item: Mapping[str, str], before: Mapping[str, str]) -> bool:
    """Quantities that are not plain numbers have to be the same."""
    if Decimal(item["amount"]) > Decimal(before["amount"]):
        return False
    now, was = item.get("quantity", ""), before.get("quantity", "")
    if now == was:
        return True
    numbers = AMOUNT.fullmatch(now) and AMOUNT.fullmatch(was)
    return bool(numbers) and Decimal(now) <= Decimal(was)


def _freeze(request: PurchaseRequest, path: Path, answer: Answer) -> None:
    """The status that the answer gives, and the snapshot under its hash."""
    now = request.updated_at = timezone.now()
    allowed = answer.outcome == Outcome.ALLOWED
    request.status = Status.APPROVED if allowed else Status.PENDING
    request.decided_at = now if allowed else None
    request.expires_at = expiry_of(request.status, now)
    request.reminded_at = request.escalated_at = request.taken_over_at = None
    request.snapshot = make_snapshot(request, path, answer)
    request.snapshot_hash = hash_of(request.snapshot)


def _store_steps(request: PurchaseRequest, answer: Answer) -> None:
    ApprovalStep.objects.bulk_create(
        ApprovalStep(
            request=request,
            round=request.round,
            position=step.position,
            quorum=step.quorum,
            company_id=step.company,
            approval_groups=list(step.approval_groups),
            roles=list(step.roles),
        )
        for step in answer.steps
    )


def _store_revision(stored: PurchaseRequest, changed: PurchaseRequest) -> None:
    """Write all of the next revision, if the row still is what was read."""
    names = (
        "amount items note billing_location_id shipping_location_id revision round "
        "snapshot snapshot_hash status decided_at expires_at reminded_at escalated_at "
        "taken_over_at updated_at"
    )
    values = {name: getattr(changed, name) for name in names.split()}
    if not as_read(stored).update(version=F("version") + 1, **values):
        raise StaleVersion(version=stored.version)
    changed.version = stored.version + 1


def _answer(
    path: Path,
    requester: Contact,
    purchase: Purchase,
    *,
    at: datetime | None = None,
    without: Sequence[LedgerEntry] = (),
) -> Answer:
    """The rules' answer, with the people who could act in each step.

    `without`: reservations that would be given back first.
    """
    situation = read_situation(path, requester, at=at)
    if without:
        limits = ledger.without(situation.limits, without)
        situation = replace(situation, limits=limits)
    return answer_in(situation, purchase, at=at)


def answer_in(
    situation: Situation, purchase: Purchase, *, at: datetime | None = None
) -> Answer:
    """The rules' answer in this situation, with the people who could act."""
    answer = decide(purchase, situation)
    if not answer.steps:
        return answer
    path, day = situation.path, timezone.localdate(at) if at else None
    people = read_people(path, day=day, holdings=situation.holdings)
    people = people.able_to_decide(purchase)
    out = out_of_the_decision(path, situation.person.id)
    return answer.naming(
        with_approvers(step, path, people, without=out) for step in answer.steps
    )


def _purchase(request: PurchaseRequest) -> Purchase:
    return Purchase(amount=request.amount, currency=request.currency, kind=request.kind)


def _check_fields(request: PurchaseRequest) -> None:
    request.clean_fields(exclude=["company", "requester", "snapshot", "snapshot_hash"])
    request.clean()


def _places(billing: Any, shipping: Any) -> dict[str, int | None]:
    return {
        "billing_location": billing and _pk(billing),
        "shipping_location": shipping and _pk(shipping),
    }


def _set_locations(request: PurchaseRequest, places: Mapping[str, int | None]) -> None:
    """Where it goes: active places of the company, or shared from above, for that use.

    Raises ValidationError `location_not_usable` at the field.
    """
    asked = {pk for pk in places.values() if pk is not None}
    found = {}
    if asked:
        usable = Location.objects.usable_by(request.company_id).filter(is_active=True)
        found = {location.pk: location for location in usable.filter(pk__in=asked)}
    errors = {}
    for name, pk in places.items():
        location = found.get(pk)
        if pk is not None and not getattr(location, USES[name], False):
            errors[name] = ValidationError(
                _("Not an active location of the company for this use."),
                code="location_not_usable",
            )
        setattr(request, name, location)
    if errors:
        raise ValidationError(errors)


def _pk(row: Any) -> int:
    return getattr(row, "pk", row)
