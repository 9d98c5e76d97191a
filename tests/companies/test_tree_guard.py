"""The traps of django-mptt: each left a wrong tree behind before it was guarded."""

import copy
from io import StringIO

import pytest
from django.core import serializers
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from mptt.exceptions import InvalidMove

from companies.errors import (
    ParentClosed,
    ParentGone,
    TooDeep,
    TreeChanged,
    WouldCloseCycle,
)
from companies.models import Company, ContactAssignment
from companies.tree import guard
from companies.tree.check import find_tree_faults, repair_tree
from config.errors import StaleVersion
from integrations.models import Event
from tests.factories import make_assignment, make_chain, make_company

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _tree_is_sound_after_each_test(db):
    yield
    assert find_tree_faults() == []


def fresh(company: Company) -> Company:
    return Company.objects.get(pk=company.pk)


def parents() -> dict[int, int | None]:
    return dict(Company.objects.order_by("pk").values_list("pk", "parent"))


def place(company: Company) -> tuple[int | None, int, int]:
    """Parent, hierarchy and depth, as stored."""
    company = fresh(company)
    return company.parent_id, company.tree_id, company.level


# New companies, and moves


def test_a_head_company_has_its_own_hierarchy():
    head = make_company()

    assert place(head) == (None, head.pk, 0)


def test_a_subsidiary_is_in_the_hierarchy_of_its_parent():
    head, middle = make_chain(2)

    company = make_company(parent=middle)

    assert place(company) == (middle.pk, head.pk, 2)


def test_a_head_company_moves_below_another_with_all_below_it():
    head, middle, low = make_chain(3)
    other = make_company()

    head.move(other)

    assert place(head) == (other.pk, other.pk, 1)
    assert place(low) == (middle.pk, other.pk, 3)
    assert list(Company.objects.under(other)) == [other, head, middle, low]


def test_a_subsidiary_moves_to_the_top_with_all_below_it():
    head, middle, low = make_chain(3)

    middle.move(None)

    assert place(middle) == (None, middle.pk, 0)
    assert place(low) == (middle.pk, middle.pk, 1)
    assert list(Company.objects.under(head)) == [head]


def test_a_moved_object_knows_its_new_place():
    _, middle, _ = make_chain(3)
    other = make_company()

    middle.move(other)

    stored = fresh(middle)
    for name in ("parent_id", "tree_id", "lft", "rght", "level", "version"):
        assert getattr(middle, name) == getattr(stored, name)


def test_a_move_to_where_the_company_is_changes_nothing_but_its_version():
    head, middle = make_chain(2)
    middle.parent = fresh(head)

    middle.save()

    assert place(middle) == (head.pk, head.pk, 1)
    assert Event.objects.filter(type="company.moved").count() == 0


@pytest.mark.parametrize("below", [0, 1, 2])
def test_a_company_is_not_placed_below_itself(below):
    chain = make_chain(3)
    before = parents()

    with pytest.raises(WouldCloseCycle):
        fresh(chain[0]).move(fresh(chain[below]))

    assert parents() == before


def test_levels_are_limited_when_creating_and_when_moving(settings):
    settings.COMPANY_MAX_DEPTH = 3
    chain = make_chain(3)
    pair = make_chain(2)
    before = parents()

    with pytest.raises(TooDeep):
        make_company(parent=chain[2])
    with pytest.raises(TooDeep):
        pair[0].move(chain[1])
    assert parents() == before
    pair[0].move(chain[0])
    assert place(pair[1]) == (pair[0].pk, chain[0].pk, 2)


def test_nothing_is_placed_below_a_closed_company():
    closed = make_company(status="CLOSED")
    company = make_company()
    stale = fresh(closed)
    stale.status = "ACTIVE"  # in memory only
    before = parents()

    with pytest.raises(ParentClosed):
        make_company(parent=stale)
    with pytest.raises(ParentClosed):
        company.move(stale)

    assert parents() == before


# Objects that were read earlier


def test_a_stale_save_does_not_undo_a_move():
    _, middle = make_chain(2)
    other = make_company()
    stale = fresh(middle)
    middle.move(other)
    stale.name = "Renamed"

    with pytest.raises(StaleVersion):
        stale.save()

    assert place(middle) == (other.pk, other.pk, 1)
    assert fresh(middle).name != "Renamed"


def test_a_stale_save_of_the_name_alone_does_not_undo_a_move():
    _, middle = make_chain(2)
    other = make_company()
    stale = fresh(middle)
    middle.move(other)
    stale.name = "Renamed"

    with pytest.raises(StaleVersion):
        stale.save(update_fields=["name"])

    assert place(middle) == (other.pk, other.pk, 1)


