"""Bulk loads leave what the same companies leave that are saved one by one."""

from random import Random

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction

from companies.errors import ParentClosed, ParentGone, TooDeep, WouldCloseCycle
from companies.models import Company, Location
from companies.tree.check import find_tree_faults
from companies.tree.load import load_companies, load_in_parts
from config.actors import SYSTEM, Actor
from config.bulk import copy_rows
from groups.models import CustomerGroup
from integrations.models import Event, EventCounter
from integrations.services import record_events
from tests.factories import make_chain, make_company, make_location
from tests.races import run_at_once

pytestmark = pytest.mark.django_db


def unsaved(code: str, parent: Company | None = None, **fields) -> Company:
    return Company(code=code, name=code.title(), parent=parent, **fields)


def parents() -> dict[str, str | None]:
    return dict(Company.objects.values_list("code", "parent__code"))


def test_children_may_come_before_their_parents():
    # given
    head = unsaved("head")
    left, right = unsaved("left", head), unsaved("right", head)
    leaf = unsaved("leaf", left)
    # when
    ids = load_companies([leaf, right, left, head], actor=SYSTEM)
    # then
    assert parents() == {"head": None, "left": "head", "right": "head", "leaf": "left"}
    assert find_tree_faults() == []
    codes = Company.objects.in_bulk(ids)
    assert [codes[pk].code for pk in ids] == ["leaf", "right", "left", "head"]


def test_new_companies_find_room_in_stored_hierarchies():
    # given two stored hierarchies, one with companies left and right of the places
    head = make_company(code="head")
    for code in ("a", "b", "c"):
        make_company(code=code, parent=head)
    below = make_company(code="below", parent=Company.objects.get(code="b"))
    other = make_company(code="other")
    by_code = {company.code: company for company in Company.objects.all()}
    new = [unsaved(f"{code}-{n}", by_code[code]) for code in by_code for n in range(2)]
    deep = unsaved("deep", new[0])
    # when
    load_companies([deep, *new], actor=SYSTEM)
    # then
    assert find_tree_faults() == []
    stored = parents()
    assert all(stored[company.code] == company.parent.code for company in [deep, *new])
    assert Company.objects.under(other).count() == 3
    assert Company.objects.under(below).count() == 3
    assert Company.objects.under(head).count() == 5 + 10 + 1


def test_a_loaded_company_is_as_a_saved_one():
    # given
    fields = {"legal_name": "Äther", "country": "DE", "attributes": {"kind": "x"}}
    saved = Company(code="saved", name="Same", **fields)
    saved.by(Actor.staff(7), "why").save()
    loaded = Company(code="loaded", name="Same", **fields)
    # when
    load_companies([loaded], actor=Actor.staff(7), reason="why")
    # then
    differing = {"id", "tree_id", "code", "created_at", "updated_at"}
    for rows in (Company.objects, Company.history):
        one, other = rows.filter(code="saved").values()[0], None
        other = rows.filter(code="loaded").values()[0]
        assert one.keys() == other.keys()
        same = differing | {"search_text", "history_id", "history_date"}
        assert {k: v for k, v in one.items() if k not in same} == {
            k: v for k, v in other.items() if k not in same
        }
    assert loaded.search_text == "same\nather\nloaded"
    events = [
        list(Event.objects.filter(stream=pk).values_list("number", "type"))
        for pk in (saved.pk, loaded.pk)
    ]
    assert events[0] == events[1] == [(1, "company.created")]
    assert EventCounter.objects.get(stream=loaded.pk).last == 1


@pytest.mark.parametrize("count", [3, 600])
def test_each_loaded_company_has_its_four_groups(count: int):
    # when
    ids = load_companies([unsaved(f"c{n}") for n in range(count)], actor=SYSTEM)
    # then
    kinds = CustomerGroup.objects.filter(company__in=ids).values_list("company", "kind")
    assert len(kinds) == len(set(kinds)) == 4 * count


@pytest.mark.parametrize("order", ["parents first", "parents last", "mixed"])
def test_any_number_is_loaded_in_parts(monkeypatch, order: str):
    # given hierarchies of which some are larger than a part
    monkeypatch.setattr("companies.tree.load.PART", 7)
    stored = make_company(code="stored")
    new: list[Company] = []
    for number in range(12):
        head = unsaved(f"h{number}", stored if number == 5 else None)
        hierarchy = [head]
        hierarchy += [unsaved(f"h{number}-{n}", head) for n in range(number)]
        hierarchy += [unsaved(f"h{number}-low", hierarchy[-1])]
        new += hierarchy if order == "parents first" else hierarchy[::-1]
    if order == "mixed":
        Random(1).shuffle(new)
    expected = {c.code: c.parent.code if c.parent else None for c in new}
    # when
    count = load_in_parts(iter(new), actor=SYSTEM)
    # then
    assert count == len(new)
    assert parents() == expected | {"stored": None}
    assert find_tree_faults() == []
    assert CustomerGroup.objects.count() == 4 * (count + 1)


