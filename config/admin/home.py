"""The first page: what needs somebody today, what happened lately.

Each app adds its own tasks and panels, as it adds tabs to pages of others (panels.py).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import Promise

from .history import KINDS, has_history, staff_names

RECENT = 10
LOOKED_AT = 20  # entries of each kind of object, for the newest of all


@dataclass(frozen=True, slots=True)
class Task:
    """Something that somebody should look at, counted among the rows of a list.

    `query` is what the list is asked for (such as "status__exact=PENDING"); it shows as
    many rows as `count` says. `page` names another page than the list. `urgent`:
    somebody waits for us.
    """

    label: str | Promise
    icon: str
    model: type
    count: Callable[[QuerySet], int]
    query: str = ""
    page: str = "changelist"
    urgent: bool = False
    order: int = 50


@dataclass(frozen=True, slots=True)
class HomePanel:
    """A part of the first page with content of its own."""

    template: str
    content: Callable[[HttpRequest], dict[str, Any]]
    permission: str


_tasks: list[Task] = []
_panels: list[HomePanel] = []


def add_tasks(*tasks: Task) -> None:
    _tasks.extend(tasks)
    _tasks.sort(key=lambda task: task.order)


def add_home_panel(panel: HomePanel) -> None:
    _panels.append(panel)


def tasks_of(request: HttpRequest, site: admin.AdminSite) -> Iterator[dict[str, Any]]:
    """What there is to do for this person, each with its number and its list."""
    for task in _tasks:
        pages = site.get_model_admin(task.model)
        if not pages.has_view_permission(request):
            continue
        query = f"?{task.query}" if task.query else ""
        yield {
            "label": task.label,
            "icon": task.icon,
            "number": task.count(pages.get_queryset(request).order_by()),
            "url": pages.url_of(task.page) + query,
            "urgent": task.urgent,
        }


def panels_of(request: HttpRequest) -> Iterator[dict[str, Any]]:
    for panel in _panels:
        if request.user.has_perm(panel.permission):
            yield {"template": panel.template} | panel.content(request)


def recent_changes(request: HttpRequest, site: admin.AdminSite) -> list[dict[str, Any]]:
    """The newest entries of the histories of all that this person may see."""
    entries = [
        (entry, pages)
        for model, pages in site._registry.items()
        if has_history(model) and pages.has_view_permission(request)
        for entry in _newest(request, pages)
    ]
    entries.sort(key=lambda pair: pair[0].history_date, reverse=True)
    shown = entries[:RECENT]
    staff = staff_names(entry.history_user_id for entry, _pages in shown)
    return [
        {
            "at": entry.history_date,
            "actor": staff.get(entry.history_user_id, entry.history_user_id),
            "what": pages.opts.verbose_name,
            "name": entry.row,
            "kind": KINDS[entry.history_type],
            "reason": entry.history_change_reason,
            "url": pages.url_of("change", entry.row.pk),
        }
        for entry, pages in shown
    ]


def _newest(request: HttpRequest, pages: Any) -> Iterable[Any]:
    """The newest entries of objects that are still there and may be seen."""
    history = pages.model.history.order_by("-history_id")
    entries = list(history.exclude(history_type="-")[:LOOKED_AT])
    rows = pages.get_queryset(request).order_by()
    if related := pages.list_select_related:
        rows = rows.select_related(*related)
    seen = rows.in_bulk({entry.id for entry in entries})
    for entry in entries:
        if entry.id in seen:
            entry.row = seen[entry.id]
            yield entry
