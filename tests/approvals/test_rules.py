"""The table of cases: who may buy what, and who has to agree."""

from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.rules import (
    Decision,
    Holding,
    LimitState,
    Membership,
    People,
    Person,
    Purchase,
    Situation,
    Step,
    decide,
    role_of,
    with_approvers,
)
from tests.approvals.values import (
    HEAD,
    LEAF,
    ME,
    MIDDLE,
    OTHER,
    THIRD,
    holding,
    limit,
    path,
)


@dataclass
class Case:
    """What is asked, and the answer: outcome, reasons, who has to agree."""

    name: str
    holdings: list[Holding]
    outcome: str
    reasons: list[str]
    amount: str = "100.00"
    currency: str = "EUR"
    limits: list[LimitState] = field(default_factory=list)
    statuses: dict[int, str] = field(default_factory=dict)
    groups: dict[int, list[int]] = field(default_factory=dict)
    active: bool = True
    asks: tuple[int, tuple[int, ...], tuple[str, ...]] | None = None


ALLOWED, APPROVAL, BLOCKED = "ALLOWED", "APPROVAL_REQUIRED", "BLOCKED"
ADMIN = [holding("ADMIN")]
BUYER = [holding("BUYER")]
REQUESTER = [holding("REQUESTER")]
BY_ADMINS = (LEAF, (), ("ADMIN",))
BY_BUYERS = (LEAF, (), ("ADMIN", "BUYER"))
EXCEEDED, WITHIN, WARNING = "limit_exceeded", "within_limits", "limit_warning"
ASKS = "requester_needs_approval"
UNKNOWN = "currency_without_limit"
UNLIMITED = "admin_unlimited"
NAMED_ADMIN = {"whom": "ROLES", "roles": ("ADMIN",)}

