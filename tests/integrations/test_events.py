"""Events in one order, told to whoever may know of them, and kept for a while."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from companies.models import Company
from integrations.models import Event, EventCounter
from integrations.sequencing import (
    forget_old_events,
    sequence_events,
    sequence_for_reader,
)
from tests.api_shapes import assert_same_shape
from tests.factories import (
    make_chain,
    make_client,
    make_company,
    make_contact,
    make_location,
)

URL = "/api/v1/events/"


@pytest.fixture
def api(db, call_as):
    return call_as(make_client(scopes="events:read", sees_all=True))


def told(api, query: str = "") -> list[tuple[int | None, str, int]]:
    response = api.get(f"{URL}{query}")
    assert response.status_code == 200, response.content
    return [(e["company"], e["type"], e["subject"]) for e in response.json()["results"]]


def test_the_serializer_describes_the_shape():
    from integrations.api.events import EVENT, EventSerializer

    assert_same_shape(EventSerializer, EVENT)


def test_a_change_is_told_at_once_even_if_no_worker_runs(api):
    # given
    company = make_company()
    Event.objects.exclude(type="company.created").delete()

    # when
    response = api.get(URL)

    # then
    event = Event.objects.get()
    assert response.json() == {
        "results": [
            {
                "position": 1,
                "company": company.pk,
                "number": event.number,
                "type": "company.created",
                "subject": company.pk,
                "occurred_at": event.occurred_at.isoformat().replace("+00:00", "Z"),
            }
        ],
        "next": None,
        "previous": None,
    }


def test_reading_goes_on_after_the_last_position(api):
    # given
    for _ in range(5):
        make_company()
    everything = api.get(f"{URL}?page_size=200").json()["results"]
    positions = [event["position"] for event in everything]

    # when
    middle = positions[len(positions) // 2]
    rest = api.get(f"{URL}?after={middle}&page_size=200").json()

    # then
    assert positions == list(range(1, len(positions) + 1))
    assert rest["results"] == [e for e in everything if e["position"] > middle]
    assert rest["next"] is None
    assert api.get(f"{URL}?after={positions[-1]}").json()["results"] == []


def test_pages_follow_each_other(api):
    # given
    for _ in range(4):
        make_company()

    # when
    seen, url = [], f"{URL}?page_size=3&count=true"
    while url:
        page = api.get(url).json()
        seen += [event["position"] for event in page["results"]]
        url = page["next"]

    # then
    assert seen == list(range(1, Event.objects.count() + 1))


def test_events_of_a_company_and_of_a_type(api):
    # given
    one, other = make_company(), make_company()
    location = make_location(company=one)

    # then
    of_one = told(api, f"?company={one.pk}")
    assert (one.pk, "location.created", location.pk) in of_one
    assert {company for company, *_ in of_one} == {one.pk}
    created = told(api, "?type=company.created")
    assert created == [(c.pk, "company.created", c.pk) for c in (one, other)]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("after=x", "invalid"),
        ("after=99999999999999999999", "invalid"),
        ("type=company.exploded", "invalid_choice"),
        ("company=acme", "invalid"),
        ("ordering=number", "unknown_parameter"),
        ("cursor=x", "cursor"),
    ],
)
def test_a_wrong_question_is_refused(api, query: str, code: str):
    response = api.get(f"{URL}?{query}")

    assert response.status_code == 400
    assert response.json()["errors"][0]["code"] == code


def test_nobody_hears_of_companies_that_they_do_not_see(db, call_as):
    # given
    mine, sub = make_chain(2)
    foreign = make_company()
    contact = make_contact()
    api = call_as(make_client(scopes="events:read", hierarchies=(mine,)))

    # when
    seen = told(api)

    # then
    assert {company for company, *_ in seen} == {mine.pk, sub.pk}
    assert told(api, f"?company={foreign.pk}") == []
    assert told(api, "?company=0") == []  # people belong to no company
    assert Event.objects.filter(type="contact.created", subject_id=contact.pk)


def test_a_deletion_is_told_to_whoever_sees_the_company_above(db, call_as):
    # given
    head, sub = make_chain(2)
    low = make_company(parent=sub)
    api = call_as(make_client(scopes="events:read", hierarchies=(sub,)))
    other = call_as(make_client(scopes="events:read", hierarchies=(make_company(),)))
    of_head = call_as(make_client(scopes="events:read", hierarchies=(head,)))

    # when
    Company.objects.get(pk=low.pk).delete()

    # then
    gone = (low.pk, "company.deleted", low.pk)
    assert gone in told(api)
    assert gone not in told(other)

    # when the one above goes, too: the next one up is asked
    Company.objects.get(pk=sub.pk).delete()

    # then
    assert EventCounter.objects.get(stream=low.pk).above == head.pk
    assert {gone, (sub.pk, "company.deleted", sub.pk)} <= set(told(of_head))
    assert told(api) == []


def test_the_deletion_of_a_head_company_is_told_to_who_sees_all(api, call_as):
    # given
    head = make_company()
    theirs = call_as(make_client(scopes="events:read", hierarchies=(head,)))

    # when
    Company.objects.get(pk=head.pk).delete()

    # then
    assert (head.pk, "company.deleted", head.pk) in told(api)
    assert told(theirs) == []


def test_events_need_their_scope(db, call_as):
    api = call_as(make_client(scopes="companies:read webhooks:write", sees_all=True))

    response = api.get(URL)

    assert response.status_code == 403
    assert response.json()["details"] == {"scope": "events:read"}
    assert api.post(URL, {}).status_code in (403, 405)


def test_a_list_costs_four_queries_however_many_there_are(
    api, django_assert_num_queries
):
    # given
    for _ in range(10):
        make_company()
    sequence_events()

    # then: token, what waits, rows
    with django_assert_num_queries(3):
        api.get(URL)


# --- the order


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_commits_late_is_read_nevertheless():
    """Its id is lower than that of an event which has been told before it."""
    # given
    begun, go_on = threading.Event(), threading.Event()

    def late() -> None:
        with transaction.atomic():
            make_company(code="late")
            begun.set()
            go_on.wait(10)
        connection.close()

    thread = threading.Thread(target=late)
    thread.start()
    begun.wait(10)
    make_company(code="early")

    # when
    sequence_events()
    first = list(Event.objects.told().values_list("position", flat=True))
    go_on.set()
    thread.join()
    last_id = Event.objects.filter(position=max(first)).get().pk
    sequence_events()

    # then
    later = Event.objects.filter(position__gt=max(first))
    assert later
    assert {event.pk < last_id for event in later} == {True}
    positions = Event.objects.order_by("position").values_list("position", flat=True)
    assert list(positions) == list(range(1, len(positions) + 1))


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_twelve_writers_and_two_sequencers_lose_nothing_and_keep_the_order():
    # given
    companies = [make_company() for _ in range(4)]
    seen: list[tuple[int, int, int]] = []
    done = threading.Event()

    def write(number: int) -> None:
        for turn in range(12):
            company = companies[(number + turn) % 4]
            make_location(company=company)
        connection.close()

    def sequence() -> None:
        while not done.is_set():
            sequence_events()
        connection.close()

    def read(after: int) -> int:
        rows = Event.objects.filter(position__gt=after).order_by("position")
        found = list(rows.values_list("position", "stream", "number"))
        seen.extend(found)
        return found[-1][0] if found else after

    writers = [threading.Thread(target=write, args=(n,)) for n in range(12)]
    others = [threading.Thread(target=sequence) for _ in range(2)]

    # when
    for thread in [*writers, *others]:
        thread.start()
    after = 0
    while any(thread.is_alive() for thread in writers):
        after = read(after)
    done.set()
    for thread in others:
        thread.join()
    sequence_events()
    read(after)

    # then: every event once, and those of a company in the order of their numbers
    assert [position for position, *_ in seen] == list(range(1, len(seen) + 1))
    assert len(seen) == Event.objects.count()
    for company in companies:
        numbers = [number for _, stream, number in seen if stream == company.pk]
        assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_nobody_waits_for_the_one_who_gives_positions():
    # given
    make_company()
    holding, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            sequence_events()
            holding.set()
            go_on.wait(10)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    holding.wait(10)

    # when
    given = sequence_events()
    sequence_for_reader()

    # then
    assert given == 0
    assert not Event.objects.told().exists()
    go_on.set()
    thread.join()
    assert not Event.objects.waiting().exists()


# --- how long


@pytest.mark.django_db
def test_old_events_are_forgotten_but_never_the_last(settings, api):
    # given
    for _ in range(3):
        make_company()
    sequence_events()
    total = Event.objects.count()
    age = timedelta(days=settings.EVENT_KEEP_DAYS, minutes=1)
    young = Event.objects.filter(position__gt=total - 2)
    Event.objects.update(occurred_at=timezone.now() - age)
    young.update(occurred_at=timezone.now() - age + timedelta(minutes=2))

    # when
    forgotten = forget_old_events()

    # then
    assert forgotten == total - 2
    assert forget_old_events() == 0
    Event.objects.update(occurred_at=F("occurred_at") - age)
    assert forget_old_events() == 1
    make_company()
    sequence_events()
    assert Event.objects.filter(position=total + 1).exists()
