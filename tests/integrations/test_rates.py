"""Never more calls than the limit, whatever the number of threads and processes."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from integrations import rates
from integrations.models import CallCount
from integrations.rates import Rate, blocked, count_failure, take
from tests.clock import Clock
from tests.companies.tree_writers import database_url
from tests.integrations.callers import FOR_LONG, call_at_once
from tests.races import run_at_once
from tests.waiting import somebody_else

SHOP = "shop"
THREADS = 16


@pytest.fixture(autouse=True)
def _nothing_taken_in_advance() -> None:
    rates.forget_portions()


@pytest.fixture
def clock() -> Iterator[Clock]:
    with Clock(datetime(2026, 11, 26, 12, 0, 10, tzinfo=UTC)).stopped() as clock:
        yield clock


def calls(rate: Rate, who: object = SHOP, *, tries: int = 1000) -> int:
    """How many calls are let through before one is refused."""
    for made in range(tries):
        if take(rate, who):
            return made
    return tries


@pytest.mark.django_db
@pytest.mark.parametrize("limit", [1, 7, 49, 50, 51, 149, 600])
def test_exactly_the_limit_passes_in_a_window(clock, limit: int):
    rate = Rate("test", limit)

    assert calls(rate) == limit
    assert take(rate, SHOP) == 50
    assert CallCount.objects.get().used == limit


@pytest.mark.django_db
def test_the_next_window_begins_with_the_next_minute(clock):
    # given
    rate = Rate("test", 100)
    assert calls(rate) == 100
    clock.move(seconds=49)
    assert take(rate, SHOP) == 1

    # when
    clock.move(seconds=1)

    # then
    assert calls(rate) == 100
    assert CallCount.objects.count() == 1


@pytest.mark.django_db
def test_callers_and_rates_are_counted_apart(clock):
    assert calls(Rate("test", 10), "one") == 10
    assert calls(Rate("test", 10), "two") == 10
    assert calls(Rate("other", 10), "one") == 10


@pytest.mark.django_db
def test_no_limit_counts_nothing(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert calls(Rate("test", 0), tries=100) == 100


@pytest.mark.django_db
def test_a_call_in_fifty_writes_and_none_after_the_last(clock):
    rate = Rate("test", 500)

    with CaptureQueriesContext(connection) as all_calls:
        assert calls(rate) == 500
    with CaptureQueriesContext(connection) as refused:
        assert all(take(rate, SHOP) for _ in range(100))

    writes = [q for q in all_calls.captured_queries if "INSERT" in q["sql"]]
    assert len(writes) == 50 + 2  # that none is left is asked for a portion and for one
    assert refused.captured_queries == []


@pytest.mark.django_db
def test_a_limit_that_is_raised_or_lowered_counts_at_once(clock):
    assert calls(Rate("test", 10)) == 10
    assert calls(Rate("test", 15)) == 5
    assert calls(Rate("test", 5)) == 0


@pytest.mark.django_db
def test_a_process_whose_clock_is_late_counts_in_the_window_that_has_begun(clock):
    # given
    rate = Rate("test", 10)
    assert calls(rate, tries=4) == 4

    # when
    clock.move(seconds=-11)
    rates.forget_portions()  # as another process

    # then
    assert calls(rate) == 6


@pytest.mark.django_db
def test_a_clock_that_was_an_hour_ahead_locks_nobody_out(clock):
    # given
    clock.move(hours=1)
    assert calls(Rate("test", 10)) == 10
    count_failure(Rate("secrets", 1, seconds=900), SHOP)

    # when
    clock.move(hours=-1)

    # then
    assert calls(Rate("test", 10)) == 10
    assert blocked(Rate("secrets", 1, seconds=900), SHOP) == 0


@pytest.mark.django_db
def test_after_failures_nothing_is_tried_for_the_whole_time(clock):
    # given
    rate = Rate("secrets", 3, seconds=900)
    for _ in range(3):
        clock.move(minutes=10)
        assert blocked(rate, SHOP) == 0
        assert count_failure(rate, SHOP) == 0

    # then
    assert (blocked(rate, SHOP), blocked(rate, "other")) == (900, 0)
    clock.move(seconds=899)
    assert count_failure(rate, SHOP) == 1
    assert blocked(rate, SHOP) == 1
    clock.move(seconds=1)
    assert blocked(rate, SHOP) == 0
    assert count_failure(rate, SHOP) == 0
    assert CallCount.objects.get().used == 1


@pytest.mark.django_db
def test_old_counts_are_deleted_and_others_stay(clock):
    # given
    take(Rate("test", 10), "old")
    clock.move(minutes=61)
    take(Rate("test", 10), "new")

    # then
    assert rates.forget_old() == 1
    assert CallCount.objects.get().key == "test:new"
    assert rates.forget_old() == 0


@pytest.mark.django_db
def test_memory_does_not_grow_with_callers(clock, monkeypatch):
    monkeypatch.setattr(rates, "MOST_IN_MEMORY", 10)

    for number in range(25):
        assert calls(Rate("test", 3), number) == 3

    assert len(rates._purses) <= 10


@pytest.mark.django_db(transaction=True)
def test_exactly_the_limit_passes_with_sixteen_threads():
    rate = Rate("test", 60, seconds=FOR_LONG)  # counted one by one

    made = run_at_once(lambda _number: calls(rate), threads=THREADS)

    assert sum(made) == 60


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("limit", [60, 999])
def test_exactly_the_limit_passes_with_four_processes(monkeypatch, limit: int):
    # given
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.settings")
    monkeypatch.setenv("DATABASE_URL", database_url())

    # when
    made = call_at_once(limit)

    # then
    assert sum(made) == limit
    assert CallCount.objects.get().used == limit


@pytest.mark.django_db(transaction=True)
def test_reading_first_and_writing_then_lets_more_through():
    """The control: what the one statement is for."""
    # given
    CallCount.objects.create(key="test:shop", start=0, used=0)
    row = CallCount.objects.filter(pk="test:shop")

    def call(_number: int) -> int:
        made = 0
        while (used := row.values_list("used", flat=True).get()) < 60:
            row.update(used=used + 1)
            made += 1
        return made

    # then
    assert sum(run_at_once(call, threads=THREADS)) > 60


@pytest.mark.django_db(transaction=True)
def test_calls_go_on_while_nobody_can_write(monkeypatch):
    # given
    monkeypatch.setattr(rates, "PATIENCE", 50)
    rate = Rate("test", 100, seconds=FOR_LONG)

    # when
    with somebody_else() as cursor:
        if connection.vendor == "postgresql":
            with connection.cursor() as ours:
                ours.execute("SET default_transaction_read_only = on")
        else:
            cursor.execute("UPDATE integrations_callcount SET used = 0")
        made = calls(rate, tries=20)

    # then
    if connection.vendor == "postgresql":
        with connection.cursor() as ours:
            ours.execute("RESET default_transaction_read_only")
    assert made == 20
    assert not CallCount.objects.exists()