def test_a_company_moved_with_its_parent_is_saved_with_old_numbers_in_memory():
    _, middle, low = make_chain(3)
    other = make_company()
    stale = fresh(low)
    middle.move(other)
    make_company(parent=other)
    stale.name = "Renamed"

    stale.save()

    assert fresh(low).name == "Renamed"
    assert place(low) == (middle.pk, other.pk, 2)


def test_saving_the_name_alone_does_not_move():
    head, middle = make_chain(2)
    middle.parent = make_company()
    middle.name = "Renamed"

    middle.save(update_fields=["name"])

    assert fresh(middle).name == "Renamed"
    assert place(middle) == (head.pk, head.pk, 1)


def test_saving_the_parent_alone_moves_and_keeps_the_name():
    _, middle = make_chain(2)
    name = middle.name
    middle.parent = other = make_company()
    middle.name = "Renamed"

    middle.save(update_fields=["parent"])

    assert fresh(middle).name == name
    assert place(middle) == (other.pk, other.pk, 1)


def test_a_parent_read_before_its_own_move_is_read_again():
    _, middle = make_chain(2)
    company, other = make_company(), make_company()
    stale = fresh(middle)
    middle.move(other)

    company.parent = stale
    company.save()
    below = make_company(parent=stale)

    assert place(company) == (middle.pk, other.pk, 2)
    assert place(below) == (middle.pk, other.pk, 2)


def test_a_cycle_of_stale_objects_is_refused():
    first, second = make_company(), make_company()
    stale_first, stale_second = fresh(first), fresh(second)
    first.move(second)

    stale_second.parent = stale_first
    with pytest.raises(WouldCloseCycle):
        stale_second.save()

    assert place(second) == (None, second.pk, 0)


def test_a_stale_move_is_refused():
    _, middle = make_chain(2)
    other, third = make_company(), make_company()
    stale = fresh(middle)
    middle.move(other)

    with pytest.raises(StaleVersion):
        stale.move(third)

    assert place(middle) == (other.pk, other.pk, 1)


def test_a_refreshed_object_can_be_moved_back():
    head, middle = make_chain(2)
    company = fresh(middle)
    middle.move(None)

    company.refresh_from_db()
    company.move(head)

    assert place(middle) == (head.pk, head.pk, 1)


def test_an_object_whose_save_failed_still_moves_with_the_next():
    head, middle = make_chain(2)
    taken, other = make_company(code="taken"), make_company()
    middle.parent, middle.code = other, taken.code

    with pytest.raises(IntegrityError), transaction.atomic():
        middle.save()
    assert place(middle) == (head.pk, head.pk, 1)
    middle.code = "free"
    middle.save()

    assert place(middle) == (other.pk, other.pk, 1)


def test_an_object_whose_insert_failed_gets_a_key_of_its_own():
    make_company(code="taken")
    company = Company(name="New", code="taken")

    with pytest.raises(IntegrityError), transaction.atomic():
        company.save()
    between = make_company()
    company.code = "free"
    company.save()

    assert company.pk != between.pk
    assert place(company) == (None, company.pk, 0)


# Objects without all their fields, and copies


def test_an_object_read_without_its_parent_does_not_move():
    head, middle = make_chain(2)
    for some in (
        Company.objects.only("name"),
        Company.objects.defer("parent", "lft"),
    ):
        company = some.get(pk=middle.pk)
        company.name += "!"
        company.save()

    assert fresh(middle).name == middle.name + "!!"
    assert place(middle) == (head.pk, head.pk, 1)


def test_an_object_read_without_its_parent_moves_to_a_parent_it_is_given():
    _, middle = make_chain(2)
    other = make_company()
    company = Company.objects.only("name").get(pk=middle.pk)

    company.parent_id = other.pk
    company.save()

    assert place(middle) == (other.pk, other.pk, 1)


def test_a_parent_that_was_loaded_late_is_no_move():
    head, middle = make_chain(2)
    company = Company.objects.only("name").get(pk=middle.pk)

    assert company.parent_id == head.pk
    company.save()

    assert Event.objects.filter(type="company.moved").count() == 0


@pytest.mark.parametrize("copied", [lambda company: company, copy.copy, copy.deepcopy])
def test_a_copied_company_gets_a_place_of_its_own(copied):
    head, middle, _ = make_chain(3)
    company = copied(fresh(middle))
    company.pk, company.code, company._state.adding = None, "copy", True

    company.save()

    assert company.pk not in (None, middle.pk)
    assert place(company) == (head.pk, head.pk, 1)
    assert fresh(company).is_leaf_node()


def test_a_copy_that_is_not_marked_as_new_is_refused():
    _, middle = make_chain(2)
    company = fresh(middle)
    company.pk, company.code = None, "copy"

    with pytest.raises(ValueError, match="no primary key"):
        company.save()

    assert Company.objects.count() == 2


