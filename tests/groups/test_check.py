from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from groups.check import find_group_faults, repair_groups
from groups.models import CustomerGroup, GroupMember, GroupPropagation
from tests.factories import make_assignment, make_chain, make_company, make_contact
from tests.groups.makers import automatic, make_group, members, person

pytestmark = pytest.mark.django_db

TABLES = ("companies_company", "groups_customergroup", "groups_groupmember")
ONE_OF_EACH = "groups_customergroup_one_of_each_kind"


@contextmanager
def guards_off() -> Iterator[None]:
    """The database takes everything meanwhile; all of it is undone at the end."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
                for table in TABLES:
                    cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            else:
                cursor.execute("DROP TRIGGER groups_groupmember_custom_insert")
            cursor.execute(f"DROP INDEX {ONE_OF_EACH}")
        yield
        transaction.set_rollback(True)


def sql(statement: str, *params: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        assert cursor.rowcount == 1


def plant_group(company, kind="BUYERS", **fields) -> CustomerGroup:
    return CustomerGroup.objects.create(company=company, kind=kind, **fields)


def lose_group():
    company = make_company()
    group = automatic(company)
    sql("DELETE FROM groups_customergroup WHERE id = %s", group.pk)
    return [f"missing_group: Company {company.pk} has no group BUYERS."]


def double_group():
    company = make_company()
    group = plant_group(company)
    return [f"second_group: Company {company.pk} has BUYERS again: group {group.pk}."]


def swap_group():
    """Still four, but not one of each."""
    company = make_company()
    group = automatic(company)
    sql("DELETE FROM groups_customergroup WHERE id = %s", group.pk)
    extra = plant_group(company, "ADMINS")
    return [
        f"missing_group: Company {company.pk} has no group BUYERS.",
        f"second_group: Company {company.pk} has ADMINS again: group {extra.pk}.",
    ]


def store_member():
    company = make_company()
    group, contact = automatic(company), person(company)
    sql(
        "INSERT INTO groups_groupmember "
        "(group_id, contact_id, version, created_at, updated_at) "
        "VALUES (%s, %s, 1, '2026-01-01', '2026-01-01')",
        group.pk,
        contact.pk,
    )
    place = f"the automatic group {group.pk}"
    return [f"stored_member: Contact {contact.pk} is stored in {place}."]


def stranger(leave):
    def plant():
        head, sub = make_chain(2)
        assignment = make_assignment(company=sub)
        group = make_group(assignment.contact, company=head)
        leave(sub, assignment)
        who = f"Contact {assignment.contact_id} in the custom group {group.pk}"
        told = f"{who} works nowhere in its hierarchy."
        return [f"member_of_other_hierarchy: {told}"]

    return plant


def set_for_subsidiary():
    head, other = make_company(), make_company()
    GroupPropagation.objects.create(company=head, mode="DISABLED")
    head.move(other)
    told = f"Propagation is set for company {head.pk}, which is no head company."
    return [f"stale_propagation: {told}"]


DAMAGES = {
    "missing_group": lose_group,
    "second_group": double_group,
    "swapped_group": swap_group,
    "stored_member": store_member,
    "left": stranger(lambda sub, assignment: assignment.delete()),
    "moved": stranger(lambda sub, assignment: sub.move(make_company())),
    "stale_propagation": set_for_subsidiary,
}


def make_sound_world() -> None:
    """Everything that is close to a fault and is none."""
    head, sub = make_chain(2)
    contact = person(sub, "BUYER", valid_until="2020-01-01")
    make_group(contact, company=head)
    make_group(make_contact())
    make_group(company=sub)
    GroupPropagation.objects.create(company=head, mode="DISABLED")


@pytest.mark.parametrize("damage", DAMAGES)
def test_each_damage_is_named_and_repaired(damage):
    make_sound_world()
    with guards_off():
        sound = [*CustomerGroup.objects.values_list("pk"), *members_stored()]

        planted = DAMAGES[damage]()
        found = [str(fault) for fault in find_group_faults()]
        repaired = repair_groups()

        assert found == planted
        assert repaired == len(planted)
        assert find_group_faults() == []
        assert repair_groups() == 0
        left = [*CustomerGroup.objects.values_list("pk"), *members_stored()]
        assert set(sound) <= set(left)


def members_stored() -> list[tuple]:
    return list(GroupMember.objects.values_list("group", "contact"))


def test_all_damages_at_once_are_repaired_at_once():
    make_sound_world()
    with guards_off():
        planted = [line for plant in DAMAGES.values() for line in plant()]

        assert sorted(map(str, find_group_faults())) == sorted(planted)
        assert repair_groups() == len(planted)
        assert find_group_faults() == []


def test_of_two_groups_the_one_with_a_price_list_stays():
    with guards_off():
        company = make_company()
        kept = plant_group(company, price_list="B2B")

        repair_groups()

        assert automatic(company) == kept


def test_a_repair_is_told_and_kept_in_the_history():
    head, sub = make_chain(2)
    assignment = make_assignment(company=sub)
    make_group(assignment.contact, company=head)
    assignment.delete()

    repair_groups()

    entry = GroupMember.history.first()
    assert (entry.history_type, entry.history_user_id, entry.history_change_reason) == (
        "-",
        "system",
        "check_groups",
    )


def test_members_of_a_group_that_was_lost_are_there_again_after_the_repair():
    with guards_off():
        company = make_company()
        contact = person(company, "BUYER")
        sql("DELETE FROM groups_customergroup WHERE kind = 'BUYERS'")

        repair_groups()

        assert members(automatic(company)) == [contact.pk]


def test_the_check_costs_the_same_for_many_companies(django_assert_num_queries):
    make_sound_world()
    for _ in range(10):
        make_company()

    with django_assert_num_queries(8):
        assert find_group_faults() == []


def test_the_command_tells_that_all_is_sound():
    make_sound_world()
    out = StringIO()

    call_command("check_groups", stdout=out)

    assert out.getvalue() == "2 companies, 0 faults.\n"


def test_the_command_lists_one_line_per_fault_and_fails():
    out = StringIO()
    with guards_off():
        planted = [*lose_group(), *store_member()]

        with pytest.raises(CommandError) as failure:
            call_command("check_groups", stdout=out)

    assert str(failure.value) == "2 companies, 2 faults."
    assert failure.value.returncode == 1
    assert out.getvalue().splitlines() == planted


def test_the_command_repairs():
    out = StringIO()
    with guards_off():
        lose_group()

        call_command("check_groups", "--fix", stdout=out)

        assert find_group_faults() == []
    assert out.getvalue() == "1 companies, 0 faults, 1 rows repaired.\n"
