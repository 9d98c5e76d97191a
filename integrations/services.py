"""Events out: every committed change has exactly one, in its own transaction."""

from collections.abc import Iterable

from django.db import connection
from django.db.models import Model

from .models import Event, EventCounter

NO_COMPANY = 0  # the stream of changes that belong to no company

# One statement on both databases; the row stays locked until the change is committed.
COUNT = f"""
    INSERT INTO {EventCounter._meta.db_table} (stream, last) VALUES (%s, 1)
    ON CONFLICT (stream) DO UPDATE
    SET last = {EventCounter._meta.db_table}.last + 1
    RETURNING last
"""  # noqa: S608


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


def first_events(event_type: str, company_ids: Iterable[int]) -> list[Event]:
    """The first events of companies that are new in this transaction, not yet saved."""
    return [
        Event(stream=pk, number=1, type=event_type, subject_id=pk) for pk in company_ids
    ]
