"""The endpoints of limits, approval groups, rules, stand-ins and requests."""

from .limits import ApprovalGroupViewSet, EffectiveLimitViewSet, PurchaseLimitViewSet
from .requests import PurchaseRequestViewSet
from .rulebook import ApprovalRuleViewSet, StandInViewSet

__all__ = [
    "ApprovalGroupViewSet",
    "ApprovalRuleViewSet",
    "EffectiveLimitViewSet",
    "PurchaseLimitViewSet",
    "PurchaseRequestViewSet",
    "StandInViewSet",
]
