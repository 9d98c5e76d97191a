"""Queries whose SQL is written once: the ORM writes it, each call fills in its values.

To build a query costs the ORM several times of what PostgreSQL needs to answer it, so
what every purchase asks is built when it is asked for the first time.
"""

import re
from collections import namedtuple
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import wraps
from typing import Any, NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet
from django.db.models.query import NamedValuesListIterable

# Stand for values while the SQL is written; no query of ours has them as constants.
NUMBERS = range(1_987_600_000, 1_987_700_000)
DAY, MOMENT = date(1587, 1, 1), datetime(1587, 1, 1, tzinfo=UTC)
A_DATE = re.compile(r"\d{4}-\d\d-\d\d")


class Statement(NamedTuple):
    """SQL with the values that never change, and where those of a call go."""

    sql: str
    constants: list[Any]
    places: list[tuple[int, int, type]]  # in the SQL, among the values of a call
    converters: list[tuple[int, list[Any], Any]]  # column, functions, expression
    make: Callable[[Sequence[Any]], Any]

    def ask(self, values: Sequence[Any]) -> list[Any]:
        parameters = self.constants.copy()
        for place, number, kind in self.places:
            parameters[place] = _as_parameter(values[number], kind)
        with connection.cursor() as cursor:
            cursor.execute(self.sql, parameters)
            rows = cursor.fetchall()
        if self.converters:
            rows = [self._converted(row) for row in rows]
        return [self.make(row) for row in rows]

    def _converted(self, row: Sequence[Any]) -> list[Any]:
        values = list(row)
        for column, functions, expression in self.converters:
            for function in functions:
                values[column] = function(values[column], expression, connection)
        return values


def compiled(write: Callable[..., QuerySet]) -> Callable[..., list[Any]]:
    """The rows of the `values_list()` that `write` returns, whose SQL is kept.

    Its arguments are whole numbers, texts, dates, moments, or lists of these, of any
    length; all that changes from call to call has to be among them: also what day it
    is. None, true and false are part of the query: each has SQL of its own.
    """
    kept: dict[Any, Statement | None] = {}

    @wraps(write)
    def ask(*arguments: Any) -> list[Any]:
        shape = (connection.vendor, *map(_shape, arguments))
        if shape not in kept:
            kept[shape] = _statement(write, arguments)
        statement = kept[shape]
        return statement.ask(_values(arguments)) if statement else []

    return ask


class ByKey:
    """The objects of some rows, each found by its key: with SQL that is kept.

    The rows are those of a queryset that is the same for all calls.
    """

    def __init__(self, rows: QuerySet) -> None:
        if rows.query.annotations or rows.query.select_related:
            raise TypeError("Only objects with nothing beside their columns.")
        self.rows = rows
        self.names = _loaded(rows)
        self.ask = compiled(self._found)

    def get(self, key: int) -> Any:
        """The object; None if there is none."""
        found = self.get_all([key])
        return found[0] if found else None

    def get_all(self, keys: list[int]) -> list[Any]:
        """Those of a few keys: each number of keys has SQL of its own."""
        make = self.rows.model.from_db
        return [make(connection.alias, self.names, row) for row in self.ask(keys)]

    def _found(self, keys: list[int]) -> QuerySet:
        rows = self.rows.filter(pk__in=keys).order_by("pk")
        return rows.values_list(*self.names)


def _loaded(rows: QuerySet) -> list[str]:
    """The columns that objects of these rows have in hand, in their order."""
    names, deferred = rows.query.deferred_loading
    return [
        field.attname
        for field in rows.model._meta.concrete_fields
        if field.primary_key
        or ({field.name, field.attname}.isdisjoint(names) == deferred)
    ]


def _shape(argument: Any) -> Any:
    if _is_value(argument):
        return type(argument)
    if isinstance(argument, list):
        return tuple(map(type, argument))
    return argument


def _is_value(argument: Any) -> bool:
    return isinstance(argument, int | str | date) and not isinstance(argument, bool)


def _values(arguments: Sequence[Any]) -> list[Any]:
    values: list[Any] = []
    for argument in arguments:
        if isinstance(argument, list):
            values += argument
        elif _is_value(argument):
            values.append(argument)
    return values


def _statement(
    write: Callable[..., QuerySet], arguments: Sequence[Any]
) -> Statement | None:
    """None: the answer is empty whatever the values are, such as `IN` of nothing."""
    markers = [
        _marker(value, number) for number, value in enumerate(_values(arguments))
    ]
    left = iter(markers)
    queryset = write(
        *(
            [next(left) for _ in argument]
            if isinstance(argument, list)
            else next(left)
            if _is_value(argument)
            else argument
            for argument in arguments
        )
    )
    compiler = queryset.query.get_compiler(connection=connection)
    try:
        sql, parameters = compiler.as_sql()
    except EmptyResultSet:
        return None
    numbers = {_as_parameter(mark, type(mark)): n for n, mark in enumerate(markers)}
    places = [
        (place, numbers[parameter], type(parameter))
        for place, parameter in enumerate(parameters)
        if _is_hashable(parameter) and parameter in numbers
    ]
    _refuse_forgotten(write, parameters, {place for place, _n, _k in places})
    if {number for _p, number, _k in places} != set(numbers.values()):
        raise TypeError(f"{write.__name__} does not use all of its arguments.")
    selected = [expression for expression, *_ in compiler.select[: compiler.col_count]]
    converters = compiler.get_converters(selected)
    make = tuple
    if queryset._iterable_class is NamedValuesListIterable:
        make = namedtuple("Row", queryset._fields)._make
    return Statement(
        sql,
        list(parameters),
        places,
        [(column, *found) for column, found in converters.items()],
        make,
    )


def _marker(value: Any, number: int) -> Any:
    if isinstance(value, datetime):
        return MOMENT + timedelta(days=number)
    if isinstance(value, date):
        return DAY + timedelta(days=number)
    return f"§{number}§" if isinstance(value, str) else NUMBERS[number]


def _as_parameter(value: Any, kind: type) -> Any:
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    if isinstance(value, date):
        return connection.ops.adapt_datefield_value(value)
    return kind(value)  # the ORM says how wide a number is: Int4, Int8


def _is_hashable(parameter: Any) -> bool:
    return getattr(parameter, "__hash__", None) is not None


def _refuse_forgotten(
    write: Callable[..., QuerySet], parameters: Sequence[Any], filled: set[int]
) -> None:
    """Today, say, would stay the day on which the SQL was written."""
    for place, parameter in enumerate(parameters):
        is_date = isinstance(parameter, date) or (
            isinstance(parameter, str) and A_DATE.match(parameter)
        )
        if is_date and place not in filled:
            raise TypeError(f"{write.__name__} has a date that is no argument.")
