"""A decision in the words and shapes of the API: for answers, snapshots and pages."""

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _

from config.money import plain, readable

from .rules import Code, Decision, LimitState, Purchase, Reason, Step


def answer(decision: Decision, purchase: Purchase) -> dict[str, Any]:
    """The decision as the API shows it, with names and sentences for people."""
    return facts(decision) | {
        "reasons": [
            {"code": str(reason.code), "message": message(reason, purchase)}
            | ({"limit": limit_facts(reason.limit)} if reason.limit else {})
            for reason in decision.reasons
        ],
        "steps": [
            step_facts(step)
            | {
                "approvers": [
                    {
                        "contact": approver.person.id,
                        "name": approver.person.name,
                        "through": str(approver.through),
                    }
                    for approver in step.approvers
                ]
            }
            for step in decision.steps
        ],
    }


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
        "steps": [
            step_facts(step)
            | {
                "approvers": [
                    {"contact": approver.person.id, "through": str(approver.through)}
                    for approver in step.approvers
                ]
            }
            for step in decision.steps
        ],
    }


def step_facts(step: Step) -> dict[str, Any]:
    return {
        "position": step.position,
        "quorum": step.quorum,
        "company": step.company,
        "approval_groups": list(step.approval_groups),
        "roles": list(step.roles),
        "staff": step.staff,
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
        "binds": limit.binds,
        "bites": limit.bites,
    }


def message(reason: Reason, purchase: Purchase) -> str:
    """The reason as a sentence."""
    if reason.limit is not None:
        return _about_limit(reason.limit, reason.code, purchase)
    return SENTENCES[reason.code](purchase)


def _about_limit(limit: LimitState, code: Code, purchase: Purchase) -> str:
    values = {
        "amount": readable(purchase.amount, purchase.currency),
        "company": limit.company_name,
        "over": readable(purchase.amount - (limit.remaining or 0), purchase.currency),
        "cap": readable(limit.cap or 0, limit.currency),
    }
    if limit.cap == 0:
        return _("Nothing may be bought under the limit of %(company)s.") % values
    if code == Code.LIMIT_WARNING:
        return (
            _(
                "%(amount)s exceeds the limit of %(company)s for each purchase, "
                "%(cap)s, by %(over)s. It is allowed with this warning."
            )
            % values
        )
    return (
        _(
            "%(amount)s exceeds the limit of %(company)s for each purchase, %(cap)s, "
            "by %(over)s."
        )
        % values
    )


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
