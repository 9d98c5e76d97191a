"""Are the tree numbers what the parents say? And numbering them anew if not.

Asks no object and trusts no number: the faults are those of the stored rows, whatever
wrote them. A tree without faults is numbered exactly as `parent` demands.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection, router, transaction

from companies.errors import TreeNotRepairable
from companies.models import Company
from config.db import acquire_gate, allow_long_work, repeated

from .numbering import renumber

# Who is below whom by the parents, each pair once: ends on cycles, too.
WRONG_SCOPES = """
    WITH RECURSIVE pairs(above, below) AS (
        SELECT parent_id, id FROM {table} WHERE parent_id IS NOT NULL
        UNION
        SELECT c.parent_id, pairs.below FROM pairs JOIN {table} c ON c.id = pairs.above
        WHERE c.parent_id IS NOT NULL
    ), counted AS (
        SELECT above, count(*) AS found, sum(
            CASE WHEN b.tree_id = a.tree_id AND b.lft > a.lft AND b.lft < a.rght
            THEN 1 ELSE 0 END
        ) AS within
        FROM pairs JOIN {table} a ON a.id = above JOIN {table} b ON b.id = below
        GROUP BY above
    )
    SELECT a.id FROM {table} a LEFT JOIN counted ON counted.above = a.id
    WHERE coalesce(found, 0) <> (a.rght - a.lft - 1) / 2
        OR coalesce(within, 0) <> coalesce(found, 0)
    ORDER BY a.id
"""

NOT_REPAIRABLE = frozenset({"cycle", "missing_parent"})  # of the parents, not the index


@dataclass(frozen=True, slots=True)
class TreeFault:
    """Something wrong with the companies of these ids; `kind` is never renamed."""

    kind: str
    companies: tuple[int, ...]
    sentence: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.sentence}"

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Row(NamedTuple):
    """A company's place as it is stored."""

    pk: int
    parent: int | None
    tree: int
    lft: int
    rght: int
    level: int


class Place(NamedTuple):
    """Where a company is by its parents alone."""

    head: int
    level: int


def find_tree_faults() -> list[TreeFault]:
    """All that is wrong with the tree; an empty list for a sound one.

    One query, so one snapshot: right while others write. Ends on cycles, too.
    """
    rows = list(
        map(
            Row._make,
            Company._base_manager.order_by("tree_id", "lft", "-rght", "pk").values_list(
                "pk", "parent_id", "tree_id", "lft", "rght", "level"
            ),
        )
    )
    by_pk = {row.pk: row for row in rows}
    places, cycles = _places(by_pk)
    faults = [
        TreeFault(
            "cycle",
            tuple(cycle),
            "Companies are below themselves: " + " → ".join(map(str, cycle)) + ".",
        )
        for cycle in cycles
    ]
    for row in rows:
        faults.extend(_faults_beside_parents(row, by_pk, places))
    for tree, members in groupby(rows, key=itemgetter(2)):
        faults.extend(_faults_of_numbers(tree, list(members), by_pk))
    return faults


def find_wrong_scopes() -> list[int]:
    """Companies for which `under()` does not give what the parents give, by id.

    It gives as many, and each of them.
    """
    with connection.cursor() as cursor:
        cursor.execute(WRONG_SCOPES.format(table=Company._meta.db_table))
        return [pk for (pk,) in cursor.fetchall()]


@repeated
def repair_tree() -> int:
    """Number the tree anew from the parents, in one statement; how many rows changed.

    Siblings keep the order they have. Keeps all other writers of the tree out. Raises
    TreeNotRepairable while parents form a cycle or are missing: they are the truth, so
    only people can say what is meant.
    """
    using = router.db_for_write(Company)
    with transaction.atomic(using=using):
        allow_long_work(using)
        acquire_gate(exclusive=True, using=using)
        hopeless = [f for f in find_tree_faults() if f.kind in NOT_REPAIRABLE]
        if hopeless:
            raise TreeNotRepairable(faults=[str(fault) for fault in hopeless])
        return renumber()


