"""The seller's staff take a request out of the hands of the customer's approvers."""

from django.contrib.auth import get_user_model
from django.utils import timezone

from approvals.errors import NotEligible
from approvals.locks import in_locked_hierarchy
from approvals.models import PurchaseRequest
from approvals.situation import lock_path
from config.actors import Actor

from .status import Change, Status, lock_request, set_status


@in_locked_hierarchy
def take_over_request(
    request: PurchaseRequest, *, actor: Actor, expected_version: int, reason: str
) -> PurchaseRequest:
    """From now on the seller's staff may decide the open step, as if it were theirs.

    A step of its own in the history, with the reason; who decides then is recorded as
    always. The approvers keep their right until somebody has decided. Nobody is made
    the judge of their own request: staff with the requester's e-mail stay refused.
    Raises RequestNotPending, StaleVersion, NotEligible.
    """
    lock_path(request.company_id)
    request = lock_request(request, Status.PENDING, expected_version)
    user = get_user_model().objects.filter(pk=actor.staff_id, is_active=True).first()
    if user is None or not user.has_perm("approvals.take_over_purchaserequest"):
        raise NotEligible(request=request.pk)
    set_status(
        request,
        Status.PENDING,
        Change.TAKEN,
        actor,
        reason,
        taken_over_at=timezone.now(),
    )
    return request
