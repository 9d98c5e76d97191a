"""The table of cases: who could decide in a step, by whose right, and who else."""

from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from itertools import permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from approvals.rules import (
    Deputy,
    Holding,
    Membership,
    People,
    Person,
    Purchase,
    Step,
    with_approvers,
)
from tests.approvals.values import HEAD, LEAF, ME, MIDDLE, OTHER, THIRD, holding, path

FOURTH, FIFTH = 13, 14
GROUP = Step(company=LEAF, approval_groups=(4,))
GROUP_ABOVE = Step(company=HEAD, approval_groups=(5,))


def deputy(of: int, person: int) -> Deputy:
    return Deputy(id=of * 100 + person, stands_in_for=of, person=Person(id=person))


@dataclass
class Case:
    """Who could decide: pairs of a person, and of whose right it is."""

    name: str
    step: Step
    expected: list[tuple[int, int]]
    staff: bool = False
    holdings: list[Holding] = field(default_factory=list)
    members: dict[int, list[int]] = field(default_factory=dict)
    groups: dict[int, list[int]] = field(default_factory=dict)
    deputies: list[Deputy] = field(default_factory=list)
    missing: int | None = None
    escalated: bool = False
    without: frozenset[int] = frozenset({ME})


TWO = Step(company=LEAF, approval_groups=(4,), quorum=2)
ADMIN_ABOVE = holding("ADMIN", at=MIDDLE, person=FOURTH)
BOSS = holding("ADMIN", at=HEAD, person=FIFTH)
AT_LEAF = {"groups": {LEAF: [4]}, "members": {4: [OTHER]}}
CASES = [
    Case(
        "a stand-in, beside the person",
        GROUP,
        [(OTHER, OTHER), (THIRD, OTHER)],
        deputies=[deputy(OTHER, THIRD)],
        **AT_LEAF,
    ),
    Case(
        "a stand-in of somebody without a right has none",
        GROUP,
        [(OTHER, OTHER)],
        deputies=[deputy(FOURTH, THIRD)],
        **AT_LEAF,
    ),
    Case(
        "no chain",
        GROUP,
        [(OTHER, OTHER), (THIRD, OTHER)],
        deputies=[deputy(OTHER, THIRD), deputy(THIRD, FOURTH)],
        **AT_LEAF,
    ),
    Case(
        "nor a circle",
        GROUP,
        [(OTHER, OTHER), (THIRD, OTHER)],
        deputies=[deputy(OTHER, THIRD), deputy(THIRD, OTHER)],
        **AT_LEAF,
    ),
    Case(
        "never back to the requester",
        GROUP,
        [(OTHER, OTHER)],
        deputies=[deputy(OTHER, ME)],
        **AT_LEAF,
    ),
    Case(
        "nobody by the right of the requester",
        GROUP,
        [],
        deputies=[deputy(ME, THIRD)],
        groups={LEAF: [4]},
        members={4: [ME]},
        staff=True,
    ),
    Case(
        "who has decided stands in for nobody",
        GROUP,
        [(OTHER, OTHER)],
        deputies=[deputy(OTHER, THIRD)],
        without=frozenset({ME, THIRD}),
        **AT_LEAF,
    ),
    Case(
        "named twice, there once",
        GROUP,
        [(OTHER, OTHER), (THIRD, OTHER)],
        deputies=[deputy(OTHER, THIRD), deputy(OTHER, THIRD)],
        **AT_LEAF,
    ),
    Case(
        "own right first, and the other's beside it",
        GROUP,
        [(OTHER, OTHER), (THIRD, THIRD), (THIRD, OTHER)],
        groups={LEAF: [4]},
        members={4: [OTHER, THIRD]},
        deputies=[deputy(OTHER, THIRD)],
    ),
    Case(
        "a stand-in counts for no quorum: the company above, too",
        TWO,
        [(OTHER, OTHER), (FOURTH, FOURTH), (THIRD, OTHER)],
        deputies=[deputy(OTHER, THIRD)],
        holdings=[ADMIN_ABOVE],
        **AT_LEAF,
    ),
    Case(
        "a stand-in of who steps in",
        GROUP,
        [(FOURTH, FOURTH), (THIRD, FOURTH)],
        holdings=[ADMIN_ABOVE, BOSS],
        groups={LEAF: [4]},
        deputies=[deputy(FOURTH, THIRD), deputy(FIFTH, THIRD)],
    ),
    # Escalated: one company more than needed.
    Case(
        "escalated",
        GROUP,
        [(OTHER, OTHER), (FOURTH, FOURTH)],
        holdings=[ADMIN_ABOVE, BOSS],
        escalated=True,
        **AT_LEAF,
    ),
    Case(
        "escalated, past a company without anybody",
        GROUP,
        [(OTHER, OTHER), (FIFTH, FIFTH)],
        holdings=[BOSS],
        escalated=True,
        **AT_LEAF,
    ),
    Case(
        "escalated, past a company where the requester is the only one",
        GROUP,
        [(OTHER, OTHER), (FIFTH, FIFTH)],
        holdings=[holding("ADMIN", at=MIDDLE), BOSS],
        escalated=True,
        **AT_LEAF,
    ),
    Case(
        "escalated after it had come to the company above already",
        GROUP,
        [(FOURTH, FOURTH), (FIFTH, FIFTH)],
        holdings=[ADMIN_ABOVE, BOSS],
        groups={LEAF: [4]},
        escalated=True,
    ),
    Case(
        "escalated at the top: the staff",
        GROUP_ABOVE,
        [(OTHER, OTHER)],
        groups={HEAD: [5]},
        members={5: [OTHER]},
        escalated=True,
        staff=True,
    ),
    Case("escalated, nobody anywhere", GROUP, [], escalated=True, staff=True),
    # Steps of groups above start at their company.
    Case(
        "a group above, not the admins here",
        GROUP_ABOVE,
        [(OTHER, OTHER)],
        groups={HEAD: [5]},
        members={5: [OTHER]},
        holdings=[holding("ADMIN", person=THIRD), ADMIN_ABOVE],
    ),
    Case(
        "an empty group at the top: the staff, nobody below",
        GROUP_ABOVE,
        [],
        groups={HEAD: [5]},
        holdings=[holding("ADMIN", person=THIRD), ADMIN_ABOVE],
        staff=True,
    ),
    Case(
        "only the group that is asked, not others of its company",
        Step(company=MIDDLE, approval_groups=(6,)),
        [(OTHER, OTHER)],
        groups={MIDDLE: [6, 7]},
        members={6: [OTHER], 7: [THIRD]},
    ),
    Case(
        "all groups of the company that steps in",
        GROUP,
        [(OTHER, OTHER), (THIRD, THIRD)],
        groups={LEAF: [4], MIDDLE: [6, 7]},
        members={6: [OTHER], 7: [THIRD]},
    ),
    # Quorums.
    Case(
        "two of three",
        TWO,
        [(OTHER, OTHER), (THIRD, THIRD), (FOURTH, FOURTH)],
        groups={LEAF: [4]},
        members={4: [OTHER, THIRD, FOURTH, ME]},
        holdings=[BOSS],
    ),
    Case(
        "two of two, one of whom asks",
        TWO,
        [(OTHER, OTHER), (FIFTH, FIFTH)],
        groups={LEAF: [4]},
        members={4: [OTHER, ME]},
        holdings=[BOSS],
    ),
    Case(
        "one of two has agreed, the other has left",
        TWO,
        [(FIFTH, FIFTH)],
        groups={LEAF: [4]},
        members={4: [OTHER]},
        holdings=[BOSS],
        missing=1,
        without=frozenset({ME, OTHER}),
    ),
    Case(
        "who is in the group and above counts once",
        TWO,
        [(OTHER, OTHER), (FIFTH, FIFTH)],
        groups={LEAF: [4]},
        members={4: [OTHER]},
        holdings=[holding("ADMIN", at=MIDDLE, person=OTHER), BOSS],
    ),
    Case(
        "more than there are anywhere: the staff, too",
        Step(company=LEAF, approval_groups=(4,), quorum=3),
        [(OTHER, OTHER), (FIFTH, FIFTH)],
        holdings=[BOSS],
        staff=True,
        **AT_LEAF,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_who_could_decide_by_whose_right(case: Case) -> None:
    memberships = [
        Membership(group=group, person=Person(id=person))
        for group, people in case.members.items()
        for person in people
    ]

    step = with_approvers(
        case.step,
        path(groups=case.groups),
        People(
            holdings=tuple(case.holdings),
            memberships=tuple(memberships),
            deputies=tuple(case.deputies),
        ),
        without=case.without,
        missing=case.missing,
        escalated=case.escalated,
    )

    found = [(approver.person.id, approver.right_of) for approver in step.approvers]
    assert (found, step.staff) == (case.expected, case.staff)


@pytest.mark.parametrize(
    ("most", "amount", "currency", "may"),
    [
        (None, "1000000.00", "USD", True),
        ("100.00", "99.99", "EUR", True),
        ("100.00", "100.00", "EUR", True),
        ("100.00", "100.01", "EUR", False),
        ("100.00", "1.00", "USD", False),
    ],
)
def test_a_stand_in_decides_up_to_an_amount_in_its_currency(
    most: str | None, amount: str, currency: str, may: bool
) -> None:
    limited = Deputy(
        id=1,
        stands_in_for=OTHER,
        person=Person(id=THIRD),
        most=None if most is None else Decimal(most),
        currency="" if most is None else "EUR",
    )
    purchase = Purchase(amount=Decimal(amount), currency=currency)

    able = People(deputies=(limited,)).able_to_decide(purchase)

    assert able.deputies == ((limited,) if may else ())


def test_a_stand_in_is_named_with_whose_right_it_is() -> None:
    people = People(
        memberships=(Membership(group=4, person=Person(id=OTHER)),),
        deputies=(deputy(OTHER, THIRD),),
    )

    step = with_approvers(GROUP, path(groups={LEAF: [4]}), people, without=())

    assert str(step.approvers[1].through) == (
        f"standing in for contact {OTHER}, approval group 4 of Company {LEAF}"
    )


PEOPLE = range(10, 16)
some = partial(st.lists, max_size=6)
people_of_all_kinds = st.builds(
    People,
    holdings=some(
        st.sampled_from(
            [
                holding(role, at=at, person=person, covers=covers)
                for role in ("ADMIN", "BUYER")
                for at in (HEAD, MIDDLE, LEAF)
                for person in PEOPLE
                for covers in (False, True)
            ]
        )
    ).map(tuple),
    memberships=some(
        st.sampled_from(
            [
                Membership(group=group, person=Person(id=person))
                for group in (4, 5, 6)
                for person in PEOPLE
            ]
        )
    ).map(tuple),
    deputies=some(
        st.sampled_from([deputy(*pair) for pair in permutations(PEOPLE, 2)])
    ).map(tuple),
)
steps_of_all_kinds = st.builds(
    Step,
    company=st.sampled_from([HEAD, MIDDLE, LEAF, 99]),
    roles=st.sampled_from([("ADMIN",), ("ADMIN", "BUYER")]),
    quorum=st.integers(1, 4),
) | st.builds(
    Step,
    company=st.sampled_from([HEAD, MIDDLE, LEAF, 99]),
    approval_groups=st.sampled_from([(4,), (5,), (4, 5, 6)]),
    quorum=st.integers(1, 4),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    people_of_all_kinds,
    steps_of_all_kinds,
    st.sets(st.integers(10, 15)),
    st.sampled_from([{}, {LEAF: [4]}, {HEAD: [5], MIDDLE: [6]}]),
    st.booleans(),
)
def test_somebody_can_always_decide_and_never_who_is_out(
    people: People,
    step: Step,
    out: set[int],
    groups: dict[int, list[int]],
    escalated: bool,
) -> None:
    found = with_approvers(
        step, path(groups=groups), people, without=out, escalated=escalated
    )

    deciding = {approver.person.id for approver in found.approvers}
    rights = {approver.right_of for approver in found.approvers}
    own = {a.person.id for a in found.approvers if a.person.id == a.right_of}
    assert not (deciding | rights) & out
    assert rights == own  # whoever gives a right has it now, and from nobody else
    assert found.staff or len(own) >= step.quorum
    named = [(a.person.id, a.right_of) for a in found.approvers]
    assert len(named) == len(set(named))
