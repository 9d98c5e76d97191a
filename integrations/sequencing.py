"""One order for all events: positions, given after the commit.

An event's id is taken inside its transaction; one with a lower id may be committed
later, and whoever has read on behind it never sees it. So positions are given by one at
a time, to events that are committed, in the order of their ids. Events of one company
are committed one after the other (the row lock of their counter): their positions have
the order of their numbers.
"""

from datetime import timedelta

from django.conf import settings
from django.db import OperationalError, connection
from django.db.models import Max
from django.utils import timezone

from config.db import in_transaction, is_busy, take_turn

from .models import Event

AT_ONCE = 1_000  # positions in one transaction
FORGOTTEN_AT_ONCE = 10_000

TABLE = Event._meta.db_table
GIVE_POSITIONS = f"""
    UPDATE {TABLE} SET position = given.last + waiting.place
    FROM (
        SELECT id, row_number() OVER (ORDER BY id) AS place
        FROM {TABLE} WHERE position IS NULL ORDER BY id LIMIT %s
    ) AS waiting, (
        SELECT coalesce(max(position), 0) AS last FROM {TABLE}
    ) AS given
    WHERE {TABLE}.id = waiting.id
"""  # noqa: S608  (names of our own)


def sequence_events(*, most: int | None = None) -> int:
    """Give positions to the events that have none, or to some; how many there were.

    Does nothing while somebody else does it.
    """
    count = 0
    while (most is None or count < most) and Event.objects.waiting().exists():
        given = _sequence_some()
        count += given
        if not given:
            break
    return count


def sequence_for_reader() -> None:
    """Let whoever reads now find what is committed now, even if no worker runs.

    Not at any price: while the database is busy there is only what was there before.
    """
    if not Event.objects.waiting().exists():
        return
    try:
        _sequence_some()
    except OperationalError as error:
        if not is_busy(error):
            raise


@in_transaction
def _sequence_some() -> int:
    if not take_turn("events"):
        return 0
    with connection.cursor() as cursor:
        cursor.execute(GIVE_POSITIONS, [AT_ONCE])
        return cursor.rowcount


@in_transaction
def forget_old_events() -> int:
    """Delete events that were kept for EVENT_KEEP_DAYS, oldest first; how many.

    The last one stays, whatever its age: positions go on from it.
    """
    told = Event.objects.told()
    last = told.aggregate(last=Max("position"))["last"]
    day = timezone.now() - timedelta(days=settings.EVENT_KEEP_DAYS)
    oldest = told.order_by("position").values_list("pk", "position", "occurred_at")
    old = []
    for pk, position, occurred_at in oldest[:FORGOTTEN_AT_ONCE].iterator():
        if occurred_at >= day or position == last:
            break
        old.append(pk)
    if not old or not take_turn("forget events"):
        return 0
    Event.objects.filter(pk__in=old).delete()  # with their deliveries
    return len(old)
