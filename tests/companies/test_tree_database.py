"""What the database itself refuses, whoever writes; and that the guards are there."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from companies.models import Company
from companies.tree.check import find_tree_faults
from config.db import is_check_violation
from tests.factories import make_chain, make_company

pytestmark = pytest.mark.django_db


def write(pk: int, assignment: str, *values: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE companies_company SET {assignment} WHERE id = %s", [*values, pk]
        )


def refused(pk: int, assignment: str, *values: int) -> IntegrityError:
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        write(pk, assignment, *values)
    return refusal.value


@pytest.mark.parametrize(
    ("assignment", "constraint"),
    [
        ("lft = 0", "companies_company_numbers_in_order"),
        ("lft = rght", "companies_company_numbers_in_order"),
        ("lft = rght + 1", "companies_company_numbers_in_order"),
        ("tree_id = id + 1", "companies_company_head_has_own_tree"),
    ],
)
def test_the_database_refuses_numbers_that_cannot_be(assignment, constraint):
    head = make_company()

    error = refused(head.pk, assignment)

    assert constraint in str(error)
    assert find_tree_faults() == []


def test_the_database_refuses_a_company_that_is_its_own_parent_from_the_start():
    now = timezone.now()
    company = Company(pk=7, parent_id=7, tree_id=7, created_at=now, updated_at=now)
    company.lft, company.rght, company.level = 1, 2, 0

    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        company.save_base(raw=True, force_insert=True)

    assert "companies_company_not_own_parent" in str(refusal.value)


def test_the_database_refuses_two_heads_of_one_hierarchy():
    head, other = make_company(), make_company()

    error = refused(other.pk, "tree_id = %s", head.pk)

    assert is_check_violation(error)


@pytest.mark.parametrize("below", [0, 1, 2, 31])
def test_the_database_refuses_a_cycle(below):
    chain = make_chain(32)

    error = refused(chain[0].pk, "parent_id = %s", chain[below].pk)

    told = str(error.__cause__)
    assert "no_cycle" in told or "below itself" in told
    assert Company.objects.get(pk=chain[0].pk).parent_id is None


def test_the_database_refuses_a_cycle_of_many_rows_at_once():
    first, second = make_company(), make_company()

    with (
        pytest.raises(IntegrityError),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(
            "UPDATE companies_company SET parent_id = CASE id WHEN %s THEN %s "
            "ELSE %s END WHERE id IN (%s, %s)",
            [first.pk, second.pk, first.pk, first.pk, second.pk],
        )

    assert find_tree_faults() == []


def test_the_database_lets_a_parent_change_without_a_cycle():
    _, middle, _ = make_chain(3)
    other = make_company()

    with transaction.atomic():
        write(middle.pk, "parent_id = %s", other.pk)
        kinds = {fault.kind for fault in find_tree_faults()}
        transaction.set_rollback(True)

    assert "other_hierarchy" in kinds


def test_the_guards_exist_after_all_migrations():
    # SQLite makes a table anew to change it, and drops the triggers without a word.
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT tgname FROM pg_trigger "
                "WHERE tgrelid = 'companies_company'::regclass AND NOT tgisinternal"
            )
        else:
            cursor.execute(
                "SELECT name FROM sqlite_master "
                "WHERE type = 'trigger' AND tbl_name = 'companies_company'"
            )
        triggers = {name for (name,) in cursor.fetchall()}
        constraints = connection.introspection.get_constraints(
            cursor, "companies_company"
        )

    assert "companies_company_no_cycle" in triggers
    assert {
        "companies_company_not_own_parent",
        "companies_company_numbers_in_order",
        "companies_company_head_has_own_tree",
        "companies_company_unique_code",
        "companies_company_unique_lei",
        "companies_company_place",
        "companies_company_head_name",
        "companies_company_not_active",
    } <= constraints.keys()
    by_tree = [c["columns"] for c in constraints.values() if c["index"]]
    assert ["tree_id"] not in by_tree  # rewritten with each shift, and asked by nobody


@pytest.mark.postgresql
def test_the_indexes_for_parts_of_words_exist():
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexname FROM pg_indexes WHERE indexdef LIKE '%gin%'")
        names = {name for (name,) in cursor.fetchall()}

    assert {
        "companies_company_search",
        "companies_contact_search",
        "companies_location_search",
    } <= names
