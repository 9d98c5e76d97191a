"""A rule as somebody writes it, and which open requests it concerns."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.db.models import F
from django.db.models.fields.json import KT

from .models import ApprovalRule, ApprovalRuleStep, PurchaseRequest
from .models import PurchaseRequestQuerySet as Requests
from .rules import Code, Path, Purchase, RuleState, RuleStep, steps_of
from .stranding import below

MOST_LOOKED_AT = 100
UNSAVED = 2**63 - 1  # rules of a company are asked by id: a new one comes last
BY_MATRIX = {Code.LIMIT_EXCEEDED, Code.CURRENCY_WITHOUT_LIMIT}


@dataclass(frozen=True, slots=True)
class Draft:
    """A rule with its steps, as stored or as it stands in a form."""

    rule: ApprovalRule
    steps: tuple[ApprovalRuleStep, ...]

    @property
    def state(self) -> RuleState:
        """What the engine decides from."""
        rule = self.rule
        return RuleState(
            id=rule.pk or UNSAVED,
            name=rule.name,
            company=rule.company_id,
            company_name=rule.company.name,
            amount_from=rule.amount_from,
            currency=rule.currency,
            roles=tuple(rule.roles),
            kinds=tuple(rule.kinds),
            steps=tuple(_step_state(step) for step in self.steps),
        )

    def reaches(self, path: Path) -> bool:
        """Whether purchases of the last company of the path fall under it."""
        rule, (*above, company) = self.rule, [on_path.id for on_path in path]
        own = rule.company_id == company
        covered = rule.covers_subsidiaries and rule.company_id in above
        return rule.is_active and (own or covered)

    def among(self, rules: Iterable[RuleState], path: Path) -> tuple[RuleState, ...]:
        """The rules that reach a company, with this one as it is written."""
        others = tuple(rule for rule in rules if rule.id != self.rule.pk)
        return (*others, self.state) if self.reaches(path) else others


def _step_state(step: ApprovalRuleStep) -> RuleStep:
    group = step.approval_group
    return RuleStep(
        quorum=step.quorum,
        group=group and group.pk,
        group_company=group and group.company_id,
        role=step.role,
    )


class Effect(StrEnum):
    """What the rule has asked of an open request, and would ask if it came now."""

    AS_ASKED = "AS_ASKED"
    OTHER_STEPS = "OTHER_STEPS"
    NO_LONGER = "NO_LONGER"
    NOT_ASKED = "NOT_ASKED"


@dataclass(frozen=True, slots=True)
class Concerned:
    """Pending requests that the rule concerns, of the newest that were looked at."""

    found: tuple[tuple[PurchaseRequest, Effect], ...]
    looked_at: int
    in_scope: int


def scope_of(rule: ApprovalRule, *, below_too: bool) -> Requests:
    """Pending requests of the company, or of everything below it too."""
    if below_too:
        return below(rule.company_id).pending()
    return PurchaseRequest.objects.filter(company=rule.company_id).pending()


def concerned_by(draft: Draft, requests: Requests) -> Concerned:
    """Which of these pending requests were asked by the rule, or would be now.

    None of them changes with a rule: what was submitted keeps its steps. The newest
    are looked at, in two queries; by the role in which the person asked.
    """
    frozen = "snapshot__decision"
    newest = (
        requests.select_related("company", "requester")
        .annotate(
            asked_as=KT(f"{frozen}__considered__role__role"),
            frozen_steps=F(f"{frozen}__steps"),
            frozen_reasons=F(f"{frozen}__reasons"),
        )
        .defer("snapshot", "items")
        .order_by("-pk")[:MOST_LOOKED_AT]
    )
    state, looked_at = draft.state, list(newest)
    found = [(request, _effect(draft, state, request)) for request in looked_at]
    count = len(looked_at)
    if count == MOST_LOOKED_AT:
        count = requests.order_by().count()
    return Concerned(
        found=tuple((request, effect) for request, effect in found if effect),
        looked_at=len(looked_at),
        in_scope=count,
    )


def _effect(draft: Draft, state: RuleState, request: Any) -> Effect | None:
    purchase = Purchase(
        amount=request.amount, currency=request.currency, kind=request.kind
    )
    asked = [step for step in request.frozen_steps if state.id in step["rules"]]
    rule = draft.rule
    reached = rule.covers_subsidiaries or rule.company_id == request.company_id
    counts = rule.is_active and reached
    matches = counts and state.facing(purchase, request.asked_as).matched
    if not asked:
        return Effect.NOT_ASKED if matches else None
    if not matches:
        return Effect.NO_LONGER
    matrix_first = any(one["code"] in BY_MATRIX for one in request.frozen_reasons)
    same = _asks_the_same(state, request.company_id, asked, matrix_first)
    return Effect.AS_ASKED if same else Effect.OTHER_STEPS


def _asks_the_same(
    rule: RuleState, company: int, asked: list[Mapping[str, Any]], matrix_first: bool
) -> bool:
    """Whether the rule asks for the frozen steps that it has a part in.

    A step that others ask for, too, may stand elsewhere and need more.
    """
    wanted: dict[Any, int] = {}
    for step in steps_of(rule, company):
        wanted[step.asked] = max(step.quorum, wanted.get(step.asked, 0))
    frozen, alone = {}, []
    for step in asked:
        key = (step["company"], tuple(step["approval_groups"]), tuple(step["roles"]))
        frozen[key] = step["quorum"]
        if step["rules"] == [rule.id] and not (matrix_first and step["position"] == 1):
            alone.append(key)
    if frozen.keys() != wanted.keys():
        return False
    enough = all(
        frozen[key] == quorum or (key not in alone and frozen[key] > quorum)
        for key, quorum in wanted.items()
    )
    return enough and [key for key in wanted if key in alone] == alone
