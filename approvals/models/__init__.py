"""What may be bought, who has to agree, and what was decided."""

from .groups import ApprovalGroup, ApprovalGroupMember, ApprovalGroupQuerySet
from .limits import PurchaseLimit, PurchaseLimitQuerySet
from .requests import (
    ApprovalStep,
    Decision,
    PurchaseRequest,
    PurchaseRequestQuerySet,
    RequestHistory,
)

__all__ = [
    "ApprovalGroup",
    "ApprovalGroupMember",
    "ApprovalGroupQuerySet",
    "ApprovalStep",
    "Decision",
    "PurchaseLimit",
    "PurchaseLimitQuerySet",
    "PurchaseRequest",
    "PurchaseRequestQuerySet",
    "RequestHistory",
]