def test_parts_are_stored_together_or_not_at_all(monkeypatch):
    # given
    monkeypatch.setattr("companies.tree.load.PART", 2)
    make_company(code="taken")
    new = [unsaved(code) for code in ("a", "b", "c", "d", "Taken")]
    # when
    with pytest.raises(ValidationError), transaction.atomic():
        load_in_parts(new, actor=SYSTEM)
    # then
    assert parents() == {"taken": None}


def test_loaded_objects_can_be_changed_and_moved():
    # given
    head, child = unsaved("head"), unsaved("child")
    load_companies([head, child], actor=SYSTEM)
    # when
    child.name = "Changed"
    child.save()
    child.move(head)
    later = make_company(code="later")
    # then
    child.refresh_from_db()
    assert (child.name, child.parent, child.version) == ("Changed", head, 3)
    assert later.pk > max(head.pk, child.pk)
    assert find_tree_faults() == []


def test_nothing_is_no_load():
    assert list(load_companies([], actor=SYSTEM)) == []


def test_cycles_are_refused():
    # given
    one, two, three = unsaved("one"), unsaved("two"), unsaved("three")
    one.parent, two.parent = two, one
    # then
    with pytest.raises(WouldCloseCycle):
        load_companies([one, two, three], actor=SYSTEM)
    assert not Company.objects.exists()


def test_codes_that_are_taken_or_missing_are_refused():
    # given
    make_company(code="Taken")
    # then
    for codes, why in (
        (["taken"], "duplicate_code"),
        (["two", "TWO"], "duplicate_code"),
        (["one", ""], "required"),
    ):
        with pytest.raises(ValidationError) as refusal:
            load_companies([unsaved(code) for code in codes], actor=SYSTEM)
        assert refusal.value.error_dict["code"][0].code == why
    assert Company.objects.count() == 1


def test_the_depth_limit_holds(settings):
    # given
    settings.COMPANY_MAX_DEPTH = 4
    _head, second = make_chain(2)
    third = unsaved("third", second)
    fourth = unsaved("fourth", third)
    fifth = unsaved("fifth", fourth)
    # then
    with pytest.raises(TooDeep):
        load_companies([third, fourth, fifth], actor=SYSTEM)
    assert Company.objects.count() == 2
    # when
    load_companies([unsaved("x", second)], actor=SYSTEM)
    # then
    assert find_tree_faults() == []


def test_nothing_is_loaded_below_closed_or_deleted_companies():
    # given
    closed = make_company(status=Company.Status.CLOSED)
    gone = make_company()
    Company.objects.filter(pk=gone.pk).delete()
    # then
    with pytest.raises(ParentClosed):
        load_companies([unsaved("new", closed)], actor=SYSTEM)
    with pytest.raises(ParentGone):
        load_companies([unsaved("new", gone)], actor=SYSTEM)
    assert not Company.objects.filter(code="new").exists()


@pytest.mark.django_db(transaction=True)
def test_loads_and_ordinary_inserts_at_once_leave_a_sound_tree():
    # given
    head = make_company()

    def work(number: int) -> None:
        for n in range(4):
            if number % 2:
                make_company(parent=head)
                continue
            top = unsaved(f"top-{number}-{n}")
            low = unsaved(f"low-{number}-{n}", head)
            load_companies([low, top, unsaved(f"x{number}-{n}", top)], actor=SYSTEM)

    # when
    run_at_once(work, threads=6)
    # then
    assert find_tree_faults() == []
    assert Company.objects.under(head).count() == 1 + 12 + 12
    assert CustomerGroup.objects.count() == 4 * Company.objects.count()


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_ids_taken_by_others_meanwhile_are_left_to_them():
    # given someone who takes ids without passing the gate
    def work(number: int) -> list[int]:
        if number:
            return list(
                load_companies(
                    [unsaved(f"c{number}-{n}") for n in range(200)], actor=SYSTEM
                )
            )
        return [Company.objects.allocate_pk() for _ in range(300)]

    # when
    taken = [pk for pks in run_at_once(work, threads=4) for pk in pks]
    # then
    assert len(taken) == len(set(taken)) == 300 + 3 * 200


def test_events_of_many_rows_go_on_counting():
    # given
    one, two = make_company(), make_company()
    locations = [make_location(company=one), make_location(company=one)]
    locations.append(make_location(company=two))
    # when
    with transaction.atomic():
        record_events("location.updated", Location.objects.all())
    # then
    told = Event.objects.order_by("stream", "number")
    assert list(told.values_list("stream", "number", "type")) == [
        (one.pk, 1, "company.created"),
        (one.pk, 2, "location.created"),
        (one.pk, 3, "location.created"),
        (one.pk, 4, "location.updated"),
        (one.pk, 5, "location.updated"),
        (two.pk, 1, "company.created"),
        (two.pk, 2, "location.created"),
        (two.pk, 3, "location.updated"),
    ]
    subjects = told.filter(type="location.updated").values_list("subject_id", flat=True)
    assert list(subjects) == [location.pk for location in locations]
    assert EventCounter.objects.get(stream=one.pk).last == 5


@pytest.mark.django_db(transaction=True)
def test_rows_are_copied_in_a_transaction_only():
    assert not connection.in_atomic_block
    with pytest.raises(RuntimeError):
        copy_rows(EventCounter, ["stream", "last"], [(1, 1)])
    assert not EventCounter.objects.exists()
