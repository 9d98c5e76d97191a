"""Events out: every committed change has exactly one, in its own transaction."""

from typing import Any

from django.db import connection
from django.db.models import Count, Model, OuterRef, QuerySet, Subquery, Value, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from config.bulk import insert_select

from .models import Event, EventCounter

NO_COMPANY = 0  # the stream of changes that belong to no company

# One statement on both databases; the row stays locked until the change is committed.
TABLE = EventCounter._meta.db_table
COUNT_ON = f"ON CONFLICT (stream) DO UPDATE SET last = {TABLE}.last + {{added}}"
COUNT = (
    f"INSERT INTO {TABLE} (stream, last) VALUES (%s, 1) "  # noqa: S608
    f"{COUNT_ON.format(added=1)} RETURNING last"
)


def record_event(event_type: str, subject: Model, *, company_id: int | None) -> None:
    """Note a change for other systems, in the transaction that makes it.

    Numbers of a company have no gaps: a change that is rolled back takes its number
    back. Call it last in a transaction, so that the counter is held briefly.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("An event is recorded in the transaction of its change.")
    stream = NO_COMPANY if company_id is None else company_id
    with connection.cursor() as cursor:
        cursor.execute(COUNT, [stream])
        (number,) = cursor.fetchone()
    Event.objects.create(
        stream=stream, number=number, type=event_type, subject_id=subject.pk
    )


def record_events(
    event_type: str, subjects: QuerySet[Any, Any], *, company: str = "company_id"
) -> None:
    """What `record_event()` does, for many rows at once: one event for each subject.

    `company` names the field in which a subject has its company.
    """
    subjects = subjects.order_by()
    insert_select(
        EventCounter,
        ["stream", "last"],
        subjects.values(company).annotate(_n=Count("pk")).values_list(company, "_n"),
        on_conflict=COUNT_ON.format(added="excluded.last"),
    )
    counter = EventCounter.objects.filter(stream=OuterRef(company))
    number = (
        Subquery(counter.values("last"))
        - Window(Count("*"), partition_by=company)
        + Window(RowNumber(), partition_by=company, order_by="pk")
    )
    insert_select(
        Event,
        ["stream", "number", "type", "subject_id", "occurred_at"],
        subjects.order_by("pk").values_list(
            company, number, Value(event_type), "pk", Value(timezone.now())
        ),
    )
