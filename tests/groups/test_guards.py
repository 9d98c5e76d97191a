"""What nobody can do to groups: by objects, in bulk, and by SQL past all of it."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError

from companies.models import Company
from companies.services import delete_company
from config.actors import SYSTEM
from groups import services
from groups.errors import AutomaticGroup
from groups.models import CustomerGroup, GroupMember, GroupPropagation
from tests.factories import make_chain, make_company
from tests.groups.makers import automatic, make_group, person

pytestmark = pytest.mark.django_db


def rows() -> list[tuple]:
    return [
        *CustomerGroup.objects.order_by("pk").values_list(),
        *GroupMember.objects.order_by("pk").values_list(),
    ]


def sql(statement: str, *params: object) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, params)
        if connection.vendor == "postgresql":  # what a commit would do
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def refused_by(error: IntegrityError) -> str:
    """What PostgreSQL has a field for, and SQLite has as its message."""
    diag = getattr(error.__cause__, "diag", None)
    return diag.constraint_name if diag else str(error)


def change(**fields):
    def work(group: CustomerGroup) -> None:
        for name, value in fields.items():
            setattr(group, name, value)
        group.save()

    return work


@pytest.mark.parametrize(
    "work",
    [
        change(name="Mine"),
        change(code="mine"),
        change(kind="ADMINS"),
        change(kind="CUSTOM", name="Mine"),
        change(company=None),
        lambda group: change(company=make_company())(group),
        lambda group: group.delete(),
        lambda group: CustomerGroup.objects.filter(pk=group.pk).delete(),
        lambda group: CustomerGroup.objects.filter(pk=group.pk).update(name="x"),
        lambda group: CustomerGroup.objects.filter(pk=group.pk).update(company=None),
        lambda group: CustomerGroup.objects.bulk_update(
            [CustomerGroup(pk=group.pk, kind="CUSTOM", name="x")], ["kind", "name"]
        ),
        lambda group: GroupMember.objects.create(
            group=group, contact=person(group.company)
        ),
        lambda group: services.add_member(group, person(group.company), actor=SYSTEM),
        lambda group: services.remove_member(
            group, person(group.company, "BUYER"), actor=SYSTEM
        ),
    ],
)
def test_an_automatic_group_is_refused_every_change_but_the_price_list(work):
    # given
    group = automatic(make_company())
    before = rows()

    # when
    with pytest.raises(AutomaticGroup), transaction.atomic():
        work(group)

    # then
    assert rows() == before


def test_a_custom_group_does_not_become_automatic():
    group = make_group(company=make_company())

    with pytest.raises(AutomaticGroup):
        change(kind="ADMINS")(group)

    assert CustomerGroup.objects.get(pk=group.pk).kind == "CUSTOM"


def test_the_price_list_of_an_automatic_group_is_changed():
    group = automatic(make_company())

    change(price_list="B2B")(group)

    group.refresh_from_db()
    assert (group.price_list, group.version) == ("B2B", 2)


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("UPDATE groups_customergroup SET kind = 'CUSTOM', name = 'x'", "fixed"),
        ("UPDATE groups_customergroup SET kind = 'ADMINS'", "fixed"),
        ("UPDATE groups_customergroup SET company_id = NULL", "fixed"),
        ("UPDATE groups_customergroup SET name = 'Mine'", "automatic_is_bare"),
        ("UPDATE groups_customergroup SET code = 'mine'", "automatic_is_bare"),
    ],
)
def test_the_database_refuses_what_bends_an_automatic_group(statement, constraint):
    # given
    group = automatic(make_company())
    before = rows()

    # when
    with pytest.raises(IntegrityError) as refusal:
        sql(f"{statement} WHERE id = %s", group.pk)

    # then
    assert f"groups_customergroup_{constraint}" in refused_by(refusal.value)
    assert rows() == before


def test_the_database_refuses_a_second_group_of_a_kind():
    company = make_company()

    with pytest.raises(IntegrityError), transaction.atomic():
        CustomerGroup.objects.create(company=company, kind="BUYERS")

    assert company.customer_groups.count() == 4


INSERT_MEMBER = (
    "INSERT INTO groups_groupmember "
    "(group_id, contact_id, version, created_at, updated_at) "
    "SELECT %s, contact_id, 1, created_at, updated_at FROM groups_groupmember"
)


@pytest.mark.parametrize(
    "statement", [INSERT_MEMBER, "UPDATE groups_groupmember SET group_id = %s"]
)
def test_the_database_stores_no_member_of_an_automatic_group(statement):
    # given
    company = make_company()
    make_group(person(company), company=company)
    before = rows()

    # when
    with pytest.raises(IntegrityError) as refusal:
        sql(statement, automatic(company).pk)

    # then
    assert "groups_groupmember_custom" in refused_by(refusal.value)
    assert rows() == before


@pytest.mark.postgresql
def test_at_the_end_of_a_transaction_each_company_has_its_four_groups():
    # given
    company = make_company()
    before = rows()

    # when
    with pytest.raises(IntegrityError, match="has not got its four automatic groups"):
        sql("DELETE FROM groups_customergroup WHERE kind = 'BUYERS'")
    with pytest.raises(IntegrityError, match="has not got its four automatic groups"):
        sql(
            "INSERT INTO companies_company "
            'SELECT (json_populate_record(c, \'{"id": 900, "code": "raw", '
            '"tree_id": 900, "lei": ""}\')).* FROM companies_company c'
        )

    # then
    assert rows() == before
    assert list(Company.objects.all()) == [company]


@pytest.mark.parametrize("vendor_table", ["customergroup", "groupmember"])
def test_the_triggers_are_there_after_all_migrations(vendor_table):
    # SQLite makes a table anew to change it, and drops the triggers without a word.
    table = f"groups_{vendor_table}"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal "
                "AND tgrelid = %s::regclass",
                [table],
            )
        else:
            cursor.execute(
                "SELECT name FROM sqlite_master WHERE type = 'trigger' "
                "AND tbl_name = %s",
                [table],
            )
        found = {name for (name,) in cursor.fetchall()}
    expected = {
        ("postgresql", "customergroup"): {f"{table}_fixed", f"{table}_four"},
        ("postgresql", "groupmember"): {f"{table}_custom"},
        ("sqlite", "customergroup"): {f"{table}_fixed"},
        ("sqlite", "groupmember"): {f"{table}_custom_insert", f"{table}_custom_update"},
    }
    assert found == expected[connection.vendor, vendor_table]


def test_automatic_groups_and_propagation_go_with_an_unused_company():
    company = make_company()
    GroupPropagation.objects.create(company=company)

    delete_company(company, actor=SYSTEM)

    assert not CustomerGroup.objects.exists()
    assert not GroupPropagation.objects.exists()


def test_a_custom_group_keeps_its_company_from_being_deleted():
    # given
    company = make_company()
    make_group(company=company)
    before = rows()

    # when
    with pytest.raises(ProtectedError):
        company.delete()

    # then
    assert rows() == before


def test_groups_stay_with_a_company_that_is_moved():
    # given
    head, sub = make_chain(2)
    group = make_group(company=sub)
    before = rows()

    # when
    sub.move(None)

    # then
    assert rows() == before
    assert CustomerGroup.objects.get(pk=group.pk).company_id == sub.pk
    assert head.customer_groups.count() == 4