def _places(by_pk: dict[int, Row]) -> tuple[dict[int, Place], list[list[int]]]:
    """Each company's place by its parents, and the cycles, whose companies have none.

    Walks up until it meets a company that was placed before: each is visited once.
    """
    places: dict[int, Place] = {}
    # In a cycle, below one or below nobody; and those that are being walked just now.
    placeless: set[int] = set()
    cycles = []
    for pk in by_pk:
        path: list[int] = []
        at: int | None = pk
        while at in by_pk and at not in places and at not in placeless:
            placeless.add(at)
            path.append(at)
            at = by_pk[at].parent
        if at is not None and at not in places:
            if at in path:
                cycles.append(path[path.index(at) :])
            continue
        place = None if at is None else places[at]
        for below in reversed(path):
            place = Place(place.head, place.level + 1) if place else Place(below, 0)
            places[below] = place
        placeless.difference_update(path)
    return places, cycles


def _faults_beside_parents(
    row: Row, by_pk: dict[int, Row], places: dict[int, Place]
) -> Iterator[TreeFault]:
    """What one row alone, beside its parents, shows to be wrong."""
    pk, parent_pk, tree, lft, rght, level = row
    if lft >= rght:
        yield _fault("lft_not_before_rght", pk, f"has lft {lft} and rght {rght}")
    if parent_pk is not None and parent_pk not in by_pk:
        yield _fault("missing_parent", pk, f"is below {parent_pk}, which is missing")
    if pk not in places:
        return  # the cycle or the missing parent is told already
    head, depth = places[pk]
    if tree != head and parent_pk is None:
        yield _fault("head_without_own_tree", pk, f"is a head, but has tree_id {tree}")
    elif tree != head:
        told = f"has tree_id {tree}, but its head company is {head}"
        yield _fault("other_hierarchy", pk, told)
    if level != depth:
        yield _fault("wrong_level", pk, f"has level {level} instead of {depth}")
    if depth >= settings.COMPANY_MAX_DEPTH:
        told = f"is on level {depth + 1} of at most {settings.COMPANY_MAX_DEPTH}"
        yield _fault("too_deep", pk, told)


def _faults_of_numbers(
    tree: int, rows: list[Row], by_pk: dict[int, Row]
) -> Iterator[TreeFault]:
    """What is wrong with lft and rght among the rows of one tree_id, ordered by lft."""
    most = 2 * len(rows)
    numbers = {row.lft for row in rows}
    numbers.update(row.rght for row in rows)
    if len(numbers) != most:
        yield from _duplicates(tree, rows)
    if min(numbers) != 1 or max(numbers) != most:
        sentence = (
            f"The numbers of hierarchy {tree} are {min(numbers)} to {max(numbers)} "
            f"instead of 1 to {most}."
        )
        yield TreeFault("gap", (tree,), sentence)
    enclosing: list[Row] = []
    for row in rows:
        while enclosing and enclosing[-1].rght < row.lft:
            enclosing.pop()
        around = enclosing[-1] if enclosing else None
        if row.lft < row.rght:
            enclosing.append(row)
        if around is None or around.pk != row.parent or row.rght >= around.rght:
            yield from _faults_of_interval(row, around, by_pk)


def _faults_of_interval(
    row: Row, around: Row | None, by_pk: dict[int, Row]
) -> Iterator[TreeFault]:
    """What is wrong with a company that is not within its parent, next to it."""
    parent = None
    if row.parent is not None:
        parent = by_pk.get(row.parent)
        if parent is None:
            return  # missing, and told already
    if (
        parent is not None
        and parent.tree == row.tree
        and not parent.lft < row.lft < row.rght < parent.rght
    ):
        yield _fault("outside_parent", row.pk, f"is not within its parent {parent.pk}")
    elif around is not None and around.pk != row.parent and row.rght < around.rght:
        told = f"is within {around.pk}, which is not its parent"
        yield _fault("inside_another", row.pk, told)
    if around is not None and around.lft < row.lft and row.rght > around.rght:
        sentence = f"Companies {around.pk} and {row.pk} overlap in part."
        yield TreeFault("partial_overlap", (around.pk, row.pk), sentence)


def _duplicates(tree: int, rows: list[Row]) -> Iterator[TreeFault]:
    counts = Counter(number for row in rows for number in (row.lft, row.rght))
    twice = {number for number, count in counts.items() if count > 1}
    companies = tuple(row.pk for row in rows if twice & {row.lft, row.rght})
    sentence = (
        f"In hierarchy {tree} companies have the same numbers: "
        + ", ".join(map(str, companies))
        + "."
    )
    yield TreeFault("duplicate_number", companies, sentence)


def _fault(kind: str, pk: int, told: str) -> TreeFault:
    return TreeFault(kind, (pk,), f"Company {pk} {told}.")
