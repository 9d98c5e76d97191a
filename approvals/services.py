"""Checks, submits and decides: every change of a request's status happens here."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from companies.models import Company, Contact, Location
from config.actors import Actor
from config.db import is_unique_violation, locked
from config.errors import StaleVersion
from config.money import Money
from config.request_id import current_request_id
from config.text import clean_text
from integrations.services import record_event

from .errors import (
    AlreadyDecided,
    CompanyNotActive,
    NotEligible,
    NotRequester,
    OpenRequestExists,
    RequestNotPending,
    SelfApproval,
)
from .models import ApprovalStep, Decision, PurchaseRequest, RequestHistory
from .rules import (
    ACTIVE,
    Outcome,
    Path,
    Purchase,
    Step,
    Through,
    decide,
    with_approvers,
)
from .rules import Decision as Answer
from .situation import (
    in_locked_hierarchy,
    lock_path,
    lock_person,
    read_path,
    read_people,
    read_situation,
)
from .snapshot import hash_of, make_snapshot

Status = PurchaseRequest.Status
Change = RequestHistory.Change
Verdict = Decision.Verdict
STAFF = Through(kind="staff", id=0, company=0, company_name="")


def check_purchase(
    *, company: Company | int, requester: Contact, money: Money
) -> Answer:
    """May this person buy this, and if somebody has to agree, who could? No effects."""
    return _answer(read_path(_pk(company)), requester, money)


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

    A blocked purchase is an answer, not an error: nothing is stored. What needs nobody
    is approved at once. Raises ValidationError, OpenRequestExists.
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
    request.clean_fields(exclude=["company", "requester", "snapshot", "snapshot_hash"])
    request.clean()
    _refuse_nothing(money)
    places = {
        "billing_location": billing_location and _pk(billing_location),
        "shipping_location": shipping_location and _pk(shipping_location),
    }
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
    request: PurchaseRequest, places: dict[str, int | None], *, actor: Actor
) -> tuple[Answer, PurchaseRequest | None]:
    path = lock_path(request.company_id)
    person = lock_person(request.requester_id)
    answer = _answer(path, person, request.money)
    if answer.outcome == Outcome.BLOCKED:
        return answer, None
    _set_locations(request, places)
    request.pk, now = None, timezone.now()
    request.submitted_at = now
    request.snapshot = make_snapshot(request, path, answer)
    request.snapshot_hash = hash_of(request.snapshot)
    if answer.outcome == Outcome.ALLOWED:
        request.status, request.decided_at = Status.APPROVED, now
        request.expires_at = now + timedelta(days=settings.PURCHASE_APPROVED_DAYS)
    else:
        request.expires_at = now + timedelta(days=settings.PURCHASE_PENDING_DAYS)
    request.save(force_insert=True)
    ApprovalStep.objects.bulk_create(
        ApprovalStep(
            request=request,
            position=step.position,
            quorum=step.quorum,
            company_id=step.company,
            approval_groups=list(step.approval_groups),
            roles=list(step.roles),
        )
        for step in answer.steps
    )
    _tell(request, Change.SUBMITTED, actor)
    return answer, request


def approve_request(
    request: PurchaseRequest, *, actor: Actor, expected_version: int, comment: str = ""
) -> PurchaseRequest:
    """Agree, as the contact for whom the actor acts, or as the seller's staff.

    The last agreement that is needed approves the request. Raises RequestNotPending,
    StaleVersion, CompanyNotActive, SelfApproval, NotEligible, AlreadyDecided.
    """
    return _decide(request, Verdict.APPROVE, actor, expected_version, comment)


def decline_request(
    request: PurchaseRequest, *, actor: Actor, expected_version: int, comment: str = ""
) -> PurchaseRequest:
    """Decline; one is enough to end the request. Raises what approving raises."""
    return _decide(request, Verdict.DECLINE, actor, expected_version, comment)


@transaction.atomic
def withdraw_request(
    request: PurchaseRequest, *, actor: Actor, expected_version: int, comment: str = ""
) -> PurchaseRequest:
    """Take a request back, as the person who made it; also while on hold.

    Raises RequestNotPending, StaleVersion, NotRequester.
    """
    request = _lock_pending(request, expected_version)
    if actor.contact_id != request.requester_id:
        raise NotRequester(request=request.pk)
    _lock_person(actor.contact_id)
    _set_status(request, Status.WITHDRAWN, Change.WITHDRAWN, actor, comment)
    return request


def approvers_of(request: PurchaseRequest) -> Step | None:
    """The open step with those who can decide now; None if nothing is open."""
    if not request.is_pending:
        return None
    return _open_step(request, read_path(request.company_id))[1]


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


@in_locked_hierarchy
def _decide(
    request: PurchaseRequest,
    verdict: Decision.Verdict,
    actor: Actor,
    expected_version: int,
    comment: str,
) -> PurchaseRequest:
    path = lock_path(request.company_id)
    request = _lock_pending(request, expected_version)
    if any(company.status != ACTIVE for company in path):
        raise CompanyNotActive(company=request.company_id)
    step, through = _right_to_decide(request, path, actor)
    Decision.objects.create(
        request=request,
        step=step,
        verdict=verdict,
        contact_id=actor.contact_id,
        staff_id=actor.staff_id,
        actor=str(actor),
        through=_frozen(through),
        request_version=request.version,
        comment=clean_text(comment),
        decided_at=timezone.now(),
    )
    if verdict == Verdict.DECLINE:
        status, change = Status.DECLINED, Change.DECLINED
    elif _open_approval_step(request) is None:
        status, change = Status.APPROVED, Change.APPROVED
    else:
        status, change = Status.PENDING, Change.AGREED
    _set_status(request, status, change, actor, comment)
    return request


def _right_to_decide(
    request: PurchaseRequest, path: Path, actor: Actor
) -> tuple[ApprovalStep, Through]:
    """Through what the actor may decide now, read under the locks that end rights."""
    if actor.contact_id is not None:
        if actor.contact_id == request.requester_id:
            raise SelfApproval(request=request.pk)
        _lock_person(actor.contact_id)
        if request.decisions.filter(contact=actor.contact_id).exists():
            raise AlreadyDecided(request=request.pk)
        step, step_now = _open_step(request, path)
        for approver in step_now.approvers:
            if approver.person.id == actor.contact_id:
                return step, approver.through
    elif actor.staff_id is not None:
        _check_staff(request, actor.staff_id)
        step, step_now = _open_step(request, path)
        if step_now.staff:
            return step, STAFF
    raise NotEligible(request=request.pk)


def _check_staff(request: PurchaseRequest, staff_id: int) -> None:
    """Staff in office who may decide, and who are not the requester themselves."""
    user = get_user_model().objects.filter(pk=staff_id, is_active=True).first()
    if user is None or not user.has_perm("approvals.decide_purchaserequest"):
        raise NotEligible(request=request.pk)
    if Contact.objects.with_email(user.email).filter(pk=request.requester_id).exists():
        raise SelfApproval(request=request.pk)
    if request.decisions.filter(staff=staff_id).exists():
        raise AlreadyDecided(request=request.pk)


def _open_step(request: PurchaseRequest, path: Path) -> tuple[ApprovalStep, Step]:
    """The step that is open, and who could decide in it now."""
    step = _open_approval_step(request)
    decided = set(request.decisions.values_list("contact", flat=True))
    people = read_people(path, step.roles)
    plan = Step(
        position=step.position,
        quorum=step.quorum,
        company=step.company_id,
        approval_groups=tuple(step.approval_groups),
        roles=tuple(step.roles),
    )
    return step, with_approvers(
        plan,
        path,
        people.holdings,
        people.memberships,
        without={request.requester_id, *decided},
        missing=step.quorum - step.agreed,
    )


def _open_approval_step(request: PurchaseRequest) -> ApprovalStep | None:
    """The first step in which too few have agreed, annotated with how many have."""
    return request.steps.open().order_by("position").first()


def _answer(path: Path, requester: Contact, money: Money) -> Answer:
    """The rules' answer, with the people who could act in each step."""
    situation = read_situation(path, requester)
    answer = decide(Purchase(amount=money.amount, currency=money.currency), situation)
    if not answer.steps:
        return answer
    people = read_people(path, {role for step in answer.steps for role in step.roles})
    return answer.naming(
        with_approvers(
            step, path, people.holdings, people.memberships, without={requester.pk}
        )
        for step in answer.steps
    )


