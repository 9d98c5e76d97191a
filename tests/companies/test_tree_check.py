import json
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from companies.errors import TreeNotRepairable
from companies.models import Company
from companies.tree.check import find_tree_faults, repair_tree
from tests.factories import make_company

pytestmark = pytest.mark.django_db

CHECKS = (
    "companies_company_not_own_parent",
    "companies_company_numbers_in_order",
    "companies_company_head_has_own_tree",
)
NOBODY = 999_999


@contextmanager
def guards_off() -> Iterator[None]:
    """The database takes everything meanwhile; all of it is undone at the end."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                if connection.vendor == "postgresql":
                    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
                    cursor.execute("ALTER TABLE companies_company DISABLE TRIGGER ALL")
                    for name in CHECKS:
                        cursor.execute(
                            f"ALTER TABLE companies_company DROP CONSTRAINT {name}"
                        )
                else:
                    cursor.execute("DROP TRIGGER companies_company_no_cycle")
                    cursor.execute("PRAGMA ignore_check_constraints = ON")
            yield
            transaction.set_rollback(True)
    finally:
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA ignore_check_constraints = OFF")


def scribble(pk: int, **columns: Any) -> None:
    assignments = ", ".join(f"{name} = %s" for name in columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE companies_company SET {assignments} WHERE id = %s",
            [*columns.values(), pk],
        )
        assert cursor.rowcount == 1


def make_group() -> dict[str, int]:
    """1 acme 8 ( 2 north 5 ( 3 oslo 4 ), 6 south 7 ), 1 other 4 ( 2 below 3 )."""
    acme = make_company()
    north = make_company(parent=acme)
    oslo = make_company(parent=north)
    south = make_company(parent=acme)
    other = make_company()
    below = make_company(parent=other)
    pks = {"acme": acme.pk, "north": north.pk, "oslo": oslo.pk, "south": south.pk}
    return pks | {"other": other.pk, "below": below.pk}


def stored() -> dict[int, tuple[int, ...]]:
    rows = Company.objects.values_list("pk", "tree_id", "lft", "rght", "level")
    return {row[0]: row[1:] for row in rows}


def from_parents() -> dict[int, tuple[int, ...]]:
    """The numbers that the parents demand; siblings in the order of their lft."""
    children: dict[int | None, list[int]] = {}
    for pk, parent in Company.objects.order_by("lft", "pk").values_list("pk", "parent"):
        children.setdefault(parent, []).append(pk)
    numbers: dict[int, tuple[int, ...]] = {}

    def number(pk: int, head: int, lft: int, level: int) -> int:
        following = lft + 1
        for child in children.get(pk, []):
            following = number(child, head, following, level + 1)
        numbers[pk] = (head, lft, following, level)
        return following + 1

    for head in children[None]:
        number(head, head, 1, 0)
    return numbers


DAMAGES = [
    # kind, the companies named, what is written where
    ("head_without_own_tree", ["other"], {"other": {"tree_id": 77}}),
    ("head_without_own_tree", ["other"], {"other": {"tree_id": "acme"}}),
    ("other_hierarchy", ["oslo"], {"oslo": {"tree_id": "other"}}),
    ("other_hierarchy", ["oslo"], {"oslo": {"tree_id": 77}}),
    ("wrong_level", ["oslo"], {"oslo": {"level": 3}}),
    ("wrong_level", ["acme"], {"acme": {"level": 1}}),
    ("lft_not_before_rght", ["oslo"], {"oslo": {"lft": 4, "rght": 3}}),
    ("lft_not_before_rght", ["oslo"], {"oslo": {"lft": 4, "rght": 4}}),
    (
        "outside_parent",
        ["oslo"],
        {"north": {"lft": 2, "rght": 3}, "oslo": {"lft": 4, "rght": 5}},
    ),
    (
        "inside_another",
        ["south"],
        {"north": {"rght": 7}, "south": {"lft": 5, "rght": 6}},
    ),
    ("inside_another", ["other"], {"other": {"tree_id": "acme", "lft": 2, "rght": 7}}),
    (
        "partial_overlap",
        ["north", "south"],
        {"north": {"rght": 6}, "south": {"lft": 5}},
    ),
    ("duplicate_number", ["north", "south"], {"south": {"lft": 5}}),
    ("duplicate_number", ["north", "oslo"], {"oslo": {"lft": 2, "rght": 5}}),
    ("gap", ["acme"], {"acme": {"rght": 10}}),
    ("gap", ["other"], {"other": {"lft": 0}}),
    (
        "gap",
        ["other"],
        {"other": {"lft": 11, "rght": 14}, "below": {"lft": 12, "rght": 13}},
    ),
]


@pytest.mark.parametrize(("kind", "named", "damage"), DAMAGES)
def test_each_kind_of_damage_is_found_and_repaired(kind, named, damage):
    group = make_group()
    sound = stored()
    with guards_off():
        for name, columns in damage.items():
            columns = {key: group.get(value, value) for key, value in columns.items()}
            scribble(group[name], **columns)

        found = {(fault.kind, fault.companies) for fault in find_tree_faults()}
        changed = repair_tree()

        assert (kind, tuple(group[name] for name in named)) in found
        assert changed >= len(damage)
        assert find_tree_faults() == []
        assert stored() == sound


def test_only_the_damaged_company_is_named():
    group = make_group()
    with guards_off():
        scribble(group["north"], level=7)

        (fault,) = find_tree_faults()

        assert fault.kind == "wrong_level"
        assert fault.companies == (group["north"],)
        assert str(fault) == (
            f"wrong_level: Company {group['north']} has level 7 instead of 1."
        )


@pytest.mark.parametrize(
    ("parents", "cycle"),
    [
        ({"acme": "acme"}, {"acme"}),
        ({"acme": "oslo"}, {"acme", "north", "oslo"}),
        ({"north": "oslo"}, {"north", "oslo"}),
        ({"acme": "below", "other": "south"}, {"acme", "south", "other", "below"}),
    ],
)
def test_a_cycle_is_named_and_never_repaired(parents, cycle):
    group = make_group()
    with guards_off():
        for name, parent in parents.items():
            scribble(group[name], parent_id=group[parent])
        scribble(group["south"], level=9)
        damaged = stored()

        (fault,) = [f for f in find_tree_faults() if f.kind == "cycle"]
        with pytest.raises(TreeNotRepairable) as refusal:
            repair_tree()

        assert set(fault.companies) == {group[name] for name in cycle}
        assert refusal.value.details["faults"] == [str(fault)]
        assert stored() == damaged


def test_each_of_two_cycles_is_named_once():
    group = make_group()
    with guards_off():
        scribble(group["acme"], parent_id=group["oslo"])
        scribble(group["other"], parent_id=group["below"])

        cycles = [f for f in find_tree_faults() if f.kind == "cycle"]

        assert len(cycles) == 2


def test_a_missing_parent_is_named_and_never_repaired():
    group = make_group()
    with guards_off():
        scribble(group["north"], parent_id=NOBODY)

        (fault,) = find_tree_faults()
        with pytest.raises(TreeNotRepairable):
            repair_tree()

        assert fault.kind == "missing_parent"
        assert fault.companies == (group["north"],)


def test_too_many_levels_are_found_and_stay(settings):
    group = make_group()
    settings.COMPANY_MAX_DEPTH = 2

    (fault,) = find_tree_faults()

    assert fault.kind == "too_deep"
    assert fault.companies == (group["oslo"],)
    assert repair_tree() == 0


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_faults_are_found_exactly_if_numbers_differ_from_parents(db, data):
    with transaction.atomic():
        group = make_group()
        names = sorted(group)
        with guards_off():
            for _ in range(data.draw(st.integers(1, 4))):
                columns = data.draw(
                    st.fixed_dictionaries(
                        {},
                        optional={
                            "lft": st.integers(1, 9),
                            "rght": st.integers(1, 9),
                            "level": st.integers(0, 3),
                            "tree_id": st.sampled_from(names).map(group.get),
                        },
                    ).filter(bool)
                )
                scribble(group[data.draw(st.sampled_from(names))], **columns)
            expected = from_parents()

            assert (find_tree_faults() == []) == (stored() == expected)
            repair_tree()
            assert stored() == expected
            assert find_tree_faults() == []
        transaction.set_rollback(True)


def test_repair_leaves_a_sound_tree_alone_and_siblings_in_order():
    group = make_group()
    Company.objects.get(pk=group["north"]).move(None)
    Company.objects.get(pk=group["north"]).move(Company.objects.get(pk=group["acme"]))
    sound = stored()  # north, the elder, is behind south now

    assert find_tree_faults() == []
    assert repair_tree() == 0
    assert stored() == sound


def test_check_reads_the_tree_in_one_query(django_assert_num_queries):
    make_group()

    with django_assert_num_queries(1):
        faults = find_tree_faults()

    assert faults == []


def test_the_command_tells_that_the_tree_is_sound():
    make_group()
    out = StringIO()

    call_command("check_tree", stdout=out)

    assert out.getvalue() == "6 companies, 0 faults.\n"


def test_the_command_lists_faults_and_fails():
    group = make_group()
    out = StringIO()
    with guards_off():
        scribble(group["north"], level=7)

        with pytest.raises(CommandError) as failure:
            call_command("check_tree", stdout=out)

    assert str(failure.value) == "6 companies, 1 faults."
    assert failure.value.returncode == 1
    assert out.getvalue() == (
        f"wrong_level: Company {group['north']} has level 7 instead of 1.\n"
    )


def test_the_command_lists_faults_as_json():
    group = make_group()
    out = StringIO()
    with guards_off():
        scribble(group["north"], level=7)

        with pytest.raises(CommandError):
            call_command("check_tree", "--json", stdout=out)

    assert json.loads(out.getvalue()) == [
        {
            "kind": "wrong_level",
            "companies": [group["north"]],
            "sentence": f"Company {group['north']} has level 7 instead of 1.",
        }
    ]


def test_the_command_repairs():
    group = make_group()
    out = StringIO()
    with guards_off():
        scribble(group["north"], level=7)

        call_command("check_tree", "--fix", stdout=out)

        assert find_tree_faults() == []
    assert out.getvalue() == "6 companies, 0 faults, 1 companies numbered anew.\n"


def test_the_command_names_the_cycle_that_it_cannot_repair():
    group = make_group()
    with guards_off():
        scribble(group["acme"], parent_id=group["north"])

        with pytest.raises(CommandError, match="cycle: Companies are below themselves"):
            call_command("check_tree", "--fix")
