"""Staff pages of limits, approval groups and purchase requests."""

from .groups import ApprovalGroupAdmin
from .limits import PurchaseLimitAdmin
from .requests import PurchaseRequestAdmin

__all__ = ["ApprovalGroupAdmin", "PurchaseLimitAdmin", "PurchaseRequestAdmin"]
