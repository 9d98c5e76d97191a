"""Rows whose INSERT and UPDATE are written once for their model, not for each row.

The ORM takes longer to write the statement than PostgreSQL to write the row.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.sql import InsertQuery


class QuickInsert(models.Model):
    """A model of which each `save()` of a new row uses the same INSERT again."""

    class Meta:
        abstract = True

    def _do_insert(
        self,
        manager: Any,
        using: str,
        fields: Sequence[models.Field],
        returning_fields: Sequence[models.Field],
        raw: bool,
    ) -> list[Any]:
        # Django's one place where the INSERT is made; private, hence tests of ours.
        connection = connections[using]
        values = [_value(self, field, raw, connection) for field in fields]
        returned = tuple(returning_fields)
        sql = _insert(type(self), tuple(fields), returned, using)
        if sql is None or any(hasattr(v, "resolve_expression") for v in values):
            return super()._do_insert(manager, using, fields, returning_fields, raw)
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
            return cursor.fetchall() if returned else []


def update_one(
    model: type[models.Model],
    values: Sequence[tuple[models.Field, Any]],
    *,
    where: Sequence[tuple[models.Field, Any]],
    using: str,
) -> bool | None:
    """UPDATE the row that has all of `where`; whether there is one.

    None: Django has to do it, for the database makes one of the values, or a column
    takes its value in a form of its own.
    """
    connection = connections[using]
    if any(_is_special(field, value) for field, value in values):
        return None
    sql = _update(
        model, tuple(f for f, _v in values), tuple(f for f, _v in where), using
    )
    parameters = [
        field.get_db_prep_save(value, connection=connection)
        for field, value in (*values, *where)
    ]
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.rowcount > 0


def _is_special(field: models.Field, value: Any) -> bool:
    return hasattr(value, "resolve_expression") or hasattr(field, "get_placeholder_sql")


@cache
def _update(
    model: type[models.Model],
    fields: tuple[models.Field, ...],
    where: tuple[models.Field, ...],
    using: str,
) -> str:
    quoted = connections[using].ops.quote_name
    sets, found = (
        [f"{quoted(field.column)} = %s" for field in some] for some in (fields, where)
    )
    table = quoted(model._meta.db_table)
    return f"UPDATE {table} SET {', '.join(sets)} WHERE {' AND '.join(found)}"  # noqa: S608


def _value(
    row: models.Model, field: models.Field, raw: bool, connection: BaseDatabaseWrapper
) -> Any:
    value = getattr(row, field.attname) if raw else field.pre_save(row, add=True)
    if hasattr(value, "resolve_expression"):
        return value
    return field.get_db_prep_save(value, connection=connection)


@cache
def _insert(
    model: type[models.Model],
    fields: tuple[models.Field, ...],
    returned: tuple[models.Field, ...],
    using: str,
) -> str | None:
    """The statement as Django writes it, with a place for each field.

    None: it depends on the values, or what it gives back has to be converted.
    """
    query = InsertQuery(model)
    query.insert_values(fields, [model()], raw=True)
    compiler = query.get_compiler(using)
    compiler.returning_fields = returned
    ((sql, parameters),) = compiler.as_sql()
    columns = [field.get_col(model._meta.db_table) for field in returned]
    plain = len(parameters) == len(fields) and not compiler.get_converters(columns)
    return sql if plain else None
