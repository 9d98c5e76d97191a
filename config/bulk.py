"""Many rows in one statement: for loads that would take too long row by row.

No signals, no `save()`, no defaults of fields: callers see to everything that these
would have done, in the same transaction.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.db import models
from django.db.models import QuerySet, Value
from django.utils import timezone

from .actors import Actor
from .db import require_write_transaction, write_connection
from .request_id import current_request_id

# What each database's driver writes as the fields would have it; all else they convert.
AS_GIVEN = (models.CharField, models.TextField, models.IntegerField, models.ForeignKey)
AS_GIVEN_BY_VENDOR = {
    "postgresql": (
        models.BooleanField,
        models.DateField,
        models.DateTimeField,
        models.DecimalField,
    ),
    "sqlite": (models.BooleanField,),
}


def allocate_ids(model: type[models.Model], count: int) -> range:
    """New ids without a gap, so that "all that were loaded" is a range."""
    connection = require_write_transaction(write_connection(model).alias)
    table, column = model._meta.db_table, model._meta.pk.column
    with connection.cursor() as cursor:
        while connection.vendor == "postgresql":
            cursor.execute(
                "SELECT min(id), max(id) FROM (SELECT "
                "nextval(pg_get_serial_sequence(%s, %s)) AS id "
                "FROM generate_series(1, %s)) AS taken",
                [table, column, count],
            )
            first, last = cursor.fetchone()
            # A gap: someone took an id meanwhile. Take new ones.
            if last - first + 1 == count:
                return range(first, last + 1)
        # BEGIN IMMEDIATE has made us the only writer.
        cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
        row = cursor.fetchone()
    first = (row[0] if row else 0) + 1
    return range(first, first + count)


def copy_rows(
    model: type[models.Model],
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    using: str | None = None,
) -> None:
    """Insert rows as they are given: by COPY on PostgreSQL, executemany on SQLite.

    `columns` are names of fields, with "_id" for foreign keys; name every column that
    has no default in the database. Only in a transaction.
    """
    connection = require_write_transaction(write_connection(model, using).alias)
    fields = [_field(model, column) for column in columns]
    names = ", ".join(_columns(fields, connection))
    table = connection.ops.quote_name(model._meta.db_table)
    converted = _converted(rows, fields, connection)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with (
                connection.wrap_database_errors,
                cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy,
            ):
                for row in converted:
                    copy.write_row(row)
        else:
            marks = ", ".join(["%s"] * len(fields))
            cursor.executemany(
                f"INSERT INTO {table} ({names}) VALUES ({marks})",  # noqa: S608
                converted,  # type: ignore[arg-type]
            )


def insert_select(
    model: type[models.Model],
    columns: Sequence[str],
    rows: QuerySet[Any, Any],
    *,
    on_conflict: str = "",
) -> None:
    """Insert what a query answers, without any row coming here.

    `rows` is a `values_list()` in the order of `columns`: names of fields, with "_id"
    for foreign keys. `on_conflict` is SQL behind it; then `rows` has to be filtered
    (SQLite would take ON for the condition of a join). Only in a transaction.
    """
    connection = require_write_transaction(write_connection(model).alias)
    fields = [_field(model, column) for column in columns]
    names = ", ".join(_columns(fields, connection))
    table = connection.ops.quote_name(model._meta.db_table)
    query, params = rows.query.get_compiler(connection=connection).as_sql()
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} ({names}) {query} {on_conflict}", params)


def update_rows(
    model: type[models.Model],
    keys: Sequence[str],
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    using: str | None = None,
) -> int:
    """Write `columns` of the stored rows that `keys` find; how many were found.

    Each of `rows` has the values of the keys, then those of the columns. One statement
    on PostgreSQL, executemany on SQLite, in the order of `rows`. Only in a transaction.
    """
    connection = require_write_transaction(write_connection(model, using).alias)
    fields = [_field(model, column) for column in (*keys, *columns)]
    quoted = _columns(fields, connection)
    table = connection.ops.quote_name(model._meta.db_table)
    converted = _converted(rows, fields, connection)
    found, given = quoted[: len(keys)], quoted[len(keys) :]
    with connection.cursor() as cursor:
        if connection.vendor != "postgresql":
            sets = ", ".join(f"{name} = %s" for name in given)
            where = " AND ".join(f"{name} = %s" for name in found)
            cursor.executemany(
                f"UPDATE {table} SET {sets} WHERE {where}",  # noqa: S608
                [(*row[len(keys) :], *row[: len(keys)]) for row in converted],
            )
            return cursor.rowcount
        # Without the length, beyond which a cast would cut: assigning refuses.
        types = [field.db_type(connection).partition("(")[0] for field in fields]
        lists = ", ".join(f"%s::{kind}[]" for kind in types)
        names = [f"c{place}" for place in range(len(fields))]
        pairs = list(zip(quoted, names, strict=True))
        sets = ", ".join(f"{name} = new.{c}" for name, c in pairs[len(keys) :])
        where = " AND ".join(
            f"{table}.{name} = new.{c}" for name, c in pairs[: len(keys)]
        )
        cursor.execute(
            f"UPDATE {table} SET {sets} FROM unnest({lists}) "  # noqa: S608
            f"AS new({', '.join(names)}) WHERE {where}",
            [list(column) for column in zip(*converted, strict=True)],
        )
        return cursor.rowcount


def insert_history(
    model: type[models.Model],
    rows: QuerySet[Any, Any],
    *,
    actor: Actor,
    reason: str = "",
    change: Any = "+",
) -> None:
    """The history entry of each of these rows, as its `save()` would write it.

    `change`: "+" for new rows, "~" for changed ones, or an expression that says it.
    """
    history = model.history.model  # type: ignore[attr-defined]
    tracked = [field.attname for field in history.tracked_fields]
    entry = {
        "history_date": Value(timezone.now(), models.DateTimeField()),
        "history_type": Value(change) if isinstance(change, str) else change,
        "history_user_id": Value(str(actor)),
        "history_change_reason": Value(reason),
        "request_id": Value(current_request_id()),
    }
    insert_select(
        history,
        [*tracked, *entry],
        rows.order_by("pk").values_list(*tracked, *entry.values()),
    )


def _field(model: type[models.Model], column: str) -> Any:
    return next(f for f in model._meta.concrete_fields if f.attname == column)


def _columns(fields: Iterable[Any], connection: Any) -> list[str]:
    return [connection.ops.quote_name(field.column) for field in fields]


def _converted(
    rows: Iterable[Sequence[Any]], fields: Sequence[Any], connection: Any
) -> Iterable[Sequence[Any]]:
    """The rows with the values that this database's driver does not know made so."""
    as_given = AS_GIVEN + AS_GIVEN_BY_VENDOR[connection.vendor]
    converters: list[tuple[int, Callable[..., Any]]] = [
        (place, field.get_db_prep_save)
        for place, field in enumerate(fields)
        if not isinstance(field, as_given)
    ]
    if not converters:
        return rows
    return _convert(rows, converters, connection)


def _convert(
    rows: Iterable[Sequence[Any]],
    converters: list[tuple[int, Callable[..., Any]]],
    connection: Any,
) -> Iterable[Sequence[Any]]:
    for row in rows:
        values = list(row)
        for place, convert in converters:
            values[place] = convert(values[place], connection=connection)
        yield values
