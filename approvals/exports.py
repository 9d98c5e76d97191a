"""What leaves of limits, rules and requests with the companies that have them."""

from companies.exports import Part
from config.spreadsheets import Columns

from .models import (
    ApprovalGroup,
    ApprovalGroupMember,
    ApprovalRule,
    ApprovalRuleStep,
    LedgerEntry,
    PurchaseLimit,
    PurchaseRequest,
    StandIn,
)

LIMITS: Columns = {
    "company_code": "company__code",
    "name": "name",
    "amount": "amount",
    "unlimited": "unlimited",
    "currency": "currency",
    "period": "period",
    "time_zone": "time_zone",
    "scope": "scope",
    "binds": "binds",
    "roles": "roles",
    "contact_email": "contact__email",
    "on_exceed": "on_exceed",
    "alert_percents": "alert_percents",
    "is_active": "is_active",
    "note": "note",
}
GROUPS: Columns = {"company_code": "company__code", "code": "code", "name": "name"}
MEMBERS: Columns = {
    "company_code": "group__company__code",
    "group_code": "group__code",
    "group_name": "group__name",
    "email": "contact__email",
}
RULES: Columns = {
    "id": "id",
    "company_code": "company__code",
    "name": "name",
    "covers_subsidiaries": "covers_subsidiaries",
    "amount_from": "amount_from",
    "currency": "currency",
    "roles": "roles",
    "kinds": "kinds",
    "is_active": "is_active",
}
STEPS: Columns = {
    "rule": "rule_id",
    "position": "position",
    "group_code": "approval_group__code",
    "group_name": "approval_group__name",
    "role": "role",
    "quorum": "quorum",
}
STAND_INS: Columns = {
    "company_code": "company__code",
    "email": "contact__email",
    "stand_in_email": "stand_in__email",
    "valid_from": "valid_from",
    "valid_until": "valid_until",
    "amount": "amount",
    "currency": "currency",
}
REQUESTS: Columns = {
    "id": "id",
    "company_code": "company__code",
    "requester_email": "requester__email",
    "kind": "kind",
    "reference": "reference",
    "amount": "amount",
    "currency": "currency",
    "status": "status",
    "order_number": "order_number",
    "ordered_amount": "ordered_amount",
    "refunded_amount": "refunded_amount",
    "submitted_at": "submitted_at",
    "decided_at": "decided_at",
    "expires_at": "expires_at",
}
LEDGER: Columns = {
    "id": "id",
    "at": "at",
    "company_code": "company__code",
    "limit": "limit_id",
    "period": "period",
    "period_start": "period_start",
    "kind": "kind",
    "request": "request_id",
    "amount": "amount",
    "currency": "currency",
    "reserved_before": "reserved_before",
    "used_before": "used_before",
    "actor": "actor",
    "reason": "reason",
}
PARTS = (
    Part(
        "purchase-limits",
        LIMITS,
        lambda of: PurchaseLimit.objects.filter(company__in=of),
    ),
    Part(
        "approval-groups",
        GROUPS,
        lambda of: ApprovalGroup.objects.filter(company__in=of),
    ),
    Part(
        "approval-group-members",
        MEMBERS,
        lambda of: ApprovalGroupMember.objects.filter(group__company__in=of),
    ),
    Part(
        "approval-rules",
        RULES,
        lambda of: ApprovalRule.objects.filter(company__in=of),
    ),
    Part(
        "approval-rule-steps",
        STEPS,
        lambda of: ApprovalRuleStep.objects.filter(rule__company__in=of),
    ),
    Part("stand-ins", STAND_INS, lambda of: StandIn.objects.filter(company__in=of)),
    Part(
        "purchase-requests",
        REQUESTS,
        lambda of: PurchaseRequest.objects.filter(company__in=of),
    ),
    Part("ledger", LEDGER, lambda of: LedgerEntry.objects.filter(company__in=of)),
)
