"""One box that finds everything: companies, people, requests, limits, groups, pages.

Each app adds what it lets be found, as it adds tasks to the first page (home.py). Rows
are found by the search of their own list: "all" leads to the same ones.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from config.text import search_words

from .navigation import sidebar

IN_BOX = 5  # of each kind
ON_PAGE = 10
COUNTED = 1_000  # more than that are only called more
LONGEST = 200  # characters of a query that are looked at


def nothing(*args: Any) -> None:
    """The default where there is nothing to read or to say."""


@dataclass(frozen=True, slots=True)
class Searched:
    """A kind of row that the box finds.

    `about(row)` tells namesakes apart, `state(row)` is a value and its word. `exactly`
    says by which keys somebody means this one row: such rows come first. `prepare`
    reads for all rows at once what `about` needs.
    """

    model: type
    icon: str
    about: Callable[[Any], Any]
    exactly: Callable[[str], Q]
    state: Callable[[Any], tuple[str, Any] | None] = nothing
    prepare: Callable[[HttpRequest, list[Any]], None] = nothing
    related: tuple[str, ...] = ()
    order: int = 50


_searched: list[Searched] = []


def add_searched(*kinds: Searched) -> None:
    _searched.extend(kinds)
    _searched.sort(key=lambda kind: kind.order)


def search(
    request: HttpRequest, site: admin.AdminSite, query: str, *, most: int
) -> list[dict[str, Any]]:
    """What this person may see of what matches, `most` of each kind."""
    if not search_words(query):
        return []
    found = [_found(request, site, kind, query, most) for kind in _searched]
    pages = list(islice(_pages(request, query), most))
    shown = {"title": _("Pages"), "icon": "web", "hits": pages, "number": len(pages)}
    return [group for group in [*found, shown] if group and group["hits"]]


def _found(
    request: HttpRequest, site: admin.AdminSite, kind: Searched, query: str, most: int
) -> dict[str, Any] | None:
    pages = site.get_model_admin(kind.model)
    if not pages.has_view_permission(request):
        return None
    rows = pages.get_queryset(request)
    matching, repeats = pages.get_search_results(request, rows, query)
    matching = matching.distinct() if repeats else matching
    pks, number = _best(rows, matching, kind.exactly(query), most)
    read = rows.select_related(*kind.related) if kind.related else rows
    by_pk = read.in_bulk(pks)
    hits = [by_pk[pk] for pk in pks if pk in by_pk]
    kind.prepare(request, hits)
    all_of_them = f"{pages.url_of('changelist')}?{urlencode({'q': query})}"
    return {
        "title": pages.opts.verbose_name_plural,
        "icon": kind.icon,
        "hits": [
            {
                "url": pages.url_of("change", row.pk),
                "text": row,
                "about": kind.about(row),
                "state": kind.state(row),
            }
            for row in hits
        ],
        "number": min(number, COUNTED),
        "is_more": number > COUNTED,
        "all": all_of_them if number > most else "",
    }


def _best(
    rows: QuerySet, matching: QuerySet, exactly: Q, most: int
) -> tuple[list[Any], int]:
    """Those that are meant, then others in the order of their list; how many match.

    Sorting by "is meant" would read all that match: these are asked for by themselves,
    and among what was found if that was all.
    """
    found = list(matching.values_list("pk", flat=True)[: COUNTED + 1])
    all_found = len(found) <= COUNTED
    meant = rows.filter(pk__in=found) if all_found else matching
    first = meant.filter(exactly).values_list("pk", flat=True)[:most]
    return [*dict.fromkeys([*first, *found])][:most], len(found)


def _pages(request: HttpRequest, query: str) -> Iterator[dict[str, Any]]:
    """Pages of the sidebar whose name has every word."""
    words = search_words(query)
    for section in sidebar(request):
        for page in section["items"]:
            name = " ".join(search_words(str(page["title"])))
            if all(word in name for word in words):
                yield {
                    "url": page["link"],
                    "text": page["title"],
                    "about": page["about"],
                }
