"""Somebody else who has the lock, and keeps it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections

from config.db import GATE, LOCK_NAMESPACE


@contextmanager
def somebody_else() -> Iterator[Any]:
    """A cursor of a connection beside ours, in a transaction that never commits."""
    other = connections.create_connection(DEFAULT_DB_ALIAS)
    try:
        with other.cursor() as cursor:
            # On SQLite this is the lock of all that is written.
            immediate = "" if other.vendor == "postgresql" else "IMMEDIATE"
            cursor.execute(f"BEGIN {immediate}")
            yield cursor
            cursor.execute("ROLLBACK")
    finally:
        other.close()


@contextmanager
def hierarchy_held(head: int) -> Iterator[None]:
    """A transaction of somebody else has the hierarchy of this head company."""
    with somebody_else() as cursor:
        if connection.vendor == "postgresql":
            key = LOCK_NAMESPACE << 48 | head
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [key])
        yield


@contextmanager
def gate_held() -> Iterator[None]:
    """An import or a repair of somebody else keeps the tree closed."""
    with hierarchy_held(GATE):
        yield


@contextmanager
def patience(milliseconds: int) -> Iterator[None]:
    """How long our connection waits for a lock; else tests would take seconds."""
    if connection.vendor == "postgresql":
        short, usual = f"SET lock_timeout = {milliseconds}", "RESET lock_timeout"
    else:
        seconds = connection.settings_dict["OPTIONS"]["timeout"]
        short = f"PRAGMA busy_timeout = {milliseconds}"
        usual = f"PRAGMA busy_timeout = {seconds * 1000}"
    with connection.cursor() as cursor:
        cursor.execute(short)
        try:
            yield
        finally:
            cursor.execute(usual)
