"""A clock that stands still until it is moved, and a history that is made older."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from unittest.mock import patch

from django.utils import timezone

from companies.models import Company


class Clock:
    """The moment that `timezone.now()` gives, while it is `stopped()`."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)

    @contextmanager
    def stopped(self) -> Iterator["Clock"]:
        with patch.object(timezone, "now", lambda: self.now):
            yield self


def date_entries(day: date, *companies: Company) -> None:
    """What the history has until now of these happened on that day, at noon."""
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    rows = Company.history.filter(id__in=[company.pk for company in companies])
    rows.filter(history_date__gte=timezone.now() - timedelta(hours=1)).update(
        history_date=noon
    )