CASES = [
    # No limit row: not limited.
    Case("admin, no limit", ADMIN, ALLOWED, [UNLIMITED]),
    Case("buyer, no limit", BUYER, ALLOWED, [WITHIN]),
    Case("requester, no limit", REQUESTER, APPROVAL, [ASKS], asks=BY_BUYERS),
    # The border, by one minor unit.
    Case("buyer below", BUYER, ALLOWED, [WITHIN], limits=[limit("100.01")]),
    Case("buyer at the limit", BUYER, ALLOWED, [WITHIN], limits=[limit("100.00")]),
    Case(
        "buyer a cent above",
        BUYER,
        APPROVAL,
        [EXCEEDED],
        limits=[limit("99.99")],
        asks=BY_ADMINS,
    ),
    Case(
        "requester below",
        REQUESTER,
        APPROVAL,
        [ASKS],
        limits=[limit("100.01")],
        asks=BY_BUYERS,
    ),
    Case(
        "requester at the limit",
        REQUESTER,
        APPROVAL,
        [ASKS],
        limits=[limit("100.00")],
        asks=BY_BUYERS,
    ),
    Case(
        "requester a cent above",
        REQUESTER,
        APPROVAL,
        [EXCEEDED, ASKS],
        limits=[limit("99.99")],
        asks=BY_ADMINS,
    ),
    Case("admin a cent above", ADMIN, ALLOWED, [UNLIMITED], limits=[limit("99.99")]),
    Case(
        "one yen above",
        BUYER,
        APPROVAL,
        [EXCEEDED],
        amount="101",
        currency="JPY",
        limits=[limit("100", currency="JPY")],
        asks=BY_ADMINS,
    ),
    Case(
        "a thousandth dinar above",
        BUYER,
        APPROVAL,
        [EXCEEDED],
        amount="100.001",
        currency="BHD",
        limits=[limit("100", currency="BHD")],
        asks=BY_ADMINS,
    ),
    # Amount 0 and "unlimited" and no row are three things.
    Case("buyer, 0", BUYER, APPROVAL, [EXCEEDED], limits=[limit("0")], asks=BY_ADMINS),
    Case(
        "buyer, 0, a cent",
        BUYER,
        APPROVAL,
        [EXCEEDED],
        amount="0.01",
        limits=[limit("0")],
        asks=BY_ADMINS,
    ),
    Case(
        "buyer, 0, block",
        BUYER,
        BLOCKED,
        [EXCEEDED],
        limits=[limit("0", on_exceed="BLOCK")],
    ),
    Case("admin, 0", ADMIN, ALLOWED, [UNLIMITED], limits=[limit("0")]),
    Case("buyer, unlimited", BUYER, ALLOWED, [WITHIN], limits=[limit(None)]),
    Case(
        "requester, unlimited",
        REQUESTER,
        APPROVAL,
        [ASKS],
        limits=[limit(None)],
        asks=BY_BUYERS,
    ),
    Case(
        "unlimited here, limited above",
        BUYER,
        APPROVAL,
        [EXCEEDED],
        limits=[limit("50", at=HEAD), limit(None)],
        asks=BY_ADMINS,
    ),
    Case(
        "unlimited above, limited here",
        BUYER,
        APPROVAL,
        [EXCEEDED],
        limits=[limit(None, at=HEAD), limit("50")],
        asks=BY_ADMINS,
    ),
    # Currencies are never mixed.
    Case(
        "buyer, other currency",
        BUYER,
        APPROVAL,
        [UNKNOWN],
        currency="USD",
        limits=[limit("1000000")],
        asks=BY_ADMINS,
    ),
    Case(
        "requester, other currency",
        REQUESTER,
        APPROVAL,
        [UNKNOWN, ASKS],
        currency="USD",
        limits=[limit("1000000")],
        asks=BY_ADMINS,
    ),
    Case(
        "admin, other currency",
        ADMIN,
        ALLOWED,
        [UNLIMITED],
        currency="USD",
        limits=[limit("1")],
    ),
    Case(
        "named admin, other currency",
        ADMIN,
        APPROVAL,
        [UNKNOWN],
        currency="USD",
        limits=[limit("1", **NAMED_ADMIN)],
        asks=BY_ADMINS,
    ),
    Case(
        "unlimited in euros only",
        BUYER,
        APPROVAL,
        [UNKNOWN],
        currency="USD",
        limits=[limit(None)],
        asks=BY_ADMINS,
    ),
    Case(
        "only warned in euros",
        BUYER,
        APPROVAL,
        [UNKNOWN],
        currency="USD",
        limits=[limit("1", on_exceed="WARN")],
        asks=BY_ADMINS,
    ),
    Case(
        "only blocked in euros",
        BUYER,
        APPROVAL,
        [UNKNOWN],
        currency="USD",
        limits=[limit("1", on_exceed="BLOCK")],
        asks=BY_ADMINS,
    ),
    Case(
        "limits in both",
        BUYER,
        ALLOWED,
        [WITHIN],
        currency="USD",
        limits=[limit("1"), limit("100", currency="USD", id=301)],
    ),
    Case(
        "the currency is known above",
        BUYER,
        ALLOWED,
        [WITHIN],
        currency="USD",
        limits=[limit("1"), limit("100", currency="USD", at=HEAD)],
    ),
    Case(
        "the currency is limited for others only",
        BUYER,
        APPROVAL,
        [UNKNOWN],
        currency="USD",
        limits=[
            limit("1"),
            limit("9", currency="USD", whom="CONTACT", contact=OTHER, id=301),
        ],
        asks=BY_ADMINS,
    ),
    # What happens beyond.
    Case(
        "buyer, block",
        BUYER,
        BLOCKED,
        [EXCEEDED],
        limits=[limit("99", on_exceed="BLOCK")],
    ),
    Case(
        "buyer, block, at the limit",
        BUYER,
        ALLOWED,
        [WITHIN],
        limits=[limit("100", on_exceed="BLOCK")],
    ),
    Case(
        "requester, block",
        REQUESTER,
        BLOCKED,
        [EXCEEDED, ASKS],
        limits=[limit("99", on_exceed="BLOCK")],
    ),
    Case(
        "buyer, warn",
        BUYER,
        ALLOWED,
        [WARNING],
        limits=[limit("99", on_exceed="WARN")],
    ),
    Case(
        "requester, warn",
        REQUESTER,
        APPROVAL,
        [ASKS, WARNING],
        limits=[limit("99", on_exceed="WARN")],
        asks=BY_BUYERS,
    ),
    Case(
        "warn and approve",
        BUYER,
        APPROVAL,
        [EXCEEDED, WARNING],
        limits=[limit("50", on_exceed="WARN", at=HEAD), limit("99")],
        asks=BY_ADMINS,
    ),
    Case(
        "approve and block",
        BUYER,
        BLOCKED,
        [EXCEEDED, EXCEEDED],
        limits=[limit("50"), limit("99", on_exceed="BLOCK", at=HEAD)],
    ),
    Case(
        "warn and block",
        BUYER,
        BLOCKED,
        [EXCEEDED, WARNING],
        limits=[
            limit("50", on_exceed="WARN"),
            limit("99", on_exceed="BLOCK", at=HEAD),
        ],
    ),
    Case(
        "all three",
        BUYER,
        BLOCKED,
        [EXCEEDED, EXCEEDED, WARNING],
        limits=[
            limit("1", on_exceed="WARN", at=HEAD),
            limit("2", at=MIDDLE),
            limit("3", on_exceed="BLOCK"),
        ],
    ),
    Case(
        "block in another currency",
        BUYER,
        ALLOWED,
        [WITHIN],
        limits=[
            limit("100"),
            limit("1", currency="USD", on_exceed="BLOCK", at=HEAD),
        ],
    ),
    # All limits on the path.
    Case(
        "within here, above the head's",
        BUYER,
        APPROVAL,
        [EXCEEDED],
        limits=[limit("99", at=HEAD), limit("1000")],
        asks=BY_ADMINS,
    ),
    Case(
        "above here, within the head's",
        BUYER,
        APPROVAL,
        [EXCEEDED],
        limits=[limit("1000", at=HEAD), limit("99")],
        asks=BY_ADMINS,
    ),
    Case(
        "within all",
        BUYER,
        ALLOWED,
        [WITHIN],
        limits=[limit("100", at=HEAD), limit("100", at=MIDDLE), limit("100")],
    ),
    # Whom they bind.
    Case(
        "named role",
        BUYER,
        APPROVAL,
        [EXCEEDED],
        limits=[limit("1", whom="ROLES", roles=("BUYER",))],
        asks=BY_ADMINS,
    ),
    Case(
        "other role",
        BUYER,
        ALLOWED,
        [WITHIN],
        limits=[limit("1", whom="ROLES", roles=("REQUESTER", "ADMIN"))],
    ),
    Case(
        "named person",
        BUYER,
        APPROVAL,
        [EXCEEDED],
        limits=[limit("1", whom="CONTACT", contact=ME)],
        asks=BY_ADMINS,
    ),
    Case(
        "other person",
        BUYER,
        ALLOWED,
        [WITHIN],
        limits=[limit("1", whom="CONTACT", contact=OTHER)],
    ),
    Case(
        "admin named by role",
        ADMIN,
        APPROVAL,
        [EXCEEDED],
        limits=[limit("99", **NAMED_ADMIN)],
        asks=BY_ADMINS,
    ),
    Case(
        "admin named by role, at the limit",
        ADMIN,
        ALLOWED,
        [WITHIN],
        limits=[limit("100", **NAMED_ADMIN)],
    ),
    Case(
        "admin named in person",
        ADMIN,
        APPROVAL,
        [EXCEEDED],
        limits=[limit("99", whom="CONTACT", contact=ME)],
        asks=BY_ADMINS,
    ),
    Case(
        "admin named, block",
        ADMIN,
        BLOCKED,
        [EXCEEDED],
        limits=[limit("99", on_exceed="BLOCK", **NAMED_ADMIN)],
    ),
    Case(
        "admin named, unlimited",
        ADMIN,
        ALLOWED,
        [WITHIN],
        limits=[limit(None, **NAMED_ADMIN)],
    ),
    Case(
        "all and block does not bind admins",
        ADMIN,
        ALLOWED,
        [UNLIMITED],
        limits=[limit("1", on_exceed="BLOCK")],
    ),
    # Companies and people out of order.
    Case("on hold", BUYER, BLOCKED, ["company_not_active"], statuses={LEAF: "ON_HOLD"}),
    Case(
        "head on hold",
        ADMIN,
        BLOCKED,
        ["company_not_active"],
        statuses={HEAD: "ON_HOLD"},
    ),
    Case(
        "middle closed",
        BUYER,
        BLOCKED,
        ["company_not_active"],
        statuses={MIDDLE: "CLOSED"},
    ),
    Case("draft", BUYER, BLOCKED, ["company_not_active"], statuses={LEAF: "DRAFT"}),
    Case("deactivated", [], BLOCKED, ["contact_not_active"], active=False),
    Case(
        "deactivated and on hold",
        [],
        BLOCKED,
        ["company_not_active", "contact_not_active"],
        active=False,
        statuses={HEAD: "ON_HOLD"},
    ),
    Case("not assigned", [], BLOCKED, ["not_assigned"]),
    Case(
        "not assigned, on hold",
        [],
        BLOCKED,
        ["company_not_active", "not_assigned"],
        statuses={LEAF: "ON_HOLD"},
    ),
    Case("without role", [holding("")], BLOCKED, ["no_buying_role"]),
    Case(
        "admin above, not covering",
        [holding("ADMIN", at=HEAD)],
        BLOCKED,
        ["not_assigned"],
    ),
    Case(
        "admin above, covering",
        [holding("ADMIN", at=HEAD, covers=True)],
        ALLOWED,
        [UNLIMITED],
    ),
    Case(
        "buyer above, covering",
        [holding("BUYER", at=MIDDLE, covers=True)],
        APPROVAL,
        [EXCEEDED],
        limits=[limit("1")],
        asks=BY_ADMINS,
    ),
    Case(
        "the strongest role counts",
        [holding("REQUESTER"), holding("BUYER", at=HEAD, covers=True)],
        ALLOWED,
        [WITHIN],
    ),
    Case(
        "a role above that does not cover adds nothing",
        [holding("REQUESTER"), holding("ADMIN", at=HEAD)],
        APPROVAL,
        [ASKS],
        asks=BY_BUYERS,
    ),
    Case(
        "without role here, covering role above",
        [holding(""), holding("REQUESTER", at=HEAD, covers=True)],
        APPROVAL,
        [ASKS],
        asks=BY_BUYERS,
    ),
    # Approval groups take the place of roles.
    Case(
        "group of the company",
        REQUESTER,
        APPROVAL,
        [ASKS],
        groups={LEAF: [4]},
        asks=(LEAF, (4,), ()),
    ),
    Case(
        "group above",
        REQUESTER,
        APPROVAL,
        [ASKS],
        groups={HEAD: [5]},
        asks=(HEAD, (5,), ()),
    ),
    Case(
        "the nearest group",
        BUYER,
        APPROVAL,
        [EXCEEDED],
        limits=[limit("1")],
        groups={HEAD: [5], MIDDLE: [6]},
        asks=(MIDDLE, (6,), ()),
    ),
    Case(
        "two groups of one company",
        REQUESTER,
        APPROVAL,
        [ASKS],
        groups={LEAF: [4, 7]},
        asks=(LEAF, (4, 7), ()),
    ),
    Case("a group, nothing to approve", BUYER, ALLOWED, [WITHIN], groups={LEAF: [4]}),
    Case(
        "a group does not open a block",
        BUYER,
        BLOCKED,
        [EXCEEDED],
        limits=[limit("1", on_exceed="BLOCK")],
        groups={LEAF: [4]},
    ),
]


