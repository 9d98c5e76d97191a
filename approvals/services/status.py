"""The one place where a request's status moves: state, history and event together."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db.models import F, QuerySet
from django.utils import timezone

from approvals import ledger
from approvals.errors import RequestNotApproved, RequestNotOrdered, RequestNotPending
from approvals.models import PurchaseLimit, PurchaseRequest, RequestHistory
from approvals.notices import notice_change
from approvals.rules import LimitState, Step
from config.actors import Actor
from config.db import locked
from config.errors import StaleVersion
from config.request_id import current_request_id
from config.text import clean_text
from integrations.services import record_event

Status = PurchaseRequest.Status
Change = RequestHistory.Change
NOT_IN = {
    Status.PENDING: RequestNotPending,
    Status.APPROVED: RequestNotApproved,
    Status.ORDERED: RequestNotOrdered,
}


def lock_request(
    request: PurchaseRequest, status: str, expected_version: int
) -> PurchaseRequest:
    """The request, read again under its lock: of two who move it one comes second.

    Raises StaleVersion, and RequestNotPending and the like if it has another status.
    """
    request = locked(PurchaseRequest.objects.filter(pk=request.pk)).get()
    if request.status != status:
        raise NOT_IN[Status(status)](request=request.pk, status=request.status)
    if request.version != expected_version:
        raise StaleVersion(version=request.version)
    return request


def expiry_of(status: str, now: datetime) -> datetime:
    """When a request that comes to this status now would expire."""
    pending = status == Status.PENDING
    days = (
        settings.PURCHASE_PENDING_DAYS if pending else settings.PURCHASE_APPROVED_DAYS
    )
    return now + timedelta(days=days)


def set_status(
    request: PurchaseRequest,
    status: str,
    change: str,
    actor: Actor,
    comment: str = "",
    *,
    on_behalf_of: int | None = None,
    amount: Decimal | None = None,
    **values: Any,
) -> None:
    """Write the status and what comes with it, if the row still is what was read."""
    now = timezone.now()
    values |= {"status": status, "updated_at": now}
    if request.status == Status.PENDING != status:
        values["decided_at"] = now
    if status == Status.APPROVED:
        values["expires_at"] = expiry_of(status, now)
    if not as_read(request).update(version=F("version") + 1, **values):
        raise NOT_IN[Status(request.status)](request=request.pk)
    request.version += 1
    for name, value in values.items():
        setattr(request, name, value)
    tell(request, change, actor, comment, on_behalf_of=on_behalf_of, amount=amount)


def as_read(request: PurchaseRequest) -> QuerySet[PurchaseRequest]:
    """The row, if it still is what was decided on."""
    return PurchaseRequest.objects.filter(
        pk=request.pk, status=request.status, version=request.version
    )


def tell(
    request: PurchaseRequest,
    change: str,
    actor: Actor,
    comment: str = "",
    *,
    on_behalf_of: int | None = None,
    amount: Decimal | None = None,
    replaced: dict[str, Any] | None = None,
    alerts: Iterable[LimitState] = (),
    step: Step | None = None,
) -> None:
    """Write the history, whom to tell, and the events.

    Last, as their counters are held until then. `step`: the open one with its people,
    where that is known.
    """
    RequestHistory.objects.create(
        request=request,
        change=change,
        status=request.status,
        version=request.version,
        actor=str(actor),
        on_behalf_of_id=on_behalf_of,
        amount=amount,
        replaced=replaced,
        comment=clean_text(comment),
        call_id=current_request_id(),
        at=timezone.now(),
    )
    # What needs nobody is approved with its submit: one change, one event.
    by_policy = change in (Change.SUBMITTED, Change.CHANGED)
    approved = by_policy and request.status == Status.APPROVED
    told = Change.APPROVED if approved else change
    notice_change(request, told, actor, step)
    events: list[tuple[int, str, Any]] = [
        (limit.company, ledger.ALERT, PurchaseLimit(pk=limit.id)) for limit in alerts
    ]
    name = f"purchase_request.{told.lower()}"
    events.append((request.company_id, name, request))
    for company, event, subject in sorted(events, key=lambda event: event[:2]):
        record_event(event, subject, company_id=company)
