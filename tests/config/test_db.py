import pytest
from django.db import (
    DEFAULT_DB_ALIAS,
    DatabaseError,
    IntegrityError,
    OperationalError,
    connection,
    connections,
    transaction,
)
from django.test.utils import CaptureQueriesContext

from companies.models import Company, Contact, ContactAssignment
from config.db import (
    acquire_gate,
    acquire_hierarchies,
    as_a_whole,
    is_busy,
    is_check_violation,
    is_foreign_key_violation,
    is_unique_violation,
    locked,
    part_of_transaction,
)
from config.errors import StaleVersion
from integrations.models import Event, EventCounter
from tests.factories import make_company, make_contact

KINDS = [is_unique_violation, is_foreign_key_violation, is_check_violation]


def refused(sql: str, *params: object) -> IntegrityError:
    with (
        pytest.raises(IntegrityError) as found,
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(sql, params)
    return found.value


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "lock",
    [
        acquire_gate,
        lambda: acquire_hierarchies([1]),
        lambda: locked(EventCounter.objects.all()),
    ],
)
def test_a_lock_outside_a_transaction_is_refused(lock):
    with pytest.raises(RuntimeError, match="transaction"):
        lock()
    with transaction.atomic():
        lock()


@pytest.mark.django_db
def test_sqlite_locks_need_immediate_transactions(monkeypatch):
    # given: the connection itself, since a proxy cannot be patched back
    real = connections[DEFAULT_DB_ALIAS]
    monkeypatch.setattr(real, "vendor", "sqlite")
    monkeypatch.setattr(real, "transaction_mode", "DEFERRED", raising=False)

    # then
    with pytest.raises(RuntimeError, match="IMMEDIATE"):
        acquire_gate()


@pytest.mark.django_db
def test_violations_are_told_apart():
    # given
    Event.objects.create(stream=1, number=1, type="a", subject_id=1)
    copy = (
        "INSERT INTO integrations_event (stream, number, type, subject_id, occurred_at)"
        " SELECT stream, number, type, subject_id, occurred_at FROM integrations_event"
    )

    # then
    unique = refused(copy)
    check = refused(
        "INSERT INTO integrations_eventcounter (stream, last) VALUES (%s, %s)", 1, -1
    )
    assert [kind(unique) for kind in KINDS] == [True, False, False]
    assert [kind(check) for kind in KINDS] == [False, False, True]


@pytest.mark.django_db(transaction=True)
def test_a_reference_to_nothing_is_told_apart():
    # when: both databases look at references when they commit
    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        ContactAssignment.objects.bulk_create(
            [ContactAssignment(company_id=1, contact_id=1)]
        )

    # then
    assert [kind(refused.value) for kind in KINDS] == [False, True, False]


class Cause(Exception):
    def __init__(self, **attributes: object) -> None:
        vars(self).update(attributes)


@pytest.mark.parametrize(
    ("cause", "busy"),
    [
        (Cause(sqlite_errorname="SQLITE_BUSY"), True),
        (Cause(sqlite_errorname="SQLITE_BUSY_SNAPSHOT"), True),
        (Cause(sqlite_errorname="SQLITE_LOCKED"), True),
        (Cause(sqlite_errorname="SQLITE_ERROR"), False),  # no such table
        (Cause(sqlstate="55P03"), True),  # lock_timeout
        (Cause(sqlstate="40P01"), True),  # deadlock
        (Cause(sqlstate="53300"), True),  # too many connections
        (Cause(sqlstate="57P01"), True),  # the server is going down
        (Cause(sqlstate=None), True),  # it never answered
        (Cause(sqlstate="42P01"), False),  # undefined table
    ],
)
def test_busy_means_that_trying_again_may_help(cause: Cause, busy: bool):
    error: DatabaseError = OperationalError()
    error.__cause__ = cause

    assert is_busy(error) is busy


@pytest.mark.django_db
def test_what_fails_as_a_whole_is_undone_without_savepoints_inside():
    # given
    make_company(code="before")
    # when
    with CaptureQueriesContext(connection) as queries, pytest.raises(StaleVersion):
        save_two_of_which_one_is_stale()
    # then
    assert set(Company.objects.values_list("code", flat=True)) == {"before"}
    marks = [q["sql"] for q in queries if q["sql"].startswith("SAVEPOINT")]
    assert len(marks) == 1  # of the whole; the test itself is a transaction


def save_two_of_which_one_is_stale() -> None:
    with as_a_whole():
        stored = make_contact()
        stale = Contact.objects.get(pk=stored.pk)
        stored.save()
        stale.save()


def make_one_and_fail() -> None:
    with part_of_transaction():
        make_company(code="undone")
        raise RuntimeError


@pytest.mark.django_db
def test_elsewhere_a_part_may_fail_without_the_rest():
    # when
    with part_of_transaction():
        make_company(code="kept")
        with pytest.raises(RuntimeError):
            make_one_and_fail()
    # then
    assert set(Company.objects.values_list("code", flat=True)) == {"kept"}
    with as_a_whole():
        pass
    with part_of_transaction(), pytest.raises(RuntimeError):
        make_one_and_fail()  # after a whole it is as before
    assert Company.objects.count() == 1
