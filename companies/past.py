"""Companies and their structure as they were at the end of a day, by the history."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db import connection
from django.db.models import Case, Exists, OuterRef, QuerySet, Value, When
from django.db.models.expressions import RawSQL
from django.utils import timezone

from .models import Company
from .models.company import BADNESS, DEPTH, HEAD, Status

History = Company.history.model
TABLE = History._meta.db_table
MOST_STEPS = 1_000  # more than any hierarchy has: no clock can make this endless
FIRST_YEAR = 1900

# The newest entry of each company at that moment, upwards by the parent of that entry.
UPWARDS = f"""WITH RECURSIVE upwards(entry, parent, steps) AS (
        SELECT h.history_id, h.parent_id, 0 FROM {TABLE} h
        WHERE h.history_id = (SELECT MAX(n.history_id) FROM {TABLE} n
            WHERE n.id = %s AND n.history_date < %s)
        UNION ALL
        SELECT h.history_id, h.parent_id, steps + 1 FROM upwards
        JOIN {TABLE} h ON h.history_id = (SELECT MAX(n.history_id) FROM {TABLE} n
            WHERE n.id = upwards.parent AND n.history_date < %s)
        WHERE steps < {MOST_STEPS}
    ) SELECT entry FROM upwards"""  # noqa: S608  (words of our own only)
DOWNWARDS = f"""WITH RECURSIVE downwards(entry, company, steps) AS (
        SELECT h.history_id, h.id, 0 FROM {TABLE} h
        WHERE h.history_id = (SELECT MAX(n.history_id) FROM {TABLE} n
            WHERE n.id = %s AND n.history_date < %s)
        UNION ALL
        SELECT h.history_id, h.id, steps + 1 FROM downwards
        JOIN {TABLE} h ON h.parent_id = downwards.company
        WHERE steps < {MOST_STEPS} AND h.history_date < %s
        AND NOT EXISTS (SELECT 1 FROM {TABLE} n WHERE n.id = h.id
            AND n.history_id > h.history_id AND n.history_date < %s)
    ) SELECT entry FROM downwards"""  # noqa: S608


@dataclass(slots=True)
class Node:
    """A company in the structure of that day, with what was directly below it."""

    id: int
    code: str
    name: str
    status: str
    children: list["Node"]
    descendants: int = 0

    @property
    def status_label(self) -> Any:
        return Status(self.status).label


class Past:
    """How companies were at the end of a day, where the installation is."""

    def __init__(self, day: date) -> None:
        midnight = datetime.combine(day + timedelta(days=1), time.min)
        self.before = timezone.make_aware(midnight)

    def path(self, company: int) -> QuerySet:
        """The company and those above it then; empty if it was not there.

        Has the columns that the history leaves out: depth, head company, and how bad
        the worst status on the path was.
        """
        rows = self._reached(UPWARDS, [company, *[self._moment] * 2])
        columns = ("history_id", "id", "parent_id", "status")
        found = {row[1]: row for row in rows.values_list(*columns)}
        way: list[tuple] = []
        step: int | None = company
        while step is not None and step in found:
            way.insert(0, found.pop(step))
            step = way[0][2]
        depth, worst, bad = {}, {}, 0
        for number, (entry, _pk, _parent, status) in enumerate(way):
            bad = max(bad, BADNESS[status])
            depth[entry], worst[entry] = number, bad
        rows = History.objects.filter(history_id__in=depth)
        if not way:  # of the same columns, all the same
            nothing = {DEPTH: Value(0), HEAD: Value(company), "badness": Value(0)}
            return rows.annotate(**nothing)
        return rows.annotate(
            **{DEPTH: _by_entry(depth), HEAD: Value(way[0][1])},
            badness=_by_entry(worst),
        ).order_by(DEPTH)

    def tree(self, company: int, *, visible: Any = None) -> Node | None:
        """The company with all that was below it then; None if it was not there.

        `visible(ids)` says which companies may be shown; what was below others is left
        out with them.
        """
        rows = self._reached(DOWNWARDS, [company, *[self._moment] * 3])
        columns = ("id", "parent_id", "code", "name", "status")
        found = list(rows.order_by("id").values_list(*columns))
        if visible is not None:
            shown = visible([row[0] for row in found])
            found = [row for row in found if row[0] in shown]
        nodes = {pk: Node(pk, *told, children=[]) for pk, _parent, *told in found}
        for pk, parent, *_told in found:
            if pk != company and parent in nodes:
                nodes[parent].children.append(nodes[pk])
        top = nodes.get(company)
        if top is not None:
            _count(top)
        return top

    def heads(self) -> QuerySet:
        """The entries of the companies that were head companies then."""
        newer = History.objects.filter(
            id=OuterRef("id"),
            history_id__gt=OuterRef("history_id"),
            history_date__lt=self.before,
        )
        rows = History.objects.filter(parent=None, history_date__lt=self.before)
        rows = rows.exclude(history_type="-").filter(~Exists(newer.order_by()))
        return rows.order_by("name", "id")

    @property
    def _moment(self) -> Any:
        return connection.ops.adapt_datetimefield_value(self.before)

    def _reached(self, sql: str, params: Iterable[Any]) -> QuerySet:
        rows = History.objects.filter(history_id__in=RawSQL(sql, list(params)))  # noqa: S611
        return rows.exclude(history_type="-").order_by()


def _by_entry(values: dict[int, int]) -> Case:
    return Case(
        *[When(history_id=pk, then=Value(value)) for pk, value in values.items()]
    )


def _count(top: Node) -> None:
    """Set how many are below each, from the bottom up."""
    ordered = [top]
    for node in ordered:  # grows while we walk
        ordered += node.children
    below: Counter[int] = Counter()
    for node in reversed(ordered):
        node.descendants = sum(1 + below[child.id] for child in node.children)
        below[node.id] = node.descendants
