"""The table of cases: which rules match, and the one plan of steps of all that do."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from approvals.answers import answer
from approvals.rules import (
    Decision,
    LimitState,
    Person,
    Purchase,
    RuleState,
    RuleStep,
    Situation,
    decide,
    plan_steps,
)
from tests.approvals.values import (
    HEAD,
    LEAF,
    ME,
    MIDDLE,
    holding,
    limit,
    path,
)

ALLOWED, APPROVAL, BLOCKED = "ALLOWED", "APPROVAL_REQUIRED", "BLOCKED"
MATCHED, ASKS, EXCEEDED = "rule_matched", "requester_needs_approval", "limit_exceeded"
BY_ADMIN = RuleStep(role="ADMIN")
BY_BUYER = RuleStep(role="BUYER")
BOARD = RuleStep(group=5, group_company=HEAD)
LEGAL = RuleStep(group=6, group_company=MIDDLE)


def rule(*steps: RuleStep, at: int = LEAF, **fields: Any) -> RuleState:
    if isinstance(fields.get("amount_from"), str):
        fields["amount_from"] = Decimal(fields["amount_from"])
        fields.setdefault("currency", "EUR")
    return RuleState(
        **{
            "id": at * 10,
            "name": f"Rule of {at}",
            "company": at,
            "company_name": f"Company {at}",
            "steps": steps or (BY_ADMIN,),
        }
        | fields
    )


def decision_on(
    rules: list[RuleState],
    role: str = "BUYER",
    amount: str = "100.00",
    currency: str = "EUR",
    kind: str = "CART",
    limits: tuple[LimitState, ...] = (),
    groups: dict[int, list[int]] | None = None,
    statuses: dict[int, str] | None = None,
) -> Decision:
    return decide(
        Purchase(amount=Decimal(amount), currency=currency, kind=kind),
        Situation(
            path=path(groups=groups, statuses=statuses),
            person=Person(id=ME),
            holdings=(holding(role),),
            limits=limits,
            rules=tuple(rules),
        ),
    )


@dataclass
class Match:
    """A rule, a purchase, and the first condition that is not met ("": it matches)."""

    name: str
    rule: RuleState
    unmet: str
    amount: str = "100.00"
    currency: str = "EUR"
    kind: str = "CART"
    role: str = "BUYER"


MATCHES = [
    Match("no condition", rule(), ""),
    Match("no condition, admin", rule(), "", role="ADMIN"),
    Match("no condition, requester", rule(), "", role="REQUESTER"),
    # The amount, by one minor unit.
    Match("a cent below", rule(amount_from="100.01"), "amount"),
    Match("exactly the amount", rule(amount_from="100.00"), ""),
    Match("a cent above", rule(amount_from="99.99"), ""),
    Match("from 0", rule(amount_from="0"), "", amount="0.01"),
    Match(
        "one yen below",
        rule(amount_from="101", currency="JPY"),
        "amount",
        amount="100",
        currency="JPY",
    ),
    Match(
        "exactly so many yen",
        rule(amount_from="101", currency="JPY"),
        "",
        amount="101",
        currency="JPY",
    ),
    Match(
        "a thousandth dinar below",
        rule(amount_from="100.002", currency="BHD"),
        "amount",
        amount="100.001",
        currency="BHD",
    ),
    Match(
        "exactly so many dinars",
        rule(amount_from="100.002", currency="BHD"),
        "",
        amount="100.002",
        currency="BHD",
    ),
    # The currency: amounts of two are never compared.
    Match("the currency", rule(currency="EUR"), ""),
    Match("another currency", rule(currency="USD"), "currency"),
    Match(
        "much more, in another currency",
        rule(amount_from="1", currency="USD"),
        "currency",
        amount="1000000.00",
    ),
    Match("any currency", rule(), "", currency="USD"),
    # The role of the requester.
    Match("the role", rule(roles=("BUYER",)), ""),
    Match("one of the roles", rule(roles=("BUYER", "REQUESTER")), ""),
    Match("another role", rule(roles=("REQUESTER",)), "role"),
    Match("a stronger role is another", rule(roles=("BUYER",)), "role", role="ADMIN"),
    Match("admins named", rule(roles=("ADMIN",)), "", role="ADMIN"),
    # The kind of purchase.
    Match("the kind", rule(kinds=("CART",)), ""),
    Match("one of the kinds", rule(kinds=("QUOTE", "CART")), ""),
    Match("another kind", rule(kinds=("QUOTE", "ORDER")), "kind"),
    Match("a quote", rule(kinds=("QUOTE",)), "", kind="QUOTE"),
    # All at once.
    Match(
        "all are met", rule(amount_from="100", roles=("BUYER",), kinds=("CART",)), ""
    ),
    Match(
        "all but one",
        rule(amount_from="100", roles=("BUYER",), kinds=("ORDER",)),
        "kind",
    ),
    Match(
        "none is met",
        rule(amount_from="200", currency="USD", roles=("ADMIN",), kinds=("ORDER",)),
        "currency",
    ),
]


@pytest.mark.parametrize("case", MATCHES, ids=lambda case: case.name)
def test_a_rule_matches_if_every_condition_is_met(case: Match) -> None:
    decision = decision_on(
        [case.rule], case.role, case.amount, case.currency, case.kind
    )

    (seen,) = decision.rules
    named = [reason.rule.id for reason in decision.reasons if reason.rule]
    assert (seen.unmet, seen.matched) == (case.unmet, not case.unmet)
    assert named == ([] if case.unmet else [case.rule.id])
    asked = case.role == "REQUESTER" or not case.unmet
    assert decision.outcome == (APPROVAL if asked else ALLOWED)


# What is asked of whom: (company, groups, roles, quorum, rules) of each step.
MATRIX_ADMIN = (LEAF, (), ("ADMIN",))
MATRIX_BUYER = (LEAF, (), ("ADMIN", "BUYER"))
BOARD_STEP = (HEAD, (5,), ())
LEGAL_STEP = (MIDDLE, (6,), ())


@dataclass
class Plan:
    name: str
    rules: list[RuleState]
    steps: list[tuple[Any, int, tuple[int, ...]]]
    reasons: list[str]
    role: str = "BUYER"
    limits: tuple[LimitState, ...] = ()
    groups: dict[int, list[int]] = field(default_factory=dict)
    outcome: str = APPROVAL


PLANS = [
    Plan("an admin, too", [rule()], [(MATRIX_ADMIN, 1, (30,))], [MATCHED], "ADMIN"),
    Plan(
        "buyers and admins",
        [rule(BY_BUYER)],
        [(MATRIX_BUYER, 1, (30,))],
        [MATCHED],
    ),
    Plan(
        "a rule takes the place of what a requester needs within limits",
        [rule(BOARD)],
        [(BOARD_STEP, 1, (30,))],
        [MATCHED, ASKS],
        "REQUESTER",
    ),
    Plan(
        "and comes on top of what an exceeded limit asks for",
        [rule(BOARD)],
        [(MATRIX_ADMIN, 1, ()), (BOARD_STEP, 1, (30,))],
        [EXCEEDED, MATCHED],
        limits=(limit("99.99"),),
    ),
    Plan(
        "a requester above the limit",
        [rule(BOARD)],
        [(MATRIX_ADMIN, 1, ()), (BOARD_STEP, 1, (30,))],
        [EXCEEDED, MATCHED, ASKS],
        "REQUESTER",
        (limit("99.99"),),
    ),
    Plan(
        "the same people for both: one step",
        [rule(RuleStep(role="ADMIN", quorum=2))],
        [(MATRIX_ADMIN, 2, (30,))],
        [EXCEEDED, MATCHED],
        limits=(limit("99.99"),),
    ),
    Plan(
        "what does not match is not asked",
        [rule(BOARD, amount_from="100.01"), rule(at=HEAD)],
        [(MATRIX_ADMIN, 1, (10,))],
        [MATCHED],
    ),
    Plan(
        "steps in their order",
        [rule(BOARD, LEGAL, BY_ADMIN)],
        [(BOARD_STEP, 1, (30,)), (LEGAL_STEP, 1, (30,)), (MATRIX_ADMIN, 1, (30,))],
        [MATCHED],
    ),
    Plan(
        "the company that buys first, then those above",
        [rule(BOARD, at=HEAD), rule(LEGAL, at=MIDDLE), rule(BY_ADMIN)],
        [(MATRIX_ADMIN, 1, (30,)), (LEGAL_STEP, 1, (20,)), (BOARD_STEP, 1, (10,))],
        [MATCHED, MATCHED, MATCHED],
    ),
    Plan(
        "older rules of one company first",
        [rule(LEGAL, id=32), rule(BOARD, id=31)],
        [(BOARD_STEP, 1, (31,)), (LEGAL_STEP, 1, (32,))],
        [MATCHED, MATCHED],
    ),
    Plan(
        "equal steps are one, with the greater quorum, at the earlier place",
        [
            rule(BY_ADMIN, RuleStep(group=5, group_company=HEAD, quorum=3)),
            rule(BOARD, LEGAL, at=HEAD),
        ],
        [
            (MATRIX_ADMIN, 1, (30,)),
            (BOARD_STEP, 3, (30, 10)),
            (LEGAL_STEP, 1, (10,)),
        ],
        [MATCHED, MATCHED],
    ),
    Plan(
        "the same step twice in a rule",
        [rule(BOARD, BOARD)],
        [(BOARD_STEP, 1, (30,))],
        [MATCHED],
    ),
    Plan(
        "admins are others than buyers and admins",
        [rule(BY_BUYER, BY_ADMIN)],
        [(MATRIX_BUYER, 1, (30,)), (MATRIX_ADMIN, 1, (30,))],
        [MATCHED],
    ),
    Plan(
        "an approval group stands for roles of the matrix only",
        [rule(BY_ADMIN)],
        [(LEGAL_STEP, 1, ()), (MATRIX_ADMIN, 1, (30,))],
        [EXCEEDED, MATCHED],
        limits=(limit("99.99"),),
        groups={MIDDLE: [6]},
    ),
    Plan(
        "of several groups of a company one is asked by name",
        [rule(LEGAL)],
        [((MIDDLE, (6, 7), ()), 1, ()), (LEGAL_STEP, 1, (20 + 10,))],
        [EXCEEDED, MATCHED],
        limits=(limit("99.99"),),
        groups={MIDDLE: [6, 7]},
    ),
    Plan(
        "nothing opens a block",
        [rule(BOARD)],
        [],
        [EXCEEDED, MATCHED],
        limits=(limit("99.99", on_exceed="BLOCK"),),
        outcome=BLOCKED,
    ),
    Plan(
        "a warning asks nobody, the rule does",
        [rule(BOARD)],
        [(BOARD_STEP, 1, (30,))],
        [MATCHED, "limit_warning"],
        limits=(limit("99.99", on_exceed="WARN"),),
    ),
    Plan(
        "a rule without a step asks whom the matrix would",
        [rule(steps=())],
        [(MATRIX_BUYER, 1, ())],
        [MATCHED],
    ),
]


@pytest.mark.parametrize("case", PLANS, ids=lambda case: case.name)
def test_one_plan_out_of_all_rules_that_match(case: Plan) -> None:
    decision = decision_on(
        case.rules, case.role, limits=case.limits, groups=case.groups
    )

    assert decision.outcome == case.outcome
    assert [str(reason.code) for reason in decision.reasons] == case.reasons
    asked = [(step.asked, step.quorum, step.rules) for step in decision.steps]
    assert asked == case.steps
    assert [s.position for s in decision.steps] == list(range(1, len(asked) + 1))


def test_every_rule_is_carried_and_says_why_it_does_not_match() -> None:
    rules = [rule(kinds=("ORDER",)), rule(at=HEAD, amount_from="5000")]

    told = answer(
        decision_on(rules), Purchase(amount=Decimal("100.00"), currency="EUR")
    )

    assert [(r["id"], r["unmet"]) for r in told["considered"]["rules"]] == [
        (30, "kind"),
        (10, "amount"),
    ]
    assert told["considered"]["rules"][1]["amount_from"] == "5000.00"


def test_a_blocked_purchase_still_carries_the_rules() -> None:
    decision = decision_on([rule(BOARD)], statuses={HEAD: "ON_HOLD"})

    assert (decision.outcome, decision.steps) == (BLOCKED, ())
    assert [str(reason.code) for reason in decision.reasons] == ["company_not_active"]
    assert [seen.id for seen in decision.rules] == [30]


a_step = st.sampled_from(
    [BY_ADMIN, BY_BUYER, BOARD, LEGAL, RuleStep(role="ADMIN", quorum=3)]
)
some_rules = st.lists(
    st.builds(
        lambda number, at, steps: rule(*steps, at=at, id=number),
        st.integers(1, 999),
        st.sampled_from([HEAD, MIDDLE, LEAF]),
        st.lists(a_step, min_size=1, max_size=4),
    ),
    max_size=5,
    unique_by=lambda one: one.id,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(some_rules, st.randoms(use_true_random=False))
def test_the_plan_asks_all_that_rules_ask_and_nobody_twice(
    rules: list[RuleState], random: Any
) -> None:
    shuffled = list(rules)
    random.shuffle(shuffled)

    plan = plan_steps(path(), rules, None)

    assert plan == plan_steps(path(), shuffled, None)
    assert len({step.asked for step in plan}) == len(plan)
    for one in rules:
        for step in one.steps:
            (single,) = plan_steps(
                path(), [rule(step, at=one.company, id=one.id)], None
            )
            (same,) = [planned for planned in plan if planned.asked == single.asked]
            assert same.quorum >= single.quorum
            assert one.id in same.rules
