"""A hierarchy as a picture: its companies in reading order, and what is drawn at them.

Higher apps add numbers of theirs, as quality.py has their findings.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db.models import Count, Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from .models import Company, CompanyLink, CompanyQuerySet, ContactAssignment
from .models.company import BADNESS, STATUS_OF_BADNESS
from .past import Node

MOST = 10_000  # companies in one picture

type Counted = Iterable[tuple[int, int]]  # company, how many of its own


@dataclass(frozen=True, slots=True)
class Numbers:
    """What can be counted at each company, for staff with `permission`."""

    slug: str
    label: str | Promise
    permission: str
    count: Callable[[CompanyQuerySet], Counted]


NUMBERS: dict[str, Numbers] = {}


def add_numbers(
    slug: str,
    label: str | Promise,
    permission: str,
    count: Callable[[CompanyQuerySet], Counted],
) -> None:
    NUMBERS[slug] = Numbers(slug, label, permission, count)


class Box(NamedTuple):
    """A company in the picture; `effective` is the worst status on its path."""

    id: int
    parent: int | None
    code: str
    name: str
    status: str
    effective: str


def boxes_of(top: Company) -> list[Box]:
    """The company and all below it, each after its parent, sisters by name. One query.

    Of more than MOST companies those nearest to the top.
    """
    below = Company.objects.under(top).head_first()
    columns = ("id", "parent_id", "code", "name", "status")
    rows = list(below.values_list(*columns)[:MOST])
    above = Company.objects.above(top).exclude(pk=top.pk).order_by()
    worst = max((BADNESS[status] for status in _statuses(above)), default=0)
    return _in_reading_order(rows, top.pk, worst)


def boxes_then(top: Node) -> list[Box]:
    """The same of the structure of another day."""
    rows: list[tuple] = []
    waiting: list[tuple[Node, int | None]] = [(top, None)]
    for node, parent in waiting:  # grows while we walk: level by level
        rows.append((node.id, parent, node.code, node.name, node.status))
        waiting += [(child, node.id) for child in node.children]
    return _in_reading_order(rows[:MOST], top.id, 0)


class Line(NamedTuple):
    """A link beside the tree, from a company to another one, with its words."""

    company: int
    other: int
    kind: str
    percent: str


def lines_of(
    top: Company, shown: Iterable[int], visible: CompanyQuerySet
) -> tuple[list[Line], list[Box]]:
    """Links from and to the companies shown, and the companies of other hierarchies.

    `shown` are companies below `top`; `visible` are all that may be told of.
    """
    below = Company.objects.under(top).order_by().values("pk")
    links = CompanyLink.objects.filter(Q(company__in=below) | Q(other__in=below))
    inside = set(shown)
    lines = [
        Line(link.company_id, link.other_id, link.get_kind_display(), _percent(link))
        for link in links.order_by("pk")
        if {link.company_id, link.other_id} & inside
    ]
    ends = {end for line in lines for end in (line.company, line.other)} - inside
    beside = visible.filter(pk__in=ends).with_effective_status().order_by("name", "pk")
    boxes = [
        Box(one.pk, None, one.code, one.name, one.status, one.effective_status)
        for one in beside
    ]
    known = inside | {box.id for box in boxes}
    return [line for line in lines if {line.company, line.other} <= known], boxes


def people_of(companies: CompanyQuerySet) -> Counted:
    """How many people are assigned now, directly."""
    rows = ContactAssignment.objects.in_force().filter(company__in=companies)
    return rows.order_by().values_list("company").annotate(Count("pk"))


add_numbers("people", _("People"), "companies.view_contactassignment", people_of)


def _statuses(companies: CompanyQuerySet) -> Iterable[str]:
    return companies.values_list("status", flat=True)


def _in_reading_order(rows: list[tuple], top: int, worst: int) -> list[Box]:
    children: dict[int | None, list[tuple]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row[3].casefold(), reverse=True):
        children[None if row[0] == top else row[1]].append(row)
    boxes = []
    waiting = [(row, worst) for row in children[None]]
    while waiting:
        (pk, parent, code, name, status), bad = waiting.pop()
        bad = max(bad, BADNESS[status])
        above = None if pk == top else parent
        boxes.append(Box(pk, above, code, name, status, STATUS_OF_BADNESS[bad]))
        waiting += [(child, bad) for child in children[pk]]
    return boxes


def _percent(link: Any) -> str:
    return "" if link.percent is None else f"{link.percent.normalize():f} %"
