"""Nobody waits for long, and nothing is left behind by who waited in vain."""

import time
from collections.abc import Callable
from threading import Barrier

import pytest
from django.core.management import CommandError, call_command
from django.db import InternalError, OperationalError, connection, transaction
from rest_framework.test import APIClient

from companies.models import Company
from config import db
from config.db import allow_long_work, in_transaction, is_busy, locked, repeated
from integrations import recording
from integrations.models import Event
from tests.factories import make_chain, make_client, make_company, make_token
from tests.races import run_at_once
from tests.staff import act, page_of, said, save, superuser
from tests.waiting import gate_held, hierarchy_held, patience, somebody_else

pytestmark = pytest.mark.django_db(transaction=True)
SOON = 300  # milliseconds


@pytest.fixture
def api() -> APIClient:
    http = APIClient(raise_request_exception=False)
    scopes = "companies:read companies:write companies:move"
    token = make_token(make_client(scopes=scopes, sees_all=True))
    http.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return http


def stored() -> list[object]:
    rows = Company.objects.order_by("pk")
    return [
        list(rows.values_list("pk", "version", "status", "lft", "rght", "tree_id")),
        Company.history.count(),
        Event.objects.count(),
    ]


WRITES: dict[str, Callable[[APIClient, Company, Company], object]] = {
    "create": lambda api, head, sub: api.post(
        "/api/v1/companies/", {"name": "New", "parent": head.pk}
    ),
    "move": lambda api, head, sub: api.post(
        f"/api/v1/companies/{sub.pk}/move/", {"parent": None}
    ),
    "hold": lambda api, head, sub: api.post(
        f"/api/v1/companies/{head.pk}/hold/", {"reason": "Unpaid"}
    ),
    "delete": lambda api, head, sub: api.delete(
        f"/api/v1/companies/{sub.pk}/", headers={"If-Match": '"1"'}
    ),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_hierarchy_that_does_not_come_free_is_503(api, write):
    # given
    head, sub = make_chain(2)
    before = stored()
    with hierarchy_held(head.pk), patience(SOON):
        # when
        answer = write(api, head, sub)
    # then
    assert answer.status_code == 503
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["Retry-After"] == "1"
    assert answer.json()["code"] == "busy"
    assert stored() == before
    # and it is as if nobody had asked
    assert write(api, head, sub).status_code < 300


@pytest.mark.postgresql
def test_who_asks_over_http_waits_three_seconds(api):
    # given
    head, sub = make_chain(2)
    other = make_company()
    with hierarchy_held(head.pk):
        # when
        began = time.monotonic()
        answer = api.post("/api/v1/companies/", {"name": "New", "parent": sub.pk})
        waited = time.monotonic() - began
        # then: others do not wait
        began = time.monotonic()
        beside = api.post("/api/v1/companies/", {"name": "New", "parent": other.pk})
        assert time.monotonic() - began < 2
    assert (answer.status_code, beside.status_code) == (503, 201)
    assert 2.9 < waited < 3.5


def test_an_object_that_waited_in_vain_can_be_saved_again():
    # given
    head = make_company()
    child = Company(name="Child", code="child", parent=head)
    # when
    with (
        hierarchy_held(head.pk),
        patience(SOON),
        pytest.raises(OperationalError) as waited,
    ):
        child.save()
    # then
    assert is_busy(waited.value)
    assert child.pk is None
    child.save()
    assert Company.objects.under(head).count() == 2


def test_staff_read_it_at_the_form_and_lose_nothing():
    # given
    head = make_company()
    before, client = stored(), superuser()
    values = {"name": "New below", "parent": head.pk}
    with hierarchy_held(head.pk), patience(SOON):
        # when
        response = save(client, page_of(head, "add"), **values)
    # then
    assert "Try again in a moment. (busy)" in response.content.decode()
    assert "New below" in response.content.decode()
    assert stored() == before


def test_staff_read_why_an_action_or_a_deletion_was_not_done():
    # given
    head, sub = make_chain(2)
    before, client = stored(), superuser()
    with hierarchy_held(head.pk), patience(SOON):
        # when
        held = act(client, sub, "hold", reason="Unpaid", seen_version=1)
        deleted = client.post(page_of(sub, "delete"), {"post": "yes"})
    # then
    for response in (held, deleted):
        assert "The database is busy" in said(response)[-1]
    assert stored() == before


@pytest.mark.parametrize("command", ["import_data", "check_tree"])
def test_a_command_says_it_in_a_sentence(tmp_path, command):
    # given
    make_company()
    before = stored()
    (tmp_path / "new.csv").write_text("code,name\nnew,New\n")
    wanted = ["--fix"]
    if command == "import_data":
        wanted = ["companies", str(tmp_path / "new.csv")]
    # when
    with (
        gate_held(),
        patience(SOON),
        pytest.raises(CommandError, match="The database is busy"),
    ):
        call_command(command, *wanted)
    # then
    assert stored() == before


# What the database gave up is done again


class Cause(Exception):
    def __init__(self, sqlstate: str) -> None:
        self.sqlstate = sqlstate


def error_of(sqlstate: str) -> OperationalError:
    error = OperationalError("given up")
    error.__cause__ = Cause(sqlstate)
    return error


def failing(times: int, sqlstate: str = "40P01") -> Callable[[], int]:
    """Fails so many times, then answers how often it was called."""
    calls = 0

    def work() -> int:
        nonlocal calls
        calls += 1
        if calls <= times:
            raise error_of(sqlstate)
        return calls

    return work


@pytest.mark.parametrize("sqlstate", ["40P01", "40001"])
def test_what_was_given_up_is_repeated_three_times(sqlstate):
    assert repeated(failing(3, sqlstate))() == 4
    work = failing(9, sqlstate)
    with pytest.raises(OperationalError):
        repeated(work)()
    with pytest.raises(OperationalError):
        work()  # the fifth time


def test_waiting_in_vain_is_not_repeated():
    work = failing(1, "55P03")
    with pytest.raises(OperationalError):
        repeated(work)()
    assert work() == 2


def test_inside_a_transaction_the_whole_is_left_to_whoever_began_it():
    work = failing(1)
    with pytest.raises(OperationalError), transaction.atomic():
        repeated(work)()
    assert work() == 2


def once(monkeypatch, error: Exception) -> None:
    """The next event that is recorded meets the error, the ones after it do not."""
    record, errors = recording.record_event, [error]

    def record_or_fail(*args, **kwargs):
        record(*args, **kwargs)
        if errors:
            raise errors.pop()

    monkeypatch.setattr(recording, "record_event", record_or_fail)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_call_of_the_api_is_repeated_as_a_whole(api, monkeypatch, write):
    # given
    head, sub = make_chain(2)
    events = Event.objects.count()
    once(monkeypatch, error_of("40P01"))
    # when
    answer = write(api, head, sub)
    # then: done, and done once
    assert answer.status_code < 300
    assert Event.objects.count() == events + 1


def test_a_change_is_repeated_from_what_is_stored(api, monkeypatch):
    # given
    company = make_company()
    once(monkeypatch, error_of("40001"))
    # when
    answer = api.patch(
        f"/api/v1/companies/{company.pk}/",
        {"name": "New name"},
        headers={"If-Match": '"1"'},
    )
    # then
    assert (answer.status_code, answer.json()["version"]) == (200, 2)


def test_a_page_of_the_staff_is_repeated_too(monkeypatch):
    # given
    company, client = make_company(), superuser()
    once(monkeypatch, error_of("40P01"))
    # when
    response = save(client, page_of(company), name="New name")
    # then
    assert response.status_code == 302
    company.refresh_from_db()
    assert (company.name, company.version) == ("New name", 2)


def lock_crosswise(wrap: Callable[..., Callable[[], None]]) -> list[str]:
    """Two transactions lock the same two rows, each in the other's order."""
    pks = [make_company().pk, make_company().pk]
    meet, first = Barrier(2), [True, True]

    def run(number: int) -> str:
        def lock_both() -> None:
            for pk in pks[:: 1 if number else -1]:
                locked(Company.objects.filter(pk=pk)).get()
                if first[number]:
                    first[number] = False
                    meet.wait(5)

        try:
            wrap(lock_both)()
        except OperationalError as error:
            return "deadlock" if db.is_given_up(error) else "other"
        return "ok"

    return sorted(run_at_once(run, threads=2))


@pytest.mark.postgresql
def test_a_deadlock_is_not_seen():
    assert lock_crosswise(in_transaction) == ["ok", "ok"]


@pytest.mark.postgresql
def test_without_the_repetition_one_of_two_sees_the_deadlock():
    assert lock_crosswise(transaction.atomic) == ["deadlock", "ok"]


# Limits of time


def shown(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {name}")
        return cursor.fetchone()[0]


LIMITS = ["lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"]


@pytest.mark.postgresql
def test_connections_have_limits():
    assert [shown(limit) for limit in LIMITS] == ["3s", "10min", "10s"]


@pytest.mark.postgresql
def test_long_work_is_allowed_until_the_end_of_the_transaction():
    with transaction.atomic():
        allow_long_work()
        assert [shown(limit) for limit in LIMITS] == ["3s", "15min", "15min"]
    assert [shown(limit) for limit in LIMITS] == ["3s", "10min", "10s"]


@pytest.mark.postgresql
def test_a_statement_that_takes_too_long_is_503(api, monkeypatch):
    # given
    def sleep(*args: object, **kwargs: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 50; SELECT pg_sleep(5)")

    monkeypatch.setattr(recording, "record_event", sleep)
    # when
    answer = api.post("/api/v1/companies/", {"name": "New"})
    # then
    assert (answer.status_code, Company.objects.count()) == (503, 0)


@pytest.mark.postgresql
def test_a_pause_in_a_transaction_that_is_too_long_is_503(api, monkeypatch):
    # given
    def pause(*args: object, **kwargs: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 50")
            time.sleep(0.3)
            cursor.execute("SELECT 1")

    monkeypatch.setattr(recording, "record_event", pause)
    # when
    answer = api.post("/api/v1/companies/", {"name": "New"})
    connection.close()
    # then
    assert (answer.status_code, Company.objects.count()) == (503, 0)


@pytest.mark.postgresql
def test_a_connection_that_is_lost_fails_one_call(api):
    # given
    company = make_company()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (mine,) = cursor.fetchone()
    with somebody_else() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [mine])
    # when
    lost = api.get(f"/api/v1/companies/{company.pk}/")
    connection.close_if_unusable_or_obsolete()  # as at the end of each request
    # then
    assert (lost.status_code, lost["Retry-After"]) == (503, "1")
    assert api.get(f"/api/v1/companies/{company.pk}/").status_code == 200


def test_a_page_of_the_staff_that_cannot_be_read_says_so(monkeypatch):
    # given
    client = superuser()
    page = page_of(make_company(), "changelist")

    def fail(*args: object, **kwargs: object) -> None:
        raise error_of("57014")

    monkeypatch.setattr(Company.objects, "get_queryset", fail)
    # when
    response = client.get(page)
    # then
    assert (response.status_code, response["Retry-After"]) == (503, "1")
    assert "Try again in a moment." in response.content.decode()


def test_what_is_wrong_with_us_is_no_matter_of_waiting():
    for error in (error_of("42P01"), InternalError("25P02")):
        error.__cause__ = error.__cause__ or Cause("25P02")
        assert not is_busy(error)
