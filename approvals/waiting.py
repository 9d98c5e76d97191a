"""Who could decide on requests now: on one, or on all that wait somewhere."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .models import ApprovalStep, Decision, PurchaseRequest
from .rules import Path, People, Purchase, Step, with_approvers
from .situation import (
    out_of_the_decision,
    read_path,
    read_paths,
    read_people,
    read_people_of,
)


@dataclass(frozen=True, slots=True)
class OpenStep:
    """The step of a request that is open, and who could decide in it now."""

    stored: ApprovalStep
    now: Step

    @property
    def deciders(self) -> set[int]:
        """The contacts who could; the seller's staff, who always could, not."""
        return {approver.person.id for approver in self.now.approvers}


def approvers_of(request: PurchaseRequest) -> Step | None:
    """The open step with those who can decide now; None if nothing is open."""
    if not request.is_pending:
        return None
    return open_step(request, read_path(request.company_id)).now


def open_step(request: PurchaseRequest, path: Path) -> OpenStep:
    """The open step of a pending request."""
    return _open_step(
        request,
        path,
        read_people(path),
        request.steps.filter(round=request.round).with_agreed().order_by("position"),
        request.decisions.filter(round=request.round),
    )


def open_steps(requests: Iterable[PurchaseRequest]) -> dict[int, OpenStep]:
    """The open steps of many pending requests, by the requests' ids.

    At most six queries, however many requests and companies.
    """
    requests = list(requests)
    steps = _by_request(ApprovalStep.objects.with_agreed(), requests, "position")
    decisions = _by_request(Decision.objects, requests, "pk")
    places = read_paths(sorted({request.company_id for request in requests}))
    people = read_people_of(places)
    return {
        request.pk: _open_step(
            request,
            places[request.company_id],
            people[request.company_id],
            [step for step in steps[request.pk] if step.round == request.round],
            [one for one in decisions[request.pk] if one.round == request.round],
        )
        for request in requests
    }


def _by_request[R: (ApprovalStep, Decision)](
    rows: object, requests: Iterable[PurchaseRequest], order: str
) -> Mapping[int, list[R]]:
    found: dict[int, list[R]] = defaultdict(list)
    for row in rows.filter(request__in=requests).order_by(order):  # type: ignore[attr-defined]
        found[row.request_id].append(row)
    return found


def _open_step(
    request: PurchaseRequest,
    path: Path,
    people: People,
    steps: Iterable[ApprovalStep],
    decisions: Iterable[Decision],
) -> OpenStep:
    stored = next(step for step in steps if step.agreed < step.quorum)
    heard = {
        pk
        for decision in decisions
        for pk in (decision.contact_id, decision.right_of_id)
        if pk is not None
    }
    purchase = Purchase(
        amount=request.amount, currency=request.currency, kind=request.kind
    )
    plan = Step(
        position=stored.position,
        quorum=stored.quorum,
        company=stored.company_id,
        approval_groups=tuple(stored.approval_groups),
        roles=tuple(stored.roles),
        rules=_rules_of(request, stored),
    )
    now = with_approvers(
        plan,
        path,
        people.able_to_decide(purchase),
        without=out_of_the_decision(path, request.requester_id, heard),
        missing=stored.quorum - stored.agreed,
        escalated=request.escalated_at is not None,
        taken_over=request.taken_over_at is not None,
    )
    return OpenStep(stored, now)


def _rules_of(request: PurchaseRequest, stored: ApprovalStep) -> tuple[int, ...]:
    """The rules that asked for the step, by what was frozen."""
    for step in request.snapshot["decision"]["steps"]:
        if step["position"] == stored.position:
            return tuple(step["rules"])
    return ()
