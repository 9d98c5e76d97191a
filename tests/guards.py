"""Is all that is stored sound? And damaging it, past what the database guards."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.db import connection, transaction

from config.integrity import checks, find_broken

OURS = ("companies", "groups", "approvals", "integrations")


@contextmanager
def guards_off() -> Iterator[None]:
    """The database takes everything meanwhile; all of it is undone at the end."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                for statement in _no_guards(cursor):
                    cursor.execute(statement)
            yield
            transaction.set_rollback(True)
    finally:
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA ignore_check_constraints = OFF")


def assert_integrity() -> None:
    """Each check of `check_integrity` holds."""
    broken = {name: keys for name, keys in find_broken(checks()).items() if keys}
    assert not broken, broken


def update(table: str, pk: Any, **columns: Any) -> None:
    assignments = ", ".join(f"{name} = %s" for name in columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET {assignments} WHERE id = %s", [*columns.values(), pk]
        )
        assert cursor.rowcount == 1


def delete(table: str, pk: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table} WHERE id = %s", [pk])
        assert cursor.rowcount == 1


def _no_guards(cursor: Any) -> list[str]:
    statements = ["DROP INDEX approvals_ledgerentry_once"]
    if connection.vendor == "sqlite":
        cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        statements += [f"DROP TRIGGER {name}" for (name,) in cursor.fetchall()]
        return [*statements, "PRAGMA ignore_check_constraints = ON"]
    models = [m for m in apps.get_models() if m._meta.app_label in OURS]
    tables = [m._meta.db_table for m in models if m._meta.managed]
    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    cursor.execute(
        "SELECT conrelid::regclass, conname FROM pg_constraint WHERE contype = 'c' "
        "AND conrelid::regclass::text = ANY(%s)",
        [tables],
    )
    statements += [f"ALTER TABLE {t} DROP CONSTRAINT {c}" for t, c in cursor.fetchall()]
    return [*statements, *(f"ALTER TABLE {t} DISABLE TRIGGER ALL" for t in tables)]
