"""Staff pages of limits, rules, approval groups and purchase requests."""

from .groups import ApprovalGroupAdmin
from .limits import LedgerEntryAdmin, PurchaseLimitAdmin
from .requests import PurchaseRequestAdmin
from .rulebook import ApprovalRuleAdmin, StandInAdmin

__all__ = [
    "ApprovalGroupAdmin",
    "ApprovalRuleAdmin",
    "LedgerEntryAdmin",
    "PurchaseLimitAdmin",
    "PurchaseRequestAdmin",
    "StandInAdmin",
]
