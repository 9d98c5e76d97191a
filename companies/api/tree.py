"""A hierarchy as one nested answer."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from django.db.models import Count

from companies.models import CompanyQuerySet

MOST_NODES = 2_000
COLUMNS = ("id", "code", "name", "status", "parent_id", "descendants_count", "depth")


def nested_tree(
    rows: CompanyQuerySet,
    company: int,
    *,
    levels: int | None,
    next_url: Callable[[int], str],
) -> dict[str, Any] | None:
    """The company and what is below it, `levels` deep, at most 2,000 nodes.

    From the top down, so that what does not fit is at the bottom. A node whose children
    are not all in here says in `next` where they are. None if `rows` lack the company.
    """
    below = rows.under(company).with_place()
    if levels is not None:
        below = below.at_most_below(company, levels)
    found = list(below.head_first().values_list(*COLUMNS)[:MOST_NODES])
    if not found or found[0][0] != company:
        return None
    nodes: dict[int, dict[str, Any]] = {}
    counts = _children_counts(found, rows)
    for pk, code, name, status, parent, descendants, _depth in found:
        nodes[pk] = node = {
            "id": pk,
            "code": code,
            "name": name,
            "status": status,
            "children_count": counts[pk],
            "descendants_count": descendants,
            "children": [],
            "next": None,
        }
        if pk != company:
            nodes[parent]["children"].append(node)
    for pk, node in nodes.items():
        if len(node["children"]) < node["children_count"]:
            node["next"] = next_url(pk)
    return nodes[company]


def _children_counts(found: list[tuple], rows: CompanyQuerySet) -> Counter[int]:
    """How many children each has; asks only for those at the lower edge."""
    counts = Counter(parent for _, _, _, _, parent, _, _ in found[1:])
    deepest = found[-1][-1]
    edge = [
        pk
        for pk, _, _, _, _, descendants, depth in found
        if descendants and depth >= deepest - 1
    ]
    if edge:
        grouped = rows.order_by().filter(parent__in=edge).values("parent_id")
        asked = grouped.annotate(number=Count("pk"))
        counts.update(dict.fromkeys(edge, 0))
        for row in asked.values_list("parent_id", "number"):
            counts[row[0]] = row[1]
    return counts
