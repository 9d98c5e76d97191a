"""Propagation over random trees, against a recomputation that knows no shortcut."""

from typing import NamedTuple

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from companies.models import Company
from groups.models import CustomerGroup, GroupPropagation
from groups.pricing import answer, pricing_context
from tests.factories import make_company, make_contact
from tests.groups.makers import make_group, person

pytestmark = pytest.mark.django_db

KINDS = {"ADMIN": "ADMINS", "BUYER": "BUYERS", "REQUESTER": "REQUESTERS"}
RANK = ["CUSTOM", "ADMINS", "BUYERS", "REQUESTERS", "CONTACTS"]


class Drawn(NamedTuple):
    """Company number n has the parent parents[n], an earlier one or none."""

    parents: list[int | None]
    modes: dict[int, str]  # of some head companies
    roles: dict[int, str]  # of the person, by company
    custom: list[int | None]  # the companies of groups the person is put in
    price_lists: dict[tuple[int, str], str]


@st.composite
def draws(draw) -> Drawn:
    size = draw(st.integers(1, 8))
    parents: list[int | None] = [None]
    for number in range(1, size):
        # Seldom a second hierarchy: it must not show in the first.
        new = draw(st.integers(0, 5)) == 0
        parents.append(None if new else draw(st.integers(0, number - 1)))
    numbers = st.integers(0, size - 1)
    heads = [number for number, parent in enumerate(parents) if parent is None]
    modes = st.sampled_from(["UPWARD", "DOWNWARD", "DISABLED"])
    roles = st.sampled_from(["ADMIN", "BUYER", "REQUESTER", ""])
    return Drawn(
        parents,
        draw(st.dictionaries(st.sampled_from(heads), modes)),
        draw(st.dictionaries(numbers, roles, max_size=5)),
        draw(st.lists(st.one_of(st.none(), numbers), max_size=3)),
        draw(
            st.dictionaries(
                st.tuples(numbers, st.sampled_from(RANK[1:])),
                st.sampled_from(["GOLD", "SILVER"]),
                max_size=6,
            )
        ),
    )


def upwards(drawn: Drawn, company: int) -> list[int]:
    parent = drawn.parents[company]
    return [company, *(upwards(drawn, parent) if parent is not None else [])]


def head(drawn: Drawn, company: int) -> int:
    return upwards(drawn, company)[-1]


def holding(drawn: Drawn, kind: str) -> list[int]:
    """The companies in which the person is in that automatic group."""
    return [
        company
        for company, role in drawn.roles.items()
        if kind in ("CONTACTS", KINDS.get(role))
    ]


def way(drawn: Drawn, company: int, kind: str) -> str | None:
    """How the person counts in the automatic group of the company, if at all."""
    mode = drawn.modes.get(head(drawn, company), "UPWARD")
    held = holding(drawn, kind)
    if company in held:
        return "direct"
    if mode == "UPWARD" and any(company in upwards(drawn, other) for other in held):
        return "upward"
    if mode == "DOWNWARD" and any(other in upwards(drawn, company) for other in held):
        return "downward"
    return None


def is_assigned(drawn: Drawn, buys_for: int) -> bool:
    return any(head(drawn, c) == head(drawn, buys_for) for c in drawn.roles)


def naive(drawn: Drawn, buys_for: int) -> list[tuple]:
    """(company, kind, whence) of all groups that count, in order."""
    if not is_assigned(drawn, buys_for):
        return []
    found = []
    for company in [*upwards(drawn, buys_for), None]:
        put_in = drawn.custom.count(company)
        found += [(company, "CUSTOM", "by_hand")] * put_in
        for kind in RANK[1:] if company is not None else []:
            found.append((company, kind, way(drawn, company, kind)))
    return [one for one in found if one[2]]


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(drawn=draws())
def test_the_tree_gives_what_a_naive_recomputation_gives(db, drawn):
    with transaction.atomic():
        companies: list[Company] = []
        for parent in drawn.parents:
            above = None if parent is None else companies[parent]
            companies.append(make_company(parent=above))
        contact = make_contact()
        for number, role in drawn.roles.items():
            person(companies[number], role, contact=contact)
        for number, mode in drawn.modes.items():
            GroupPropagation.objects.create(company=companies[number], mode=mode)
        for number in drawn.custom:
            of = None if number is None else companies[number]
            make_group(contact, company=of)
        for (number, kind), code in drawn.price_lists.items():
            groups = CustomerGroup.objects.filter(company=companies[number], kind=kind)
            groups.update(price_list=code)
        numbers = {company.pk: number for number, company in enumerate(companies)}

        for number, company in enumerate(companies):
            found = answer(pricing_context(contact, company))
            expected = naive(drawn, number)
            groups = [
                (numbers.get(group["company"]), group["kind"], group["why"]["code"])
                for group in found["groups"]
            ]
            assert groups == expected
            assert (found["reason"] is None) == is_assigned(drawn, number)
            codes = [drawn.price_lists.get((c, kind)) for c, kind, _way in expected]
            given_lists = [row["code"] for row in found["price_lists"]]
            assert given_lists == list(dict.fromkeys(filter(None, codes)))
        transaction.set_rollback(True)
