"""What may be bought, who has to agree, and what was decided."""

from .groups import ApprovalGroup, ApprovalGroupMember, ApprovalGroupQuerySet
from .ledger import (
    RESERVED,
    USED,
    LedgerEntry,
    LedgerEntryQuerySet,
    LimitCounter,
)
from .limits import PurchaseLimit, PurchaseLimitQuerySet
from .notices import Notice, NoticeQuerySet
from .requests import (
    ApprovalStep,
    Decision,
    PurchaseRequest,
    PurchaseRequestQuerySet,
    RequestHistory,
)
from .rules import ApprovalRule, ApprovalRuleQuerySet, ApprovalRuleStep
from .stand_ins import ApprovalPolicy, StandIn, StandInQuerySet

__all__ = [
    "RESERVED",
    "USED",
    "ApprovalGroup",
    "ApprovalGroupMember",
    "ApprovalGroupQuerySet",
    "ApprovalPolicy",
    "ApprovalRule",
    "ApprovalRuleQuerySet",
    "ApprovalRuleStep",
    "ApprovalStep",
    "Decision",
    "LedgerEntry",
    "LedgerEntryQuerySet",
    "LimitCounter",
    "Notice",
    "NoticeQuerySet",
    "PurchaseLimit",
    "PurchaseLimitQuerySet",
    "PurchaseRequest",
    "PurchaseRequestQuerySet",
    "RequestHistory",
    "StandIn",
    "StandInQuerySet",
]
