"""Staff pages of limits, rules, approval groups and purchase requests."""

from . import company, person, search, timeline  # noqa: F401  (add to pages of others)
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
