"""Locks that hold on PostgreSQL and on SQLite, and what to do when they do not come.

Order, always (two transactions that follow it never wait for each other): tree gate,
hierarchy locks ascending, rows by primary key, limit counters, event counter.
"""

from collections.abc import Callable, Iterable
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
MOST_REPETITIONS = 3
LONG = 15 * 60  # seconds, for imports and repairs


def acquire_gate(*, exclusive: bool = False, using: str | None = None) -> None:
    """Enter the company tree, as one writer of many (shared) or as the only one.

    Every change of the tree passes the shared gate; bulk imports and repairs close it.
    Raises RuntimeError outside a transaction: nothing would be locked.
    """
    _advisory_lock([GATE], shared=not exclusive, using=using)


def acquire_hierarchies(
    heads: Iterable[int], *, shared: bool = False, using: str | None = None
) -> None:
    """Lock whole hierarchies, named by the ids of their head companies, until the end.

    Alone for changes of the tree and of a status; shared for purchases, which may run
    beside each other but not beside a change of the hierarchy. Read again what you know
    of these hierarchies: you may have waited.
    """
    _advisory_lock(sorted(set(heads)), shared=shared, using=using)


def _advisory_lock(keys: list[int], *, shared: bool, using: str | None) -> None:
    connection = require_write_transaction(using)
    if connection.vendor != "postgresql" or not keys:
        return  # SQLite: BEGIN IMMEDIATE has made us the only writer
    function = "pg_advisory_xact_lock" + ("_shared" if shared else "")
    calls = ", ".join([f"{function}(%s)"] * len(keys))
    with connection.cursor() as cursor:
        # A select list is evaluated from left to right: ascending keys.
        cursor.execute(f"SELECT {calls}", [LOCK_NAMESPACE << 48 | key for key in keys])


def locked[M: models.Model](rows: models.QuerySet[M]) -> models.QuerySet[M]:
    """`rows`, locked in the order of their keys once evaluated, until the end.

    Foreign keys may still be pointed at a locked row. Do not delete rows so locked.
    Evaluate it at once: a lazy queryset locks nothing.
    """
    require_write_transaction(rows.db)
    return rows.order_by("pk").select_for_update(of=("self",), no_key=True)


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


def in_transaction[**P, T](service: Callable[P, T]) -> Callable[P, T]:
    """A service that is one transaction, repeated if the database gave it up."""
    return repeated(transaction.atomic(service))


def allow_long_work(using: str | None = None) -> None:
    """Until the end of this transaction a statement, or a pause, may take minutes.

    For imports and repairs; waiting for a lock does not become longer by it.
    """
    connection = require_write_transaction(using)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for name in ("statement_timeout", "idle_in_transaction_session_timeout"):
                cursor.execute("SELECT set_config(%s, %s, true)", [name, f"{LONG}s"])


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
