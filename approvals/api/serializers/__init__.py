"""Reads what the API is sent about purchases, and describes what it shows."""

from .decisions import (
    ApproversSerializer,
    BlockedSerializer,
    PurchaseDecisionSerializer,
)
from .limits import (
    ApprovalGroupSerializer,
    EffectiveLimitsSerializer,
    PurchaseLimitSerializer,
)
from .requests import (
    BriefRequestSerializer,
    ChangeSerializer,
    CommentSerializer,
    OrderSerializer,
    PurchaseCheckSerializer,
    PurchaseRequestSerializer,
    RefundSerializer,
    SubmitSerializer,
    VerdictSerializer,
)
from .rulebook import (
    ApprovalRuleSerializer,
    StandInSerializer,
)

__all__ = [
    "ApprovalGroupSerializer",
    "ApprovalRuleSerializer",
    "ApproversSerializer",
    "BlockedSerializer",
    "BriefRequestSerializer",
    "ChangeSerializer",
    "CommentSerializer",
    "EffectiveLimitsSerializer",
    "OrderSerializer",
    "PurchaseCheckSerializer",
    "PurchaseDecisionSerializer",
    "PurchaseLimitSerializer",
    "PurchaseRequestSerializer",
    "RefundSerializer",
    "StandInSerializer",
    "SubmitSerializer",
    "VerdictSerializer",
]
