"""Approve and decline: by whoever may at that moment, once, on the version they saw."""

from collections.abc import Collection
from typing import Any

from django.contrib.auth import get_user_model
from django.utils import timezone

from approvals import ledger
from approvals.errors import (
    AlreadyDecided,
    CompanyNotActive,
    NotEligible,
    Overtaken,
    SelfApproval,
)
from approvals.locks import in_locked_hierarchy
from approvals.models import ApprovalStep, Decision, PurchaseRequest
from approvals.rules import (
    ACTIVE,
    Approver,
    Path,
    Person,
    Through,
)
from approvals.situation import (
    lock_decider,
    lock_path,
)
from approvals.waiting import open_step
from companies.models import Contact
from companies.models.contact import email_key
from config.actors import Actor
from config.text import clean_text

from .status import Change, Status, lock_request, set_status

Verdict = Decision.Verdict
STAFF = Through(kind="staff", id=0, company=0, company_name="")


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


@in_locked_hierarchy
def _decide(
    request: PurchaseRequest,
    verdict: Decision.Verdict,
    actor: Actor,
    expected_version: int,
    comment: str,
) -> PurchaseRequest:
    path = lock_path(request.company_id)
    request = lock_request(request, Status.PENDING, expected_version)
    if any(company.status != ACTIVE for company in path):
        raise CompanyNotActive(company=request.company_id)
    step, approver = _right_to_decide(request, path, actor)
    by_contact = actor.contact_id is not None
    Decision.objects.create(
        request=request,
        step=step,
        round=request.round,
        verdict=verdict,
        contact_id=actor.contact_id,
        right_of_id=approver.right_of if by_contact else None,
        staff_id=actor.staff_id,
        actor=str(actor),
        through=_frozen(approver.through),
        request_version=request.version,
        comment=clean_text(comment),
        decided_at=timezone.now(),
    )
    if verdict == Verdict.DECLINE:
        status, change = Status.DECLINED, Change.DECLINED
        ledger.release(request, actor=actor)
    elif _open_approval_step(request) is None:
        status, change = Status.APPROVED, Change.APPROVED
    else:
        status, change = Status.PENDING, Change.AGREED
    instead_of = approver.through.instead_of
    set_status(
        request,
        status,
        change,
        actor,
        comment,
        on_behalf_of=instead_of.id if instead_of else None,
        **_begun_anew(request, step, change),
    )
    return request


def _begun_anew(
    request: PurchaseRequest, step: ApprovalStep, change: str
) -> dict[str, Any]:
    """The next step's people are reminded in their own time."""
    if change == Change.AGREED and _open_approval_step(request) != step:
        return {"reminded_at": None, "escalated_at": None, "taken_over_at": None}
    return {}


def _right_to_decide(
    request: PurchaseRequest, path: Path, actor: Actor
) -> tuple[ApprovalStep, Approver]:
    """By which right the actor may decide now, read under the locks that end rights."""
    if actor.contact_id is not None:
        if actor.contact_id == request.requester_id:
            _refuse_self_approval(request, path)
        people = lock_decider(actor.contact_id, path)
        person = people[actor.contact_id]
        if not person.is_active:
            raise NotEligible(contact=actor.contact_id)
        _refuse_second_time(request, {person.pk}, person.email)
        step = open_step(request, path)
        for approver in step.now.approvers:
            if approver.person.id == actor.contact_id:
                if approver.right_of not in people:  # named since we looked
                    raise Overtaken
                return step.stored, approver
    elif actor.staff_id is not None:
        _check_staff(request, path, actor.staff_id)
        step = open_step(request, path)
        if step.now.staff:
            return step.stored, Approver(person=Person(id=0), through=STAFF)
    raise NotEligible(request=request.pk)


def _check_staff(request: PurchaseRequest, path: Path, staff_id: int) -> None:
    """Staff in office who may decide, and who as a contact are not out of it."""
    user = get_user_model().objects.filter(pk=staff_id, is_active=True).first()
    if user is None or not user.has_perm("approvals.decide_purchaserequest"):
        raise NotEligible(request=request.pk)
    same = Contact.objects.with_email(user.email).values_list("pk", flat=True)
    contacts = set(same)
    if request.requester_id in contacts:
        _refuse_self_approval(request, path)
    _refuse_second_time(request, contacts, user.email, staff_id)


def _refuse_self_approval(request: PurchaseRequest, path: Path) -> None:
    if not path[-1].allows_self_approval:
        raise SelfApproval(request=request.pk)


def _refuse_second_time(
    request: PurchaseRequest,
    contacts: Collection[int],
    email: str,
    staff_id: int | None = None,
) -> None:
    """Once in a round, be it as a contact or as staff with the e-mail of a contact."""
    key = email_key(email)
    decisions = request.decisions.filter(round=request.round)
    for decision in decisions.select_related("staff"):
        staff = decision.staff
        as_contact = decision.contact_id in contacts
        by_email = staff and key and email_key(staff.email) == key
        if as_contact or by_email or (staff and staff.pk == staff_id):
            raise AlreadyDecided(request=request.pk)


def _open_approval_step(request: PurchaseRequest) -> ApprovalStep | None:
    """The first step in which too few have agreed, annotated with how many have."""
    steps = request.steps.filter(round=request.round)
    return steps.open().order_by("position").first()


def _frozen(through: Through) -> dict[str, Any]:
    instead_of = through.instead_of
    return {
        "kind": through.kind,
        "id": through.id,
        "company": through.company,
        "text": str(through),
        "instead_of": instead_of.id if instead_of else None,
    }
