"""Of a request on which nobody decides people are reminded, then others are asked."""

from django.db import transaction
from django.utils import timezone

from approvals.models import Notice, PurchaseRequest
from approvals.notices import write_notices
from approvals.rules import ACTIVE, Path
from approvals.situation import read_path
from approvals.waiting import open_step
from config.actors import Actor
from config.db import locked_if_free

from .status import Change, Status, as_read, set_status


@transaction.atomic
def remind_of_request(request: PurchaseRequest) -> bool:
    """Remind those who can decide, once per step; whether it was due.

    No change of the request: who has read it can still decide on what they read.
    """
    rows = PurchaseRequest.objects.to_remind().filter(pk=request.pk)
    found = locked_if_free(rows).first()
    if found is None:
        return False
    path = read_path(found.company_id)
    if _is_on_hold(path):
        return False
    as_read(found).update(reminded_at=timezone.now())
    write_notices(found, Notice.Kind.REMINDER, open_step(found, path).deciders)
    return True


@transaction.atomic
def escalate_request(request: PurchaseRequest, *, actor: Actor) -> bool:
    """Ask one company more than before, at the top the staff; whether it was due."""
    rows = PurchaseRequest.objects.to_escalate().filter(pk=request.pk)
    found = locked_if_free(rows).first()
    if found is None or _is_on_hold(read_path(found.company_id)):
        return False
    set_status(
        found,
        Status.PENDING,
        Change.ESCALATED,
        actor,
        escalated_at=timezone.now(),
    )
    return True


def _is_on_hold(path: Path) -> bool:
    """Nothing can be decided for the company now: to remind of it would be in vain."""
    return any(company.status != ACTIVE for company in path)
