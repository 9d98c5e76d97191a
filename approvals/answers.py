"""A decision in the words and shapes of the API: for answers, snapshots and pages."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from config.money import plain, readable

from .rules import Code, Decision, LimitState, Purchase, Step


def answer(decision: Decision, purchase: Purchase) -> dict[str, Any]:
    """The decision as the API shows it, with names and sentences for people."""
    names = {
        approver.person.id: approver.person.name
        for step in decision.steps
        for approver in step.approvers
    }
    return in_words(facts(decision), purchase, names)


def in_words(
    kept: Mapping[str, Any], purchase: Purchase, names: Mapping[int, str]
) -> dict[str, Any]:
    """What `facts()` keeps, with sentences, and with the names that people have now."""
    return {
        "outcome": kept["outcome"],
        "reasons": [
            reason | {"message": message(reason["code"], reason["limit"], purchase)}
            for reason in kept["reasons"]
        ],
        "considered": kept["considered"],
        "steps": [_named(step, names) for step in kept["steps"]],
    }


def step_in_words(step: Step) -> dict[str, Any]:
    """The step with the names of those who could decide now."""
    names = {approver.person.id: approver.person.name for approver in step.approvers}
    return _named(step_facts(step), names)


def _named(step: Mapping[str, Any], names: Mapping[int, str]) -> dict[str, Any]:
    approvers = [
        approver | {"name": names.get(approver["contact"], "")}
        for approver in step["approvers"]
    ]
    return {**step, "approvers": approvers}


def facts(decision: Decision) -> dict[str, Any]:
    """The decision as a snapshot keeps it: people by id, reasons by code.

    No person's name and no sentence is in it, so that it outlives both.
    """
    return {
        "outcome": str(decision.outcome),
        "reasons": [
            {
                "code": str(reason.code),
                "limit": reason.limit and limit_facts(reason.limit),
            }
            for reason in decision.reasons
        ],
        "considered": {
            "limits": [limit_facts(limit) for limit in decision.limits],
            "rules": [],
            "role": decision.role
            and {
                "role": decision.role.role,
                "company": decision.role.company,
                "through": f"assignment {decision.role.through.id}",
            },
        },
        "steps": [step_facts(step) for step in decision.steps],
    }


def step_facts(step: Step) -> dict[str, Any]:
    return {
        "position": step.position,
        "quorum": step.quorum,
        "company": step.company,
        "approval_groups": list(step.approval_groups),
        "roles": list(step.roles),
        "staff": step.staff,
        "approvers": [
            {"contact": approver.person.id, "through": str(approver.through)}
            for approver in step.approvers
        ],
    }


def limit_facts(limit: LimitState) -> dict[str, Any]:
    def money(amount: Any) -> str | None:
        return None if amount is None else plain(amount, limit.currency)

    return {
        "id": limit.id,
        "name": limit.name,
        "company": limit.company,
        "company_name": limit.company_name,
        "scope": str(limit.scope),
        "period": str(limit.period),
        "period_start": None,
        "amount": money(limit.cap),
        "unlimited": limit.cap is None,
        "used": money(limit.used),
        "reserved": money(limit.reserved),
        "remaining": money(limit.remaining),
        "currency": limit.currency,
        "on_exceed": str(limit.on_exceed),
        "applies": limit.applies,
        "bites": limit.bites,
    }


def message(code: str, limit: Mapping[str, Any] | None, purchase: Purchase) -> str:
    """A reason as a sentence."""
    if limit is None:
        return SENTENCES[Code(code)](purchase)
    currency = limit["currency"]
    values = {
        "amount": readable(purchase.amount, currency),
        "company": limit["company_name"],
        "cap": readable(Decimal(limit["amount"]), currency),
        "over": readable(purchase.amount - Decimal(limit["remaining"]), currency),
    }
    if Decimal(limit["amount"]) == 0:
        text = _("Nothing may be bought under the limit of %(company)s: it is %(cap)s.")
    else:
        text = _(
            "%(amount)s exceeds the limit of %(company)s for each purchase, %(cap)s, "
            "by %(over)s."
        )
    if code == Code.LIMIT_WARNING:
        text = f"{text} {_('It is allowed with this warning.')}"
    return text % values


SENTENCES: dict[Code, Callable[[Purchase], str]] = {
    Code.COMPANY_NOT_ACTIVE: lambda purchase: _(
        "The company, or one above it, is not active: nothing can be bought for it."
    ),
    Code.CONTACT_NOT_ACTIVE: lambda purchase: _("The person is not active."),
    Code.NOT_ASSIGNED: lambda purchase: _("The person is not assigned to the company."),
    Code.NO_BUYING_ROLE: lambda purchase: _(
        "The person has no role in the company that may buy."
    ),
    Code.CURRENCY_WITHOUT_LIMIT: lambda purchase: (
        _("The company has limits, but none in %(currency)s: somebody has to agree.")
        % {"currency": purchase.currency}
    ),
    Code.REQUESTER_NEEDS_APPROVAL: lambda purchase: _(
        "A requester needs the approval of others for each purchase."
    ),
    Code.WITHIN_LIMITS: lambda purchase: (
        _("%(amount)s is within the limits.")
        % {"amount": readable(purchase.amount, purchase.currency)}
    ),
    Code.ADMIN_UNLIMITED: lambda purchase: _(
        "An admin orders alone, and no limit names this one."
    ),
}