def test_numbers_given_by_a_caller_are_ignored():
    head = make_company()

    company = make_company(parent=head, lft=7, rght=99, level=4, tree_id=3)
    other = make_company(lft=7, rght=99, level=4, tree_id=head.pk)

    assert place(company) == (head.pk, head.pk, 1)
    assert place(other) == (None, other.pk, 0)


def test_numbers_changed_in_memory_are_not_saved():
    head = make_company()
    head.lft, head.rght, head.level, head.tree_id = 5, 6, 3, 77

    head.save()
    head.save(update_fields=["lft", "rght", "level", "tree_id"])

    assert place(head) == (None, head.pk, 0)


def test_a_company_of_a_given_key_is_inserted_once():
    head = make_company()
    company = make_company(id=head.pk + 1000, parent=head)

    with pytest.raises(IntegrityError), transaction.atomic():
        make_company(id=company.pk)

    assert place(company) == (head.pk, head.pk, 1)


# mptt's own ways to write


@pytest.mark.parametrize("position", ["first-child", "last-child"])
def test_move_to_moves_below_the_target(position):
    _, middle, low = make_chain(3)
    other = make_company()
    stale = fresh(other)
    make_company(parent=other)

    fresh(middle).move_to(stale, position)

    assert place(low) == (middle.pk, other.pk, 2)


@pytest.mark.parametrize("position", ["left", "right"])
def test_move_to_moves_beside_the_target(position):
    head, middle = make_chain(2)
    company, other = make_company(), make_company()

    company.move_to(fresh(middle), position)
    Company.objects.move_node(fresh(middle), other, position)

    assert place(company) == (head.pk, head.pk, 1)
    assert place(middle) == (None, middle.pk, 0)


def test_move_to_below_itself_is_refused():
    head, middle = make_chain(2)

    with pytest.raises(WouldCloseCycle):
        head.move_to(middle, "last-child")

    assert place(head) == (None, head.pk, 0)


@pytest.mark.parametrize("position", ["first-child", "last-child"])
def test_insert_at_a_stale_target_inserts_below_it(position):
    _, middle = make_chain(2)
    other = make_company()
    stale = fresh(middle)
    middle.move(other)
    company = Company(name="New", parent=stale)

    company.insert_at(stale, position, save=True)

    assert place(company) == (middle.pk, other.pk, 2)


def test_insert_node_of_the_manager_inserts():
    head = make_company()
    stale = fresh(head)
    make_company(parent=head)

    child = Company.objects.insert_node(Company(name="New", parent=stale), stale)
    child.save()
    top = Company.objects.insert_node(Company(name="Top"), None, save=True)
    beside = Company.objects.insert_node(Company(name="X"), child, "left", save=True)

    assert place(child) == place(beside) == (head.pk, head.pk, 1)
    assert place(top) == (None, top.pk, 0)


@pytest.mark.parametrize(
    "name",
    [
        "rebuild",
        "partial_rebuild",
        "build_tree_nodes",
        "disable_mptt_updates",
        "delay_mptt_updates",
    ],
)
def test_mptts_own_renumbering_is_refused(name):
    make_company()

    with pytest.raises(TypeError, match=r"companies\.tree"):
        getattr(Company.objects, name)()


def test_mptt_never_takes_a_next_number_for_a_hierarchy():
    with pytest.raises(InvalidMove):
        Company.objects._get_next_tree_id()


# Many rows at once


@pytest.mark.parametrize(
    "column", ["parent", "parent_id", "lft", "rght", "level", "tree_id"]
)
def test_the_tree_is_not_updated_in_bulk(column):
    _, middle = make_chain(2)
    before = parents()

    with pytest.raises(TypeError):
        Company.objects.filter(pk=middle.pk).update(**{column: None})
    with pytest.raises(TypeError):
        Company.objects.bulk_update([middle], ["name", column])

    assert parents() == before


def test_companies_are_not_created_in_bulk():
    with pytest.raises(TypeError):
        Company.objects.bulk_create([Company(name="New", code="new")])

    assert Company.objects.count() == 0


def test_other_columns_are_updated_in_bulk():
    chain = make_chain(2)

    assert Company.objects.update(website="https://example.com") == 2
    chain[1].name = "Renamed"
    assert Company.objects.bulk_update(chain, ["name"]) == 2

    assert fresh(chain[1]).name == "Renamed"


def test_many_companies_are_deleted_leaves_first():
    chain = make_chain(3)
    beside = make_company(parent=chain[0])
    after = make_company(parent=chain[0])
    stay = make_company()

    deleted, by_model = Company.objects.under(chain[1]).delete()
    assert find_tree_faults() == []
    Company.objects.filter(pk__in=[beside.pk, chain[0].pk, after.pk]).delete()

    assert deleted >= 2
    assert by_model["companies.Company"] == 2
    assert list(Company.objects.all()) == [stay]


