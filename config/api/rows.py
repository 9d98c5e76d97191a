"""Answers straight from rows: the one way by which every resource is read.

A resource declares its shape once; lists, single objects and the answers to writes are
all built from it, without model instances and serializers (which cost three times as
much). Serializers describe the same shape for OpenAPI; a test holds both equal.

    COMPANY = Shape(
        "id", "code", "name",                        # output field = column
        type=made(company_type, "parent_id"),        # a function of columns
        parent="parent_id",                          # output field, its column
        legal_info=Shape("legal_name", "lei"),       # a nested object
        price=money("amount", "currency"),           # {"amount": "1.00", ...}
        groups=Batch(group_names),                   # one query per page, by id
        annotate=CompanyQuerySet.with_effective_status,
        expandable={"parent": related(lambda client: Company.objects.visible_to(
            client), Shape("id", "code", "name"), "parent_id")},
    )
    COMPANY.rows(queryset, client)                   # [{"id": 7, ...}, ...]
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from typing import Any

from django.db.models import QuerySet

from config.compiled import compiled
from config.money import Money

type Row = tuple[Any, ...]
type Build = Callable[[Row], Any]


@dataclass(frozen=True, slots=True)
class Made:
    """A value that a function makes of columns."""

    make: Callable[..., Any]
    columns: tuple[str, ...]


def made(make: Callable[..., Any], *columns: str) -> Made:
    return Made(make, columns)


def _money(amount: Any, currency: str) -> dict[str, str] | None:
    if amount is None:
        return None
    return {"amount": str(Money(amount, currency)), "currency": currency}


def money(amount: str, currency: str) -> Made:
    """The two columns of an amount as {"amount": "249.90", "currency": "EUR"}."""
    return Made(_money, (amount, currency))


@dataclass(frozen=True, slots=True)
class Batch:
    """Values that are loaded for a whole page at once, by the column `key`.

    `load(keys, client)` makes one query and returns a value for each key that has one;
    the others get what `missing` makes. `shape`: of the value, or of each in a list.
    """

    load: Callable[[Sequence[Any], Any], Mapping[Any, Any]]
    key: str = "id"
    missing: Callable[[], Any] = list
    shape: "Shape | None" = None


def related(rows: Callable[[Any], QuerySet], shape: "Shape", key: str) -> Batch:
    """The object that the foreign key `key` names, of those that `rows(client)` has."""

    def load(keys: Sequence[Any], client: Any) -> Mapping[Any, Any]:
        plan = shape.plan(also=("id",))
        found = plan.fetch(rows(client).filter(pk__in=keys))
        ids = [plan.beside(row)[0] for row in found]
        return dict(zip(ids, plan.build(found, client), strict=True))

    return Batch(load, key, missing=type(None), shape=shape)


class Shape:
    """The fields of an object in the API, and the columns they come from."""

    def __init__(
        self,
        *names: str,
        annotate: Callable[[Any], QuerySet] | None = None,
        expandable: Mapping[str, Batch] | None = None,
        **fields: "str | Made | Batch | Shape",
    ) -> None:
        self.fields = {name: name for name in names} | fields
        self.annotate = annotate
        self.expandable = dict(expandable or {})
        self._plans: dict[Any, Plan] = {}

    def plan(
        self,
        *,
        only: Collection[str] = (),
        expand: Collection[str] = (),
        also: tuple[str, ...] = (),
    ) -> "Plan":
        """How to read the fields named in `only` (default: all); `also`: more columns.

        Only what is asked for is read. Plans are kept: there are few, and which ones
        exist depends on documented names only.
        """
        wanted = (frozenset(only), frozenset(expand), also)
        plan = self._plans.get(wanted)
        if plan is None:
            if len(self._plans) > 100:
                self._plans.clear()
            plan = self._plans[wanted] = Plan(self, *wanted)
        return plan

    def rows(self, queryset: QuerySet, client: Any = None) -> list[dict[str, Any]]:
        plan = self.plan()
        return plan.build(plan.fetch(queryset), client)


@dataclass(slots=True)
class Plan:
    """What to select, and how to make objects of it."""

    shape: Shape
    only: Collection[str] = ()
    expand: Collection[str] = ()
    also: tuple[str, ...] = ()
    columns: list[str] = field(default_factory=list)
    batches: list[tuple[str, Batch, int]] = field(default_factory=list)
    parts: list[tuple[str, Build]] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    selected: dict[QuerySet, QuerySet] = field(default_factory=dict)
    by_key: dict[QuerySet, Callable[..., list[Row]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, source in self.shape.fields.items():
            if self.only and name not in self.only:
                continue
            if name in self.expand:
                source = self.shape.expandable[name]
            if isinstance(source, Batch):
                self.batches.append((name, source, self._column(source.key)))
                self.parts.append((name, _nothing))  # keeps the place in the object
            else:
                self.parts.append((name, self._build(source)))
        self.places = [self._column(column) for column in self.also]

    def select(self, queryset: QuerySet) -> QuerySet:
        """The columns of the rows, and no others; may be filtered and ordered yet."""
        annotate = self.shape.annotate
        rows = annotate(queryset) if annotate else queryset
        return rows.values_list(*self.columns)

    def fetch(self, queryset: QuerySet) -> list[Row]:
        """One query."""
        return list(self.select(queryset))

    def select_all(self, queryset: QuerySet) -> QuerySet:
        """The same for rows from which many calls start: worked out only once."""
        if queryset not in self.selected:
            self.selected[queryset] = self.select(queryset)
        return self.selected[queryset].all()

    def fetch_one(self, queryset: QuerySet, key: int) -> list[Row]:
        """The row of that key, of rows from which many calls start."""
        if queryset not in self.by_key:
            rows = self.select_all(queryset)
            self.by_key[queryset] = compiled(lambda pk: rows.filter(pk=pk).order_by())
        return self.by_key[queryset](key)

    def build(self, rows: Iterable[Row], client: Any = None) -> list[dict[str, Any]]:
        """The objects; one more query per batch."""
        rows, parts = list(rows), self.parts
        objects = [{name: build(row) for name, build in parts} for row in rows]
        for name, batch, place in self.batches:
            keys = {row[place] for row in rows} - {None}
            loaded = batch.load(sorted(keys), client) if keys else {}
            for row, made_object in zip(rows, objects, strict=True):
                value = loaded.get(row[place])
                made_object[name] = batch.missing() if value is None else value
        return objects

    def beside(self, row: Row) -> Row:
        """The columns named in `also`, which need not be fields of the object."""
        return tuple([row[place] for place in self.places])

    def _column(self, column: str) -> int:
        if column not in self.columns:
            self.columns.append(column)
        return self.columns.index(column)

    def _build(self, source: "str | Made | Batch | Shape") -> Build:
        match source:
            case str():
                return itemgetter(self._column(source))
            case Made(make, columns):
                return partial(_call, make, [self._column(name) for name in columns])
            case Shape():
                inner = [(name, self._build(f)) for name, f in source.fields.items()]
                return lambda row: {name: build(row) for name, build in inner}
        raise TypeError("A Batch stands at the top level of a shape.")


def _call(make: Callable[..., Any], places: list[int], row: Row) -> Any:
    return make(*[row[place] for place in places])


def _nothing(row: Row) -> None:
    return None
