"""What of a company's purchases goes over to the company into which it is merged."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from companies.merging import STAYS, UNFINISHED, Merging

from .models import (
    ApprovalGroup,
    ApprovalPolicy,
    ApprovalRule,
    PurchaseLimit,
    PurchaseRequest,
    StandIn,
)

MOST_NAMED = 100


def move_purchasing(merging: Merging) -> None:
    """Limits, approval groups, rules and stand-ins move; requests and policy stay.

    Groups before rules, whose steps name them.
    """
    _move_limits(merging)
    _move_approval_groups(merging)
    for rule in ApprovalRule.objects.filter(company=merging.company).order_by("pk"):
        merging.change(rule, company=merging.into)
        merging.tell("approval_rules", rule, gettext_lazy("Approval rules, moved"))
    for stand_in in StandIn.objects.filter(company=merging.company).order_by("pk"):
        merging.change(stand_in, company=merging.into)
        merging.tell("stand_ins", stand_in, gettext_lazy("Stand-ins"))
    policies = ApprovalPolicy.objects.filter(company=merging.company)
    if policies.filter(allow_self_approval=True).exists():
        merging.tell(STAYS, _("allowed self-approval"))
    _name_open_requests(merging)


def _move_limits(merging: Merging) -> None:
    """With their ledger and counters: what they hold is given back to them.

    One like a limit of the company that stays would count twice: it is set inactive
    where it is.
    """
    theirs = PurchaseLimit.objects.filter(company=merging.into, is_active=True)
    known = {_likeness(limit) for limit in theirs}
    ours = PurchaseLimit.objects.filter(company=merging.company, is_active=True)
    for limit in ours.order_by("pk"):
        line = f"{limit.name or limit.cap_text}, {limit.get_period_display()}"
        if _likeness(limit) in known:
            merging.change(limit, is_active=False)
            merging.tell(STAYS, _("limit %(limit)s, inactive") % {"limit": line})
        else:
            merging.change(limit, company=merging.into)
            merging.tell("purchase_limits", line, gettext_lazy("Limits, moved"))


def _likeness(limit: PurchaseLimit) -> Any:
    """What makes two limits of one company equal: as the constraints have it."""
    whom = (limit.contact_id,) if limit.contact_id else (limit.binds, *limit.roles)
    return (limit.currency, limit.period, limit.scope, limit.on_exceed, whom)


def _move_approval_groups(merging: Merging) -> None:
    theirs = ApprovalGroup.objects.filter(company=merging.into).exclude(code="")
    codes = {code.lower() for code in theirs.values_list("code", flat=True)}
    for group in ApprovalGroup.objects.filter(company=merging.company).order_by("pk"):
        changes: dict[str, Any] = {"company": merging.into}
        line = group.name
        if group.code and group.code.lower() in codes:
            changes["code"] = ""
            line += _(", without its code %(code)s") % {"code": group.code}
        merging.change(group, **changes)
        label = gettext_lazy("Approval groups, moved")
        merging.tell("approval_groups_moved", line, label)


def _name_open_requests(merging: Merging) -> None:
    """They keep their company: once it is closed, nobody can decide or order."""
    requests = PurchaseRequest.objects.open().filter(company=merging.company)
    for request in requests.order_by("pk")[:MOST_NAMED]:
        merging.tell(UNFINISHED, f"{request}: {request.get_status_display()}")
