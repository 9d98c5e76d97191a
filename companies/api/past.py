"""Companies as they were on a day, in the shapes in which they are shown today."""

import re
from collections.abc import Callable
from datetime import date
from itertools import batched
from typing import Any

from django.utils import timezone
from rest_framework.request import Request

from companies.api.shapes import COMPANY
from companies.api.tree import MOST_NODES
from companies.models import CompanyQuerySet
from companies.past import FIRST_YEAR, Node, Past
from config.api.errors import invalid_parameter
from config.api.rows import Shape

AS_OF = "as_of"
# Depth, head and status are not asked of the tree of today: `Past.path` brings them.
PAST_COMPANY = Shape(**COMPANY.fields)
BATCH = 5_000


def day_asked(request: Request, *, beside: tuple[str, ...] = ()) -> date | None:
    """The day of `?as_of=`; None if it is not there. 400 for a day that cannot be.

    Only the parameters named in `beside` make sense together with it.
    """
    given = request.query_params
    if AS_OF not in given:
        return None
    others = sorted(set(given) - {AS_OF, *beside})
    if others:
        raise invalid_parameter(others[0], "Not together with as_of.", "invalid")
    day = None
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", given[AS_OF], re.ASCII):
        try:
            day = date.fromisoformat(given[AS_OF])
        except ValueError:
            day = None
    if day is None or not date(FIRST_YEAR, 1, 1) <= day <= timezone.localdate():
        text = "A day that is not in the future, such as 2026-01-31."
        raise invalid_parameter(AS_OF, text, "invalid")
    return day


def in_sight(rows: CompanyQuerySet) -> Callable[[list[int]], set[int]]:
    """Which of some companies are among `rows`: what the caller may see today."""

    def visible(ids: list[int]) -> set[int]:
        found: set[int] = set()
        for batch in batched(ids, BATCH):
            found |= set(rows.filter(pk__in=batch).values_list("pk", flat=True))
        return found

    return visible


def past_tree(
    past: Past,
    company: int,
    *,
    levels: int | None,
    visible: Any,
    next_url: Callable[[int], str],
) -> dict[str, Any] | None:
    """As `nested_tree()` shows it: upper ones first, at most 2,000 of them."""
    top = past.tree(company, visible=visible)
    if top is None:
        return None
    answer = _shown(top)
    level, left = [(top, answer)], MOST_NODES - 1
    deep = 0
    while level:
        below = []
        for node, told in level:
            room = 0 if levels is not None and deep >= levels else left
            for child in node.children[:room]:
                told["children"].append(_shown(child))
                below.append((child, told["children"][-1]))
            left -= len(told["children"])
            if len(told["children"]) < len(node.children):
                told["next"] = next_url(node.id)
        level, deep = below, deep + 1
    return answer


def _shown(node: Node) -> dict[str, Any]:
    return {
        "id": node.id,
        "code": node.code,
        "name": node.name,
        "status": node.status,
        "children_count": len(node.children),
        "descendants_count": node.descendants,
        "children": [],
        "next": None,
    }