def _lock_pending(request: PurchaseRequest, expected_version: int) -> PurchaseRequest:
    """The request, read again under its lock: of two deciders one comes second."""
    request = locked(PurchaseRequest.objects.filter(pk=request.pk)).get()
    if not request.is_pending:
        raise RequestNotPending(request=request.pk, status=request.status)
    if request.version != expected_version:
        raise StaleVersion(version=request.version)
    return request


def _lock_person(contact: int) -> None:
    """Whoever ends a right of a person locks the person's row: they wait for us."""
    if not lock_person(contact).is_active:
        raise NotEligible(contact=contact)


def _set_status(
    request: PurchaseRequest,
    status: str,
    change: str,
    actor: Actor,
    comment: str = "",
) -> None:
    """The only writer of `status`: state, history and event belong together."""
    now = timezone.now()
    values: dict[str, Any] = {"status": status, "updated_at": now}
    if status != Status.PENDING:
        values["decided_at"] = now
    if status == Status.APPROVED:
        values["expires_at"] = now + timedelta(days=settings.PURCHASE_APPROVED_DAYS)
    if not _as_read(request).update(version=F("version") + 1, **values):
        raise RequestNotPending(request=request.pk)
    request.version += 1
    for name, value in values.items():
        setattr(request, name, value)
    _tell(request, change, actor, comment)