def test_deleting_many_is_all_or_nothing():
    chain = make_chain(3)
    make_assignment(company=chain[1])

    with pytest.raises(ProtectedError):
        Company.objects.all().delete()

    assert Company.objects.count() == 3


# Deletion


def test_a_company_deleted_twice_is_gone_once():
    head, middle = make_chain(2)
    beside = make_company(parent=head)
    twin = fresh(middle)

    middle.delete()
    assert find_tree_faults() == []

    assert twin.delete() == (0, {})
    assert fresh(beside).parent_id == head.pk


def test_a_stale_object_is_deleted_from_where_it_is():
    head, middle = make_chain(2)
    stale = fresh(middle)
    middle.move(make_company())
    make_company(parent=head)

    stale.delete()

    assert not Company.objects.filter(pk=middle.pk).exists()


def test_a_parent_is_not_deleted():
    head, _ = make_chain(2)

    with pytest.raises(ProtectedError):
        head.delete()

    assert Company.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_refused_deletion_leaves_the_tree_alone_without_a_transaction():
    chain = make_chain(3)
    assignment = make_assignment(company=chain[2])

    with pytest.raises(ProtectedError):
        chain[1].delete()
    with pytest.raises(ProtectedError):
        chain[2].delete()

    assert Company.objects.count() == 3
    assert ContactAssignment.objects.get() == assignment
    assert Event.objects.filter(type="company.deleted").count() == 0
    assert find_tree_faults() == []


@pytest.mark.django_db(transaction=True)
def test_a_refused_insertion_leaves_no_gap_without_a_transaction():
    head = make_company(code="taken")

    with pytest.raises(IntegrityError):
        make_company(parent=head, code="TAKEN")

    assert Company.objects.count() == 1
    assert find_tree_faults() == []


def test_a_deleted_company_is_neither_saved_nor_moved():
    head, middle = make_chain(2)
    twin, another = fresh(middle), fresh(middle)
    middle.delete()

    with pytest.raises(StaleVersion):
        twin.save()
    with pytest.raises(Company.DoesNotExist):
        another.move(None)

    assert Company.objects.get() == head


def test_nothing_is_placed_below_a_deleted_company():
    gone = make_company()
    company = make_company()
    stale = fresh(gone)
    gone.delete()

    with pytest.raises(ParentGone):
        make_company(parent=stale)
    with pytest.raises(ParentGone):
        company.move(stale)

    assert place(company) == (None, company.pk, 0)


# Rows that come past save()


def test_a_fixture_of_sound_companies_keeps_its_tree(tmp_path):
    make_chain(3)
    make_company()
    path = tmp_path / "companies.json"
    call_command("dumpdata", "companies.company", output=path)
    before = parents()
    raw_delete_all()

    call_command("loaddata", path, stdout=StringIO())

    assert parents() == before


def test_a_fixture_with_wrong_numbers_is_found_and_repaired():
    head, middle = make_chain(2)
    other = make_company()
    data = serializers.serialize("json", [fresh(middle)])
    data = data.replace(f'"parent": {head.pk}', f'"parent": {other.pk}')

    for row in serializers.deserialize("json", data):
        row.save()  # Django's raw save: no guard of ours is asked
    kinds = {fault.kind for fault in find_tree_faults()}
    repair_tree()

    assert "other_hierarchy" in kinds
    assert place(middle) == (other.pk, other.pk, 1)


def raw_delete_all() -> None:
    queryset = Company.objects.order_by("-level")
    for pk in list(queryset.values_list("pk", flat=True)):
        Company.objects.filter(pk=pk)._raw_delete(using="default")


# Locks


def test_a_lock_needs_a_transaction(transactional_db):
    company = make_company()

    with pytest.raises(RuntimeError, match="transaction"):
        guard.lock_companies(Company, [company.pk])


@pytest.mark.postgresql
def test_a_company_that_changes_hierarchies_again_and_again_is_given_up(monkeypatch):
    company, other = make_company(), make_company()
    tries = []

    def always_elsewhere(nodes, wanted):
        tries.append(wanted)
        return {company.pk: other}

    monkeypatch.setattr(guard, "_read", always_elsewhere)

    with pytest.raises(TreeChanged):
        guard.lock_companies(Company, [company.pk])

    assert tries == [{company.pk}] * guard.MOST_TRIES


def test_full_clean_does_not_ask_for_numbers():
    company = Company(name="New", code="new")

    company.full_clean()

    with pytest.raises(ValidationError):
        Company(name="").full_clean()
