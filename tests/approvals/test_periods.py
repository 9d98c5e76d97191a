from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.models import PurchaseLimit
from approvals.periods import (
    ZONES,
    Span,
    local_day,
    period_at,
    period_of,
    possible_starts,
)

COUNTED = [period for period in PurchaseLimit.Period if period != "PURCHASE"]
DAYS = st.dates(date(1971, 1, 1), date(2100, 12, 31))
MOMENTS = st.builds(datetime.combine, DAYS, st.times(), st.just(UTC))


def day(text: str) -> date:
    return date.fromisoformat(text)


@pytest.mark.parametrize(
    ("period", "of", "first", "last"),
    [
        ("DAY", "2024-02-29", "2024-02-29", "2024-02-29"),
        ("DAY", "2024-12-31", "2024-12-31", "2024-12-31"),
        # Weeks of ISO 8601 do not care for months and years.
        ("WEEK", "2024-07-01", "2024-07-01", "2024-07-07"),
        ("WEEK", "2024-07-07", "2024-07-01", "2024-07-07"),
        ("WEEK", "2024-12-29", "2024-12-23", "2024-12-29"),
        ("WEEK", "2024-12-30", "2024-12-30", "2025-01-05"),  # week 1 of 2025
        ("WEEK", "2025-01-05", "2024-12-30", "2025-01-05"),
        ("WEEK", "2021-01-03", "2020-12-28", "2021-01-03"),  # week 53 of 2020
        ("WEEK", "2024-02-29", "2024-02-26", "2024-03-03"),
        ("MONTH", "2024-02-01", "2024-02-01", "2024-02-29"),
        ("MONTH", "2024-02-29", "2024-02-01", "2024-02-29"),
        ("MONTH", "2023-02-28", "2023-02-01", "2023-02-28"),
        ("MONTH", "2100-02-28", "2100-02-01", "2100-02-28"),  # no leap year
        ("MONTH", "2000-02-29", "2000-02-01", "2000-02-29"),
        ("MONTH", "2024-04-30", "2024-04-01", "2024-04-30"),
        ("MONTH", "2024-12-31", "2024-12-01", "2024-12-31"),
        ("MONTH", "2025-01-31", "2025-01-01", "2025-01-31"),
        ("QUARTER", "2024-01-01", "2024-01-01", "2024-03-31"),
        ("QUARTER", "2024-03-31", "2024-01-01", "2024-03-31"),
        ("QUARTER", "2024-04-01", "2024-04-01", "2024-06-30"),
        ("QUARTER", "2024-08-31", "2024-07-01", "2024-09-30"),
        ("QUARTER", "2024-12-31", "2024-10-01", "2024-12-31"),
        ("YEAR", "2024-01-01", "2024-01-01", "2024-12-31"),
        ("YEAR", "2024-02-29", "2024-01-01", "2024-12-31"),
        ("YEAR", "2024-12-31", "2024-01-01", "2024-12-31"),
    ],
)
def test_a_day_belongs_to_one_period_of_each_kind(
    period: str, of: str, first: str, last: str
) -> None:
    assert period_of(period, day(of)) == Span(day(first), day(last))