def _as_read(request: PurchaseRequest) -> QuerySet[PurchaseRequest]:
    """The row, if it still is what was decided on."""
    return PurchaseRequest.objects.filter(
        pk=request.pk, status=request.status, version=request.version
    )


def _tell(
    request: PurchaseRequest, change: str, actor: Actor, comment: str = ""
) -> None:
    RequestHistory.objects.create(
        request=request,
        change=change,
        status=request.status,
        version=request.version,
        actor=str(actor),
        comment=clean_text(comment),
        call_id=current_request_id(),
        at=timezone.now(),
    )
    # What needs nobody is approved with its submit: one change, one event.
    by_policy = change == Change.SUBMITTED and request.status == Status.APPROVED
    told = Change.APPROVED if by_policy else change
    record_event(
        f"purchase_request.{told.lower()}", request, company_id=request.company_id
    )


def _set_locations(request: PurchaseRequest, places: dict[str, int | None]) -> None:
    """Where it goes: active places of the company, or shared from above, for that use.

    Raises ValidationError `location_not_usable` at the field.
    """
    asked = {pk for pk in places.values() if pk is not None}
    if not asked:
        return
    usable = Location.objects.usable_by(request.company_id).filter(is_active=True)
    found = {location.pk: location for location in usable.filter(pk__in=asked)}
    use = {"billing_location": "is_billing", "shipping_location": "is_shipping"}
    errors = {}
    for name, pk in places.items():
        location = found.get(pk)
        if pk is not None and not getattr(location, use[name], False):
            errors[name] = ValidationError(
                _("Not an active location of the company for this use."),
                code="location_not_usable",
            )
        setattr(request, name, location)
    if errors:
        raise ValidationError(errors)


def _refuse_nothing(money: Money) -> None:
    if money.amount == 0:
        raise ValidationError(
            {
                "money": ValidationError(
                    _("The amount must be more than 0."), code="amount_not_positive"
                )
            }
        )


def _frozen(through: Through) -> dict[str, Any]:
    return {
        "kind": through.kind,
        "id": through.id,
        "company": through.company,
        "text": str(through),
    }


def _pk(row: Any) -> int:
    return getattr(row, "pk", row)
