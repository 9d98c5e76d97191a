"""How many purchases were asked for in each week, and how much was ordered."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from django.db.models import Count, Sum
from django.db.models.functions import TruncWeek
from django.utils import timezone

from .models import PurchaseRequest, PurchaseRequestQuerySet

WEEKS = 12


@dataclass(slots=True)
class Week:
    """A week of ISO 8601 where the installation is, by when requests were submitted."""

    monday: date
    requests: int = 0
    ordered: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))


def last_weeks(rows: PurchaseRequestQuerySet, weeks: int = WEEKS) -> list[Week]:
    """The weeks until today, the oldest first; two queries.

    `ordered` is by currency, without what was refunded: for a picture, to be rounded,
    since SQLite adds amounts up as floating point numbers.
    """
    today = timezone.localdate()
    last = today - timedelta(days=today.weekday())
    found = {
        monday: Week(monday)
        for monday in (last - timedelta(weeks=ago) for ago in range(weeks))
    }
    began = timezone.make_aware(datetime.combine(min(found), time.min))
    rows = rows.order_by().filter(submitted_at__gte=began)
    rows = rows.annotate(week=TruncWeek("submitted_at"))
    for week, count in rows.values_list("week").annotate(Count("pk")):
        found[week.date()].requests = count
    ordered = rows.filter(status=PurchaseRequest.Status.ORDERED)
    sums = ordered.values_list("week", "currency").annotate(
        Sum("ordered_amount"), Sum("refunded_amount")
    )
    for week, currency, amount, refunded in sums:
        found[week.date()].ordered[currency] = amount - refunded
    return sorted(found.values(), key=lambda week: week.monday)
