"""Events out: every committed change has exactly one, in its own transaction."""

from typing import Any

from django.db import connection
from django.db.models import Count, Model, OuterRef, QuerySet, Subquery, Value, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from config.bulk import insert_select

from .models.events import Event, EventCounter

NO_COMPANY = 0  # the stream of changes that belong to no company

# The counter's row stays locked until the change is committed.
TABLE = EventCounter._meta.db_table
COUNT_ON = f"ON CONFLICT (stream) DO UPDATE SET last = {TABLE}.last + {{added}}"
COUNT = (
    f"INSERT INTO {TABLE} (stream, last) VALUES (%s, 1) "  # noqa: S608
    f"{COUNT_ON.format(added=1)} RETURNING stream, last"
)
TELL = (
    f"INSERT INTO {Event._meta.db_table} "
    "(stream, number, type, subject_id, occurred_at)"
)
COUNT_AND_TELL = (
    f"WITH counted AS ({COUNT}) {TELL} "  # noqa: S608
    "SELECT stream, last, %s, %s, %s FROM counted"
)


def record_event(event_type: str, subject: Model, *, company_id: int | None) -> None:
    """Note a change for other systems, in the transaction that makes it.

    Numbers of a company have no gaps: a change that is rolled back takes its number
    back. Call it last in a transaction, so that the counter is held briefly.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("An event is recorded in the transaction of its change.")
    stream = NO_COMPANY if company_id is None else company_id
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    told = [event_type, subject.pk, now]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(COUNT_AND_TELL, [stream, *told])
        else:
            cursor.execute(COUNT, [stream])
            counted = cursor.fetchone()
            cursor.execute(f"{TELL} VALUES (%s, %s, %s, %s, %s)", [*counted, *told])


def record_events(
    event_type: Any,
    subjects: QuerySet[Any, Any],
    *,
    company: str | None = "company_id",
) -> None:
    """What `record_event()` does, for many rows at once: one event for each subject.

    `event_type` is a text, or an expression that says it of each subject. `company`
    names the field in which a subject has its company; None: it has none.
    """
    subjects = subjects.order_by()
    if company is None:
        company = "_stream"
        subjects = subjects.annotate(_stream=Value(NO_COMPANY))
    insert_select(
        EventCounter,
        ["stream", "last"],
        subjects.values(company).annotate(_n=Count("pk")).values_list(company, "_n"),
        on_conflict=COUNT_ON.format(added="excluded.last"),
    )
    counter = EventCounter.objects.filter(stream=OuterRef(company))
    if isinstance(event_type, str):
        event_type = Value(event_type)
    number = (
        Subquery(counter.values("last"))
        - Window(Count("*"), partition_by=company)
        + Window(RowNumber(), partition_by=company, order_by="pk")
    )
    insert_select(
        Event,
        ["stream", "number", "type", "subject_id", "occurred_at"],
        subjects.order_by("pk").values_list(
            company, number, event_type, "pk", Value(timezone.now())
        ),
    )
