"""Rows that have every word of a query somewhere in their folded `search_text`."""

from collections.abc import Collection

from django.contrib.postgres.expressions import ArraySubquery
from django.contrib.postgres.fields import ArrayField
from django.db import connections
from django.db.models import (
    BigIntegerField,
    BooleanField,
    Func,
    Q,
    QuerySet,
    TextField,
    Value,
)

from .text import search_words


def holding[M: QuerySet](rows: M, query: str) -> M:
    """Parts of words count, case and accents do not; at most five words do.

    Words that are frequent, each by itself, may be rare together. PostgreSQL expects as
    many rows as if chance put them together, and goes through the table in the order
    asked for, to its end. So of several words the index alone finds the rows, first.
    """
    words = search_words(query)
    if len(words) < 2 or connections[rows.db].vendor != "postgresql":
        return rows.filter(*[Q(search_text__holds=word) for word in words])
    lookup = "contains" if all(map(_is_indexed, words)) else "holds"
    has_all = [Q((f"search_text__{lookup}", word)) for word in words]
    found = rows.model._base_manager.order_by().filter(*has_all)
    return rows.filter(_IsOneOf("pk", ArraySubquery(found.values("pk"))))


def _is_indexed(word: str) -> bool:
    """Whether the index of trigrams narrows it down.

    Then its plan is good for any such words, and kept: to plan costs more than to find.
    """
    return len(word) >= 3 and word.isalnum()


def found_by[M: QuerySet](rows: M, *ways: QuerySet) -> M:
    """Those of the rows that one of the ways finds, each by its own index.

    Of conditions that OR joins PostgreSQL uses no index if one of them asks another
    table, and where that finds many it compares each row with each of them.
    """
    first, *others = [way.order_by().values("pk") for way in ways]
    found = first.union(*others).order_by()
    if connections[rows.db].vendor == "postgresql":
        return rows.filter(_IsOneOf("pk", ArraySubquery(found)))
    return rows.filter(pk__in=found)


def with_one_of[M: QuerySet](
    rows: M, column: str, values: Collection[str] | Collection[int]
) -> M:
    """Rows that have one of very many texts, or whole numbers, in the column.

    For PostgreSQL they are one value: to write a statement with a place for each of a
    thousand takes longer than to look them up.
    """
    if not values or connections[rows.db].vendor != "postgresql":
        return rows.filter(**{f"{column}__in": values})
    are_numbers = all(isinstance(value, int) for value in values)
    kind = BigIntegerField() if are_numbers else TextField()
    wanted = Value(list(values), output_field=ArrayField(kind))
    return rows.filter(_IsOneOf(column, wanted))


class _IsOneOf(Func):
    arg_joiner = " = ANY("
    template = "(%(expressions)s))"
    output_field = BooleanField()