def test_a_limit_of_each_purchase_has_no_period() -> None:
    assert period_of("PURCHASE", date(2024, 7, 1)) is None
    assert period_at("PURCHASE", datetime(2024, 7, 1, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    ("zone", "moment", "there"),
    [
        # The clocks of Berlin go from 02:00 to 03:00 on 2024-03-31, back on 2024-10-27.
        ("Europe/Berlin", "2024-03-30T22:59:59", "2024-03-30"),
        ("Europe/Berlin", "2024-03-30T23:00:00", "2024-03-31"),
        ("Europe/Berlin", "2024-03-31T21:59:59", "2024-03-31"),  # a day of 23 hours
        ("Europe/Berlin", "2024-03-31T22:00:00", "2024-04-01"),
        ("Europe/Berlin", "2024-10-26T22:00:00", "2024-10-27"),
        ("Europe/Berlin", "2024-10-27T22:59:59", "2024-10-27"),  # a day of 25 hours
        ("Europe/Berlin", "2024-10-27T23:00:00", "2024-10-28"),
        # In Cairo midnight itself is skipped (2024-04-26), in Havana it comes twice.
        ("Africa/Cairo", "2024-04-25T21:59:59", "2024-04-25"),
        ("Africa/Cairo", "2024-04-25T22:00:00", "2024-04-26"),
        ("America/Havana", "2024-11-03T03:59:59", "2024-11-02"),
        ("America/Havana", "2024-11-03T04:00:00", "2024-11-03"),
        ("America/Havana", "2024-11-03T05:00:00", "2024-11-03"),
        # Three days at the same moment, 26 hours from one end to the other.
        ("Pacific/Kiritimati", "2024-06-30T10:30:00", "2024-07-01"),
        ("UTC", "2024-06-30T10:30:00", "2024-06-30"),
        ("Etc/GMT+12", "2024-06-30T10:30:00", "2024-06-29"),
        ("Asia/Kathmandu", "2024-12-31T18:14:59", "2024-12-31"),
        ("Asia/Kathmandu", "2024-12-31T18:15:00", "2025-01-01"),
    ],
)
def test_days_are_those_on_the_wall(zone: str, moment: str, there: str) -> None:
    at = datetime.fromisoformat(moment).replace(tzinfo=UTC)

    assert local_day(at, zone) == day(there)
    assert period_at("DAY", at, zone) == Span(day(there), day(there))


def test_a_year_ends_when_it_ends_there() -> None:
    at = datetime(2024, 12, 31, 10, 30, tzinfo=UTC)

    found = [period_at("YEAR", at, zone) for zone in ("Etc/GMT+12", "Etc/GMT-14")]

    assert [span.first.year for span in found] == [2024, 2025]


def test_the_zone_of_the_installation_counts_if_there_is_no_other(
    settings: object,
) -> None:
    at = datetime(2024, 6, 30, 10, 30, tzinfo=UTC)

    settings.TIME_ZONE = "Pacific/Kiritimati"

    assert period_at("MONTH", at).first == date(2024, 7, 1)
    assert period_at("MONTH", at, "UTC").first == date(2024, 6, 1)


@given(period=st.sampled_from(COUNTED), of=DAYS)
def test_periods_neither_overlap_nor_leave_a_day_out(period: str, of: date) -> None:
    span = period_of(period, of)

    assert span.first <= of <= span.last
    assert period_of(period, span.first) == period_of(period, span.last) == span
    following = period_of(period, span.last + timedelta(days=1))
    assert following.first == span.last + timedelta(days=1)


@given(of=DAYS)
def test_a_week_is_that_of_iso_8601(of: date) -> None:
    span = period_of("WEEK", of)

    assert (span.first.isoweekday(), span.last.isoweekday()) == (1, 7)
    assert span.first.isocalendar()[:2] == of.isocalendar()[:2]


@given(period=st.sampled_from(COUNTED), at=MOMENTS, zone=st.sampled_from(sorted(ZONES)))
def test_a_period_of_any_zone_is_among_those_that_are_read(
    period: str, at: datetime, zone: str
) -> None:
    assert period_at(period, at, zone).first in possible_starts([period], at)


def test_few_starts_are_read() -> None:
    at = datetime(2025, 1, 1, 0, 30, tzinfo=UTC)

    starts = possible_starts(COUNTED, at)

    around = ["2024-12-31", "2025-01-01", "2025-01-02"]
    firsts = ["2024-12-30", "2024-12-01", "2024-10-01", "2024-01-01"]
    assert starts == {day(text) for text in around + firsts}


@given(at=MOMENTS, zone=st.sampled_from(sorted(ZONES)))
def test_a_local_day_is_what_a_clock_there_shows(at: datetime, zone: str) -> None:
    shown = at.astimezone(ZoneInfo(zone))

    assert local_day(at, zone).isoformat() == shown.strftime("%Y-%m-%d")


def test_periods_reach_to_the_end_of_the_calendar() -> None:
    assert period_of("YEAR", date.max).last == date.max
    assert period_of("MONTH", date.max).last == date.max
