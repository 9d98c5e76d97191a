"""What was looked at for a decision, as pages show it: in sentences, and as meters."""

from collections.abc import Mapping
from typing import Any

from approvals.explanations import OUTCOMES, effect_of, match_of, role_sentence
from approvals.rules import Purchase

from .meters import Meter


def shown(told: Mapping[str, Any], purchase: Purchase) -> dict[str, Any]:
    """For `approvals/decision.html`; `told` is a decision in words."""
    considered = told["considered"]
    return {
        "outcome": told["outcome"],
        "says": OUTCOMES[told["outcome"]],
        "reasons": told["reasons"],
        "steps": told["steps"],
        "role": role_sentence(considered),
        "limits": [
            {
                "meter": Meter.kept(limit, purchase),
                "binds": limit["applies"],
                "effect": effect_of(limit, purchase),
                "exceeded": limit["bites"],
            }
            for limit in considered["limits"]
        ],
        "rules": [
            {"rule": rule, "match": match_of(rule)} for rule in considered["rules"]
        ],
    }
