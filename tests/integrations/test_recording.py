import pytest
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from companies.models import Company, CompanyLink, ContactAssignment, Location
from config.errors import StaleVersion
from integrations.models import Event, EventCounter
from integrations.recording import event_noun
from integrations.services import NO_COMPANY, record_event
from tests.factories import (
    make_assignment,
    make_chain,
    make_company,
    make_contact,
    make_link,
    make_location,
)
from tests.races import run_at_once

pytestmark = pytest.mark.django_db


def told(stream: int) -> list[tuple[int, str]]:
    events = Event.objects.filter(stream=stream).order_by("number")
    return list(events.values_list("number", "type"))


def test_each_change_is_told_once_in_the_stream_of_its_company():
    company = make_company()
    location = make_location(company=company)
    company.save()
    location.save()
    location.delete()
    company.move(make_company())

    assert told(company.pk) == [
        (1, "company.created"),
        (2, "location.created"),
        (3, "company.updated"),
        (4, "location.updated"),
        (5, "location.deleted"),
        (6, "company.moved"),
    ]


def test_a_person_belongs_to_no_company():
    contact = make_contact()
    contact.save()

    assert told(NO_COMPANY) == [(1, "contact.created"), (2, "contact.updated")]


def test_the_names_of_events_are_those_of_the_models():
    assert event_noun(Company) == "company"
    assert event_noun(CompanyLink) == "company_link"
    assert event_noun(ContactAssignment) == "contact_assignment"


def test_an_event_says_what_it_is_about_and_nothing_personal():
    assignment = make_assignment()

    event = Event.objects.get(type="contact_assignment.created")

    assert event.subject_id == assignment.pk
    assert event.stream == assignment.company_id
    names = {field.name for field in Event._meta.get_fields()}
    ids = {"id", "stream", "number", "subject_id", "position"}
    assert names == ids | {"type", "occurred_at"}


@pytest.mark.parametrize("make", [make_location, make_link, make_assignment])
def test_a_change_that_is_rolled_back_is_not_told(make):
    row = make()
    before = list(Event.objects.values_list("pk", flat=True))
    version = row.version

    with transaction.atomic():
        row.save()
        transaction.set_rollback(True)

    assert list(Event.objects.values_list("pk", flat=True)) == before
    row.refresh_from_db()
    assert row.version == version
    row.save()
    assert Event.objects.count() == len(before) + 1


def test_a_refused_change_is_not_told_and_leaves_no_gap():
    company = make_company(code="first")
    other = make_company(code="other")
    stale = Company.objects.get(pk=company.pk)
    company.save()
    company.code = other.code

    with pytest.raises(IntegrityError), transaction.atomic():
        company.save()
    with pytest.raises(StaleVersion):
        stale.save()
    make_company(parent=company)
    with pytest.raises(ProtectedError):
        company.delete()
    company.code = "first"
    company.save()

    assert told(company.pk) == [
        (1, "company.created"),
        (2, "company.updated"),
        (3, "company.updated"),
    ]


def test_a_deleted_row_is_neither_saved_nor_told():
    location = make_location()
    twin = Location.objects.get(pk=location.pk)
    location.delete()

    with pytest.raises(StaleVersion) as refusal:
        twin.save()

    assert refusal.value.details == {"version": None}
    assert told(location.company_id)[-1] == (3, "location.deleted")


def test_save_takes_keyword_arguments_only():
    with pytest.raises(TypeError):
        make_location().save(True)


def test_an_object_with_some_fields_keeps_the_others():
    location = make_location(city="Oslo", name="Office")
    some = Location.objects.only("name", "company", "version").get(pk=location.pk)
    some.name = "Warehouse"

    some.save()

    location.refresh_from_db()
    assert (location.name, location.city, location.version) == ("Warehouse", "Oslo", 2)


def test_saving_some_fields_grows_the_version():
    location = make_location(city="Oslo")
    location.name, location.city = "Office", "Bergen"

    location.save(update_fields=["name"])

    stored = Location.objects.get()
    assert (stored.name, stored.city, stored.version) == ("Office", "Oslo", 2)
    assert stored.updated_at > stored.created_at


@pytest.mark.django_db(transaction=True)
def test_an_event_is_recorded_in_the_transaction_of_its_change():
    company = make_company()

    with pytest.raises(RuntimeError, match="transaction"):
        record_event("company.updated", company, company_id=company.pk)

    assert told(company.pk) == [(1, "company.created")]


@pytest.mark.django_db(transaction=True)
def test_numbers_have_no_gaps_while_many_write():
    company = make_company()

    def write(number: int) -> None:
        for turn in range(5):
            with transaction.atomic():
                make_location(company=company)
                transaction.set_rollback(turn % 2 == 1)

    run_at_once(write, threads=6)

    numbers = [number for number, _type in told(company.pk)]
    assert numbers == list(range(1, 1 + 1 + 6 * 3))
    assert EventCounter.objects.get(stream=company.pk).last == numbers[-1]


def test_what_moves_with_its_parent_is_not_told():
    head, middle, low = make_chain(3)

    middle.move(make_company())

    assert told(low.pk) == [(1, "company.created")]
    assert told(head.pk) == [(1, "company.created")]