def answer_to(case: Case) -> Decision:
    return decide(
        Purchase(amount=Decimal(case.amount), currency=case.currency),
        Situation(
            path=path(groups=case.groups, statuses=case.statuses),
            person=Person(id=ME),
            person_is_active=case.active,
            holdings=tuple(case.holdings),
            limits=tuple(case.limits),
        ),
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_role_matrix(case: Case) -> None:
    decision = answer_to(case)

    assert decision.outcome == case.outcome
    assert [str(reason.code) for reason in decision.reasons] == case.reasons
    asked = [(s.company, s.approval_groups, s.roles) for s in decision.steps]
    assert asked == ([case.asks] if case.asks else [])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_limit_is_carried_and_says_whether_it_bit(case: Case) -> None:
    decision = answer_to(case)

    assert [carried.id for carried in decision.limits] == [x.id for x in case.limits]
    biting = {carried.id for carried in decision.limits if carried.bites}
    named = {reason.limit.id for reason in decision.reasons if reason.limit}
    out_of_order = decision.outcome == BLOCKED and EXCEEDED not in case.reasons
    assert named == (set() if out_of_order else biting)


def test_the_tightest_limit_comes_first() -> None:
    limits = (limit("50", at=HEAD), limit("10", at=MIDDLE), limit("30"))

    decision = decide(
        Purchase(amount=Decimal(100), currency="EUR"),
        Situation(
            path=path(), person=Person(id=ME), holdings=tuple(BUYER), limits=limits
        ),
    )

    assert [reason.limit.company for reason in decision.reasons] == [MIDDLE, LEAF, HEAD]


def test_blocking_limits_come_before_tighter_ones() -> None:
    limits = (limit("90", at=HEAD, on_exceed="BLOCK"), limit("10"))

    decision = decide(
        Purchase(amount=Decimal(100), currency="EUR"),
        Situation(
            path=path(), person=Person(id=ME), holdings=tuple(BUYER), limits=limits
        ),
    )

    assert [reason.limit.company for reason in decision.reasons] == [HEAD, LEAF]


def test_what_is_used_and_reserved_is_not_there_any_more() -> None:
    spent = limit("100", used=Decimal(30), reserved=Decimal("20.01"))

    facing = spent.facing(Purchase(amount=Decimal(50), currency="EUR"), ME, "BUYER")

    assert facing.remaining == Decimal("49.99")
    assert facing.bites


def test_of_equal_roles_the_nearest_is_named() -> None:
    situation = Situation(
        path=path(),
        person=Person(id=ME),
        holdings=(holding("BUYER", at=HEAD, covers=True), holding("BUYER")),
    )

    role = role_of(situation)

    assert (role.company, str(role.through)) == (LEAF, "assignment 103 of Company 3")


# Who could decide: the step, who there is, who is eligible and through what.

IN_GROUP = "approval group {} of Company {}"
HELD = "assignment {} of Company {}"


@dataclass
class Eligible:
    name: str
    step: Step
    expected: dict[int, str]
    staff: bool = False
    holdings: list[Holding] = field(default_factory=list)
    members: dict[int, list[int]] = field(default_factory=dict)
    groups: dict[int, list[int]] = field(default_factory=dict)
    missing: int | None = None
    without: frozenset[int] = frozenset({ME})


ADMINS_STEP = Step(company=LEAF, roles=("ADMIN",))
BUYERS_STEP = Step(company=LEAF, roles=("ADMIN", "BUYER"))
GROUP_STEP = Step(company=LEAF, approval_groups=(4,))
ELIGIBLE = [
    Eligible(
        "admin of the company",
        ADMINS_STEP,
        {OTHER: HELD.format(113, LEAF)},
        holdings=[holding("ADMIN", person=OTHER)],
    ),
    Eligible(
        "a buyer does not approve above the limit",
        ADMINS_STEP,
        {},
        holdings=[holding("BUYER", person=OTHER)],
        staff=True,
    ),
    Eligible(
        "a buyer approves within",
        BUYERS_STEP,
        {OTHER: HELD.format(113, LEAF)},
        holdings=[holding("BUYER", person=OTHER)],
    ),
    Eligible(
        "admin above who covers",
        ADMINS_STEP,
        {OTHER: HELD.format(111, HEAD)},
        holdings=[holding("ADMIN", at=HEAD, person=OTHER, covers=True)],
    ),
    Eligible(
        "nobody here: the admin above steps in",
        ADMINS_STEP,
        {OTHER: HELD.format(112, MIDDLE)},
        holdings=[holding("ADMIN", at=MIDDLE, person=OTHER)],
    ),
    Eligible(
        "the nearest above, not the head",
        ADMINS_STEP,
        {OTHER: HELD.format(112, MIDDLE)},
        holdings=[
            holding("ADMIN", at=HEAD, person=THIRD),
            holding("ADMIN", at=MIDDLE, person=OTHER),
        ],
    ),
    Eligible(
        "a buyer above does not step in",
        BUYERS_STEP,
        {},
        holdings=[holding("BUYER", at=MIDDLE, person=OTHER)],
        staff=True,
    ),
    Eligible("nobody at all: the staff", ADMINS_STEP, {}, staff=True),
    Eligible(
        "never the requester",
        ADMINS_STEP,
        {},
        holdings=[holding("ADMIN"), holding("ADMIN", at=HEAD)],
        staff=True,
    ),
    Eligible(
        "members of the group",
        GROUP_STEP,
        {OTHER: IN_GROUP.format(4, LEAF), THIRD: IN_GROUP.format(4, LEAF)},
        groups={LEAF: [4]},
        members={4: [OTHER, THIRD, ME]},
    ),
    Eligible(
        "the group takes the place of admins",
        GROUP_STEP,
        {OTHER: IN_GROUP.format(4, LEAF)},
        groups={LEAF: [4]},
        members={4: [OTHER]},
        holdings=[holding("ADMIN", person=THIRD)],
    ),
    Eligible(
        "only the requester in the group: the admin above",
        GROUP_STEP,
        {THIRD: HELD.format(121, HEAD)},
        groups={LEAF: [4]},
        members={4: [ME]},
        holdings=[holding("ADMIN", at=HEAD, person=THIRD)],
    ),
    Eligible(
        "an empty group: the group above",
        GROUP_STEP,
        {OTHER: IN_GROUP.format(5, HEAD)},
        groups={LEAF: [4], HEAD: [5]},
        members={5: [OTHER]},
        holdings=[holding("ADMIN", at=HEAD, person=THIRD)],
    ),
    Eligible(
        "the group is gone: the company above",
        GROUP_STEP,
        {OTHER: HELD.format(112, MIDDLE)},
        members={4: [THIRD]},
        holdings=[holding("ADMIN", at=MIDDLE, person=OTHER)],
    ),
    Eligible(
        "a group elsewhere gives nothing",
        Step(company=99, approval_groups=(4,)),
        {OTHER: HELD.format(113, LEAF)},
        members={4: [THIRD]},
        holdings=[holding("ADMIN", person=OTHER)],
    ),
    Eligible(
        "moved away: the group where it is now",
        Step(company=99, roles=("ADMIN",)),
        {THIRD: IN_GROUP.format(4, LEAF)},
        groups={LEAF: [4]},
        members={4: [THIRD]},
    ),
    Eligible(
        "who has decided does not decide again",
        GROUP_STEP,
        {THIRD: IN_GROUP.format(4, LEAF)},
        groups={LEAF: [4]},
        members={4: [OTHER, THIRD]},
        without=frozenset({ME, OTHER}),
    ),
    Eligible(
        "too few for the quorum: the company above, too",
        Step(company=LEAF, approval_groups=(4,), quorum=2),
        {OTHER: IN_GROUP.format(4, LEAF), THIRD: HELD.format(122, MIDDLE)},
        groups={LEAF: [4]},
        members={4: [OTHER]},
        holdings=[holding("ADMIN", at=MIDDLE, person=THIRD)],
    ),
    Eligible(
        "too few for the quorum anywhere: the staff, too",
        Step(company=LEAF, roles=("ADMIN",), quorum=2),
        {OTHER: HELD.format(113, LEAF)},
        holdings=[holding("ADMIN", person=OTHER)],
        staff=True,
    ),
    Eligible(
        "one of two has agreed",
        Step(company=LEAF, roles=("ADMIN",), quorum=2),
        {OTHER: HELD.format(113, LEAF)},
        holdings=[holding("ADMIN", person=OTHER)],
        missing=1,
    ),
]


@pytest.mark.parametrize("case", ELIGIBLE, ids=lambda case: case.name)
def test_who_could_decide_now(case: Eligible) -> None:
    memberships = [
        Membership(group=group, person=Person(id=person))
        for group, people in case.members.items()
        for person in people
    ]

    step = with_approvers(
        case.step,
        path(groups=case.groups),
        People(holdings=tuple(case.holdings), memberships=tuple(memberships)),
        without=case.without,
        missing=case.missing,
    )

    found = {a.person.id: str(a.through) for a in step.approvers}
    assert (found, step.staff) == (case.expected, case.staff)


amounts = st.integers(1, 400).map(lambda cents: Decimal(cents) / 100)
caps = st.none() | st.integers(0, 400).map(lambda cents: Decimal(cents) / 100)
limits_of_all_kinds = st.lists(
    st.builds(
        LimitState,
        id=st.integers(1, 9),
        company=st.sampled_from([HEAD, MIDDLE, LEAF]),
        company_name=st.just(""),
        cap=caps,
        currency=st.sampled_from(["EUR", "USD"]),
        on_exceed=st.sampled_from(["APPROVE", "BLOCK", "WARN"]),
        whom=st.sampled_from(["ALL", "ROLES"]),
        roles=st.just(("ADMIN", "BUYER")),
    ),
    max_size=4,
)


@given(
    amounts,
    limits_of_all_kinds,
    st.sampled_from(["ADMIN", "BUYER", "REQUESTER"]),
)
def test_more_money_never_makes_it_easier(
    amount: Decimal, limits: list[LimitState], role: str
) -> None:
    situation = Situation(
        path=path(),
        person=Person(id=ME),
        holdings=(holding(role),),
        limits=tuple(limits),
    )
    order = [ALLOWED, APPROVAL, BLOCKED]

    less, more = (
        order.index(decide(Purchase(amount=value, currency="EUR"), situation).outcome)
        for value in (amount, amount + Decimal("0.01"))
    )

    assert less <= more


@given(amounts, limits_of_all_kinds, st.sampled_from(["ADMIN", "BUYER", "REQUESTER"]))
def test_the_outcome_follows_from_the_limits_that_bind(
    amount: Decimal, limits: list[LimitState], role: str
) -> None:
    binding = [x for x in limits if x.whom == "ROLES" or role != "ADMIN"]
    if role == "REQUESTER":
        binding = [x for x in limits if x.whom == "ALL"]
    exceeded = {
        x.on_exceed
        for x in binding
        if x.currency == "EUR" and x.cap is not None and amount > x.cap
    }
    nothing_in_euros = bool(binding) and all(x.currency != "EUR" for x in binding)
    if "BLOCK" in exceeded:
        expected = BLOCKED
    elif "APPROVE" in exceeded or nothing_in_euros or role == "REQUESTER":
        expected = APPROVAL
    else:
        expected = ALLOWED

    decision = decide(
        Purchase(amount=amount, currency="EUR"),
        Situation(
            path=path(),
            person=Person(id=ME),
            holdings=(holding(role),),
            limits=tuple(limits),
        ),
    )

    assert decision.outcome == expected
