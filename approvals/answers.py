"""A decision in the words and shapes of the API: for answers, snapshots and pages."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.money import plain, readable

from .rules import Code, Decision, LimitState, Purchase, RuleState, Step


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
            reason | {"message": message(reason, purchase)}
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
                "rule": reason.rule and rule_facts(reason.rule),
            }
            for reason in decision.reasons
        ],
        "considered": {
            "limits": [limit_facts(limit) for limit in decision.limits],
            "rules": [rule_facts(rule) for rule in decision.rules],
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
        "rules": list(step.rules),
        "staff": step.staff,
        "approvers": [
            {
                "contact": approver.person.id,
                "through": str(approver.through),
                "on_behalf_of": instead_of.id
                if (instead_of := approver.through.instead_of)
                else None,
            }
            for approver in step.approvers
        ],
    }


def rule_facts(rule: RuleState) -> dict[str, Any]:
    """A rule that was looked at; `unmet` names the condition it did not match by."""
    amount = rule.amount_from
    return {
        "id": rule.id,
        "name": rule.name,
        "company": rule.company,
        "company_name": rule.company_name,
        "amount_from": None if amount is None else plain(amount, rule.currency),
        "currency": rule.currency,
        "roles": list(rule.roles),
        "kinds": list(rule.kinds),
        "matched": rule.matched,
        "unmet": rule.unmet or None,
    }


def effective(limit: LimitState) -> dict[str, Any]:
    """The limit by itself, with no purchase in mind."""
    shown = limit_facts(limit)
    return {name: shown[name] for name in shown if name not in ("applies", "bites")}


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
        "period_start": limit.period_start and limit.period_start.isoformat(),
        "period_end": limit.period_end and limit.period_end.isoformat(),
        "amount": money(limit.cap),
        "unlimited": limit.cap is None,
        "used": money(limit.used),
        "reserved": money(limit.reserved),
        "remaining": money(limit.remaining),
        "currency": limit.currency,
        "on_exceed": str(limit.on_exceed),
        "binds": str(limit.whom),
        "roles": list(limit.roles),
        "contact": limit.contact,
        "applies": limit.applies,
        "bites": limit.bites,
    }


def message(reason: Mapping[str, Any], purchase: Purchase) -> str:
    """A reason as a sentence."""
    code = Code(reason["code"])
    if reason["limit"] is not None:
        return _about_limit(code, reason["limit"], purchase)
    if reason.get("rule"):
        text = _("The rule \u201c%(rule)s\u201d of %(company)s asks for approval.")
        rule = reason["rule"]
        return text % {"rule": rule["name"], "company": rule["company_name"]}
    return SENTENCES[code](purchase)


def _about_limit(code: Code, limit: Mapping[str, Any], purchase: Purchase) -> str:
    currency, remaining = limit["currency"], Decimal(limit["remaining"])
    values = {
        "amount": readable(purchase.amount, currency),
        "company": limit["company_name"],
        "cap": readable(Decimal(limit["amount"]), currency),
        "over": readable(purchase.amount - remaining, currency),
        "remaining": readable(max(remaining, Decimal(0)), currency),
    }
    if Decimal(limit["amount"]) == 0:
        text = _("Nothing may be bought under the limit of %(company)s: it is %(cap)s.")
    else:
        text = EXCEEDED[limit["period"]]
    if code == Code.LIMIT_WARNING:
        text = f"{text} {_('It is allowed with this warning.')}"
    return text % values


EXCEEDED = {
    "PURCHASE": gettext_lazy(
        "%(amount)s exceeds the limit of %(company)s for each purchase, %(cap)s, by "
        "%(over)s."
    ),
    "DAY": gettext_lazy(
        "%(amount)s would exceed the day's limit of %(company)s, %(cap)s, by %(over)s: "
        "%(remaining)s are left."
    ),
    "WEEK": gettext_lazy(
        "%(amount)s would exceed the week's limit of %(company)s, %(cap)s, by "
        "%(over)s: %(remaining)s are left."
    ),
    "MONTH": gettext_lazy(
        "%(amount)s would exceed the month's limit of %(company)s, %(cap)s, by "
        "%(over)s: %(remaining)s are left."
    ),
    "QUARTER": gettext_lazy(
        "%(amount)s would exceed the quarter's limit of %(company)s, %(cap)s, by "
        "%(over)s: %(remaining)s are left."
    ),
    "YEAR": gettext_lazy(
        "%(amount)s would exceed the year's limit of %(company)s, %(cap)s, by "
        "%(over)s: %(remaining)s are left."
    ),
}
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
