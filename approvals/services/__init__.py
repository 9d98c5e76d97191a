"""Checks, submits, decides and ends purchases: all that changes a request is here."""

from approvals.waiting import approvers_of

from .asking import change_request, check_purchase, submit_request
from .deciding import approve_request, decline_request
from .ending import (
    cancel_request,
    expire_request,
    forget_texts_of,
    order_request,
    refund_request,
    withdraw_request,
)
from .reminding import escalate_request, remind_of_request
from .taking_over import take_over_request
from .trying import Trial, try_rule

__all__ = [
    "Trial",
    "approve_request",
    "approvers_of",
    "cancel_request",
    "change_request",
    "check_purchase",
    "decline_request",
    "escalate_request",
    "expire_request",
    "forget_texts_of",
    "order_request",
    "refund_request",
    "remind_of_request",
    "submit_request",
    "take_over_request",
    "try_rule",
    "withdraw_request",
]
