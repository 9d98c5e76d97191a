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
from .me import MeSerializer
from .requests import (
    ActingChangeSerializer,
    ActingCheckSerializer,
    ActingSubmitSerializer,
    BriefRequestSerializer,
    ChangeSerializer,
    CommentSerializer,
    InboxSerializer,
    OrderSerializer,
    PurchaseCheckSerializer,
    PurchaseRequestSerializer,
    RefundSerializer,
    SubmitSerializer,
    VerdictSerializer,
)
from .rulebook import (
    ActingStandInSerializer,
    ApprovalRuleSerializer,
    StandInSerializer,
)

__all__ = [
    "ActingChangeSerializer",
    "ActingCheckSerializer",
    "ActingStandInSerializer",
    "ActingSubmitSerializer",
    "ApprovalGroupSerializer",
    "ApprovalRuleSerializer",
    "ApproversSerializer",
    "BlockedSerializer",
    "BriefRequestSerializer",
    "ChangeSerializer",
    "CommentSerializer",
    "EffectiveLimitsSerializer",
    "InboxSerializer",
    "MeSerializer",
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
