"""How many calls somebody may make in a minute, whatever the number of processes.

The database counts, so that the limit is one for all processes. To write a row for each
call would cost more than most calls: a process takes calls in advance, in portions of a
fiftieth of the limit, and spends them from memory. Each portion is one conditional
statement in a transaction of its own, so the sum of all portions is never more than the
limit. What a process has not spent when the window ends is lost: callers spread over n
processes may get up to (n - 1) portions less than the limit, never more.

Call this before a transaction of the call begins: the count would be held up with its
locks, and rolled back with its refusal.
"""

import os
from dataclasses import dataclass, field
from threading import Lock

from django.db import InternalError, OperationalError, connection
from django.utils import timezone

from config.db import cannot_write, waiting_briefly

from .models import CallCount

PORTIONS = 50  # of a limit; a smaller one is counted call by call
PATIENCE = (
    1000  # milliseconds for the writer on SQLite; then the call goes on uncounted
)
MOST_IN_MEMORY = 10_000  # callers
KEPT = 60 * 60  # seconds after which nobody asks for a count any more

TABLE = CallCount._meta.db_table
# Processes whose clocks differ a little count in the later of their two windows. A
# window further ahead is of a clock that was wrong, and would lock the caller out.
_SAME = f"{TABLE}.start BETWEEN excluded.start - %s AND excluded.start + %s"
COUNT = (
    f"INSERT INTO {TABLE} (key, start, used) VALUES (%s, %s, %s) "  # noqa: S608
    "ON CONFLICT (key) DO UPDATE SET "
    f"used = excluded.used + CASE WHEN {_SAME} THEN {TABLE}.used ELSE 0 END, "
    f"start = CASE WHEN {_SAME} AND {TABLE}.start > excluded.start "
    f"THEN {TABLE}.start ELSE excluded.start END "
    f"WHERE NOT ({_SAME}) OR {TABLE}.used + excluded.used <= %s"
)


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `limit` calls of a kind in each window of `seconds`; 0: no limit."""

    name: str
    limit: int
    seconds: int = 60
    portions: int = PORTIONS


@dataclass(slots=True)
class _Purse:
    """What this process has of a rate for one caller, in the window since `start`."""

    lock: Lock = field(default_factory=Lock)
    start: int = 0
    left: int = 0
    empty: bool = False  # nobody has any calls left in this window


_purses: dict[tuple[str, int], _Purse] = {}


def take(rate: Rate, who: object) -> int:
    """Count one call: 0 if it may be made, else the seconds until the next may."""
    if not rate.limit:
        return 0
    now = _now()
    start = now - now % rate.seconds
    purse = _purse_of(rate, f"{rate.name}:{who}")
    with purse.lock:
        if purse.start != start:
            purse.start, purse.left, purse.empty = start, 0, False
        if not purse.left and not purse.empty:
            purse.left = _portion(rate, f"{rate.name}:{who}", start)
            purse.empty = not purse.left
        if purse.left:
            purse.left -= 1
            return 0
    return start + rate.seconds - now


def count_failure(rate: Rate, who: object) -> int:
    """Count something that went wrong: after `limit` of them nothing is tried again
    for `seconds` from the last one. How many seconds it was refused already, 0: none.
    """
    now = _now()
    around = (rate.seconds - 1, rate.seconds)
    if not rate.limit or _count(f"{rate.name}:{who}", now, 1, rate.limit, around):
        return 0
    return blocked(rate, who)


def blocked(rate: Rate, who: object) -> int:
    """For how many seconds nothing may be tried, after too many failures; 0: it may."""
    if not rate.limit:
        return 0
    now = _now()
    failed = CallCount.objects.filter(
        pk=f"{rate.name}:{who}",
        used__gte=rate.limit,
        start__range=(now - rate.seconds + 1, now + rate.seconds),
    )
    last = failed.values_list("start", flat=True).first()
    return 0 if last is None else last + rate.seconds - now


def forget_old() -> int:
    """Delete the counts that nobody asks for any more. How many."""
    # One statement: what is counted anew meanwhile stays.
    return CallCount.objects.filter(start__lt=_now() - KEPT).delete()[0]


def forget_portions() -> None:
    """Let go of what this process has taken in advance: in a fork it is another's."""
    _purses.clear()


os.register_at_fork(after_in_child=forget_portions)


def _purse_of(rate: Rate, key: str) -> _Purse:
    mine = (key, rate.limit)  # a limit that was changed counts at once
    purse = _purses.get(mine)
    if purse is None:
        if len(_purses) >= MOST_IN_MEMORY:
            forget_portions()
        purse = _purses.setdefault(mine, _Purse())
    return purse


def _portion(rate: Rate, key: str, start: int) -> int:
    """Calls taken in advance, or the last ones one by one; 0: all are taken."""
    portion = max(1, rate.limit // rate.portions)
    around = (0, rate.seconds)
    for calls in dict.fromkeys((portion, 1)):
        try:
            if _count(key, start, calls, rate.limit, around):
                return calls
        except (OperationalError, InternalError) as error:
            if not cannot_write(error):
                raise
            return portion  # reading goes on while nobody can write, and count
    return 0


def _count(
    key: str, start: int, calls: int, limit: int, around: tuple[int, int]
) -> bool:
    """Whether so many calls could be added to the count, without passing the limit."""
    values = [key, start, calls, *around * 3, limit]
    with waiting_briefly(PATIENCE), connection.cursor() as cursor:
        cursor.execute(COUNT, values)
        return cursor.rowcount == 1


def _now() -> int:
    return int(timezone.now().timestamp())
