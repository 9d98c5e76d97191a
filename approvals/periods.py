"""The periods in which limits count: where they begin and end.

Days, months and years are those of the calendar in the limit's time zone, weeks are
those of ISO 8601 (Monday to Sunday). Only dates are reckoned with, so that the hour
which a change of the clocks skips or repeats belongs to its day and to no other.
"""

from calendar import monthrange
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings

ZONES = frozenset(available_timezones())


@dataclass(frozen=True, slots=True)
class Span:
    """From the first to the last day, both within."""

    first: date
    last: date


def period_at(period: str, moment: datetime, zone: str = "") -> Span | None:
    """The period of this kind around the moment; None for `PURCHASE`, which has none.

    `zone` is a name of the IANA time zone database; "": the installation's own.
    """
    return period_of(period, local_day(moment, zone))


def local_day(moment: datetime, zone: str = "") -> date:
    """The day that the calendar on the wall shows there at the moment."""
    return moment.astimezone(ZoneInfo(zone or settings.TIME_ZONE)).date()


def possible_starts(periods: Iterable[str], moment: datetime) -> set[date]:
    """First days that any time zone could ask for: none is over a day off UTC's."""
    day = moment.astimezone(ZoneInfo("UTC")).date()
    around = [day + timedelta(days=offset) for offset in (-1, 0, 1)]
    spans = [period_of(period, one) for period in periods for one in around]
    return {span.first for span in spans if span is not None}


def period_of(period: str, day: date) -> Span | None:
    """The period of this kind that the day belongs to; None for `PURCHASE`."""
    match period:
        case "DAY":
            return Span(day, day)
        case "WEEK":
            monday = day - timedelta(days=day.weekday())
            return Span(monday, monday + timedelta(days=6))
        case "MONTH":
            return _months(day.year, day.month, 1)
        case "QUARTER":
            return _months(day.year, day.month - (day.month - 1) % 3, 3)
        case "YEAR":
            return _months(day.year, 1, 12)
    return None


def _months(year: int, first: int, count: int) -> Span:
    last = first + count - 1
    return Span(date(year, first, 1), date(year, last, monthrange(year, last)[1]))
