"""Locks that hold on PostgreSQL and on SQLite, and what to do when they do not come.

Order, always (two transactions that follow it never wait for each other): tree gate,
hierarchy locks ascending, rows by primary key, limit counters, event counter.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps

from django.db import (
    DatabaseError,
    OperationalError,
    connections,
    models,
    router,
    transaction,
)
from django.db.backends.base.base import BaseDatabaseWrapper

# Arbitrary: keeps our advisory locks apart from those of other users of the database.
LOCK_NAMESPACE = 0x6B7A
GATE = 0  # key of the tree gate; hierarchies are locked by the id of their head company
TURNS = 0x6B7B  # the same for work that one does at a time, by a number of its name
MOST_REPETITIONS = 3
LONG = 15 * 60  # seconds, for imports and repairs


def acquire_gate(
    *,
    exclusive: bool = False,
    heads: Iterable[int] = (),
    shared: bool = False,
    using: str | None = None,
) -> None:
    """Enter the company tree, as one writer of many (shared) or as the only one.

    Every change of the tree passes the shared gate; bulk imports and repairs close it.
    Behind it, in the same statement, `acquire_hierarchies(heads, shared=shared)`.
    Raises RuntimeError outside a transaction: nothing would be locked.
    """
    gate = {GATE: not exclusive}
    _advisory_lock(gate | dict.fromkeys(sorted(set(heads)), shared), using)


def acquire_hierarchies(
    heads: Iterable[int], *, shared: bool = False, using: str | None = None
) -> None:
    """Lock whole hierarchies, named by the ids of their head companies, until the end.

    Alone for changes of the tree and of a status; shared for purchases, which may run
    beside each other but not beside a change of the hierarchy. Read again what you know
    of these hierarchies: you may have waited.
    """
    _advisory_lock(dict.fromkeys(sorted(set(heads)), shared), using)


def _advisory_lock(keys: dict[int, bool], using: str | None) -> None:
    """Lock the keys in their order, each shared or not."""
    connection = require_write_transaction(using)
    if connection.vendor != "postgresql" or not keys:
        return  # SQLite: BEGIN IMMEDIATE has made us the only writer
    calls = [
        "pg_advisory_xact_lock_shared(%s)" if shared else "pg_advisory_xact_lock(%s)"
        for shared in keys.values()
    ]
    with connection.cursor() as cursor:
        # A select list is evaluated from left to right.
        cursor.execute(
            f"SELECT {', '.join(calls)}", [LOCK_NAMESPACE << 48 | key for key in keys]
        )


def take_turn(work: str, *, using: str | None = None) -> bool:
    """To be the only one who does this work, until the end of the transaction.

    False: somebody else is at it; nobody waits.
    """
    connection = require_write_transaction(using)
    if connection.vendor != "postgresql":
        return True  # SQLite: BEGIN IMMEDIATE has made us the only writer
    key = TURNS << 48 | zlib.crc32(work.encode())
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [key])
        return cursor.fetchone()[0]


def locked[M: models.Model](rows: models.QuerySet[M]) -> models.QuerySet[M]:
    """`rows`, locked in the order of their keys once evaluated, until the end.

    Foreign keys may still be pointed at a locked row. Do not delete rows so locked.
    Evaluate it at once: a lazy queryset locks nothing.
    """
    require_write_transaction(rows.db)
    return rows.order_by("pk").select_for_update(of=("self",), no_key=True)


def lock_one_of_each(
    keys: Mapping[type[models.Model], int], *, using: str | None = None
) -> bool:
    """Lock a row of each model, in this order, in one statement, until the end.

    False: one of them is gone; then none is locked.
    """
    connection = require_write_transaction(using)
    tables = [connection.ops.quote_name(model._meta.db_table) for model in keys]
    conditions = " AND ".join(f"{table}.id = %s" for table in tables)
    sql = f"SELECT 1 FROM {', '.join(tables)} WHERE {conditions}"  # noqa: S608
    if connection.features.has_select_for_no_key_update:
        sql += f" FOR NO KEY UPDATE OF {', '.join(tables)}"
    with connection.cursor() as cursor:
        cursor.execute(sql, list(keys.values()))
        return cursor.fetchone() is not None


def locked_if_free[M: models.Model](rows: models.QuerySet[M]) -> models.QuerySet[M]:
    """`rows` as `locked()`, but without those that somebody else has locked.

    For work that several processes share: what one has taken the others pass over.
    """
    require_write_transaction(rows.db)
    return rows.order_by("pk").select_for_update(
        of=("self",), no_key=True, skip_locked=True
    )


def require_write_transaction(using: str | None = None) -> BaseDatabaseWrapper:
    """The connection, if it is in a transaction that can lock; else RuntimeError."""
    connection = transaction.get_connection(using)
    if not connection.in_atomic_block:
        raise RuntimeError("A lock needs an open transaction.")
    if connection.vendor == "sqlite" and connection.transaction_mode != "IMMEDIATE":
        # BEGIN IMMEDIATE makes us the only writer; any other mode locks nothing yet.
        raise RuntimeError("SQLite needs OPTIONS['transaction_mode'] = 'IMMEDIATE'.")
    return connection


def repeated[**P, T](work: Callable[P, T]) -> Callable[P, T]:
    """Do `work` again if the database gave its transaction up; at most three times.

    After a deadlock or a failed serialisation what was read is out of date, so `work`
    is a whole transaction that begins with reading. Inside a transaction the error is
    left to whoever began that.
    """

    @wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        inside = transaction.get_connection().in_atomic_block
        for _ in range(0 if inside else MOST_REPETITIONS):
            try:
                return work(*args, **kwargs)
            except OperationalError as error:
                if not is_given_up(error):
                    raise
        return work(*args, **kwargs)

    return run


_whole: ContextVar[bool] = ContextVar("whole", default=False)


@contextmanager
def as_a_whole() -> Iterator[None]:
    """A transaction that is undone as a whole by whatever is refused in it.

    Nothing is caught in here to go on afterwards, so the saves and services in here
    need no savepoints of their own, which are two statements each.
    """
    with transaction.atomic():
        before = _whole.set(True)
        try:
            yield
        finally:
            _whole.reset(before)


def part_of_transaction(using: str | None = None) -> transaction.Atomic:
    """A transaction, or a part of one that can fail without the rest."""
    return transaction.atomic(using=using, savepoint=not _whole.get())


def in_transaction[**P, T](service: Callable[P, T]) -> Callable[P, T]:
    """A service that is one transaction, repeated if the database gave it up."""

    @wraps(service)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        with part_of_transaction():
            return service(*args, **kwargs)

    return repeated(run)


@contextmanager
def one_snapshot() -> Iterator[None]:
    """All that is read in here is of one moment, whatever others write meanwhile."""
    connection = transaction.get_connection()
    outermost = not connection.in_atomic_block
    with transaction.atomic():
        if outermost and connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield


def allow_long_work(using: str | None = None) -> None:
    """Until the end of this transaction a statement, or a pause, may take minutes.

    For imports and repairs; waiting for a lock does not become longer by it.
    """
    connection = require_write_transaction(using)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for name in ("statement_timeout", "idle_in_transaction_session_timeout"):
                cursor.execute("SELECT set_config(%s, %s, true)", [name, f"{LONG}s"])


@contextmanager
def waiting_briefly(milliseconds: int, using: str | None = None) -> Iterator[None]:
    """On SQLite, where one writer locks out all others, wait no longer than this.

    For writes that a read makes beside its work, which must not hold it up.
    """
    connection = transaction.get_connection(using)
    if connection.vendor != "sqlite":
        yield
        return
    usual = int(connection.settings_dict["OPTIONS"].get("timeout", 5) * 1000)
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA busy_timeout = {milliseconds}")
        try:
            yield
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {usual}")


def write_connection(
    model: type[models.Model], using: str | None = None
) -> BaseDatabaseWrapper:
    return connections[using or router.db_for_write(model)]


def is_unique_violation(error: DatabaseError) -> bool:
    cause = error.__cause__
    return getattr(cause, "sqlstate", None) == "23505" or getattr(
        cause, "sqlite_errorname", None
    ) in ("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY")


def is_foreign_key_violation(error: DatabaseError) -> bool:
    cause = error.__cause__
    return (
        getattr(cause, "sqlstate", None) == "23503"
        or getattr(cause, "sqlite_errorname", None) == "SQLITE_CONSTRAINT_FOREIGNKEY"
    )


def is_check_violation(error: DatabaseError) -> bool:
    cause = error.__cause__
    return (
        getattr(cause, "sqlstate", None) == "23514"
        or getattr(cause, "sqlite_errorname", None) == "SQLITE_CONSTRAINT_CHECK"
    )


def is_given_up(error: DatabaseError) -> bool:
    """A deadlock or a failed serialisation: all of the transaction is undone."""
    return getattr(error.__cause__, "sqlstate", None) in ("40001", "40P01")


def is_busy(error: DatabaseError) -> bool:
    """No connection, no lock in time, a deadlock: the same call may well succeed."""
    cause = error.__cause__
    sqlite = getattr(cause, "sqlite_errorname", None)
    if sqlite is not None:
        return sqlite.startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
    state = getattr(cause, "sqlstate", None)
    # Without a state the server never answered: no connection, or none free in time.
    # 25P03: too long a pause in a transaction, so the server ended the connection.
    return state is None or state.startswith(("08", "25P03", "40", "53", "55P03", "57"))


def cannot_write(error: DatabaseError) -> bool:
    """Busy, full or there to be read only: what is only read may still be answered."""
    cause = error.__cause__
    sqlite = getattr(cause, "sqlite_errorname", None) or ""
    if sqlite.startswith(("SQLITE_READONLY", "SQLITE_FULL")):
        return True
    return getattr(cause, "sqlstate", None) == "25006" or is_busy(error)
