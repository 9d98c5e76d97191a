"""The history of a row as a table: who, when, what changed from what to what, why."""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .display import plain
from .panels import Panel
from .sight import seen

ENTRIES = 50
# What every change changes says nothing.
SILENT = frozenset({"version", "updated_at", "created_at"})
KINDS = {
    "+": gettext_lazy("created"),
    "~": gettext_lazy("changed"),
    "-": gettext_lazy("deleted"),
}


def history_of(request: HttpRequest, obj: Any) -> dict[str, Any]:
    """The last entries with their differences, in a constant number of queries."""
    page = _page_number(request)
    start = (page - 1) * ENTRIES
    rows = obj.history.order_by("-history_date", "-history_id")
    # One more than shown: the oldest one is compared with the one before it.
    entries = list(rows[start : start + ENTRIES + 1])
    fields = [
        field
        for field in obj.history.model.tracked_fields
        if field.name not in SILENT and not field.primary_key
    ]
    names = _names(request, fields, entries)
    staff = staff_names(entry.history_user_id for entry in entries)
    shown = []
    for entry, before in zip(
        entries[:ENTRIES], [*entries[1:], None][:ENTRIES], strict=False
    ):
        shown.append(
            {
                "at": entry.history_date,
                "actor": staff.get(entry.history_user_id, entry.history_user_id),
                "kind": KINDS[entry.history_type],
                "reason": entry.history_change_reason,
                "changes": _changes(fields, names, entry, before),
            }
        )
    return {
        "entries": shown,
        "newer": page - 1,
        "older": page + 1 if len(entries) > ENTRIES else 0,
    }


def _changes(
    fields: list[Any], names: dict[Any, Any], entry: Any, before: Any
) -> list[dict[str, str]]:
    changes = []
    for field in fields:
        new = getattr(entry, field.attname)
        old = getattr(before, field.attname) if before is not None else field.default
        if before is None and new in (None, "", {}, False):
            continue
        if before is not None and new == old:
            continue
        changes.append(
            {
                "field": field.verbose_name,
                "before": _text(field, old, names) if before is not None else "",
                "after": _text(field, new, names),
            }
        )
    return changes


def _text(field: Any, value: Any, names: dict[Any, Any]) -> str:
    if field.remote_field is not None and value is not None:
        return names.get((field.name, value)) or _("deleted (%(id)s)") % {"id": value}
    if field.choices:
        return plain(dict(field.flatchoices).get(value, value))
    return plain(value)


def _names(
    request: HttpRequest, fields: list[Any], entries: list[Any]
) -> dict[Any, str]:
    """What rows that entries name are called; of others than the seen ones the id."""
    names = {}
    for field in fields:
        if field.remote_field is None:
            continue
        ids = {getattr(entry, field.attname) for entry in entries} - {None}
        if ids:
            rows = seen(request, field.remote_field.model._default_manager.all())
            rows = rows.order_by().in_bulk(ids)
            names |= {(field.name, pk): str(row) for pk, row in rows.items()}
    return names


def staff_names(actors: Iterable[str]) -> dict[str, str]:
    """Names beside the ids of staff; clients and contacts keep their ids."""
    ids = {
        int(number)
        for actor in actors
        for kind, _colon, number in [actor.partition(":")]
        if kind == "staff" and number.isdigit()
    }
    users = get_user_model()._base_manager.in_bulk(ids) if ids else {}
    return {f"staff:{pk}": f"staff:{pk} ({user})" for pk, user in users.items()}


def _page_number(request: HttpRequest) -> int:
    asked = request.GET.get("history", "1")
    return min(int(asked), 10_000) if asked.isdecimal() and int(asked) else 1


def has_history(model: type[models.Model]) -> bool:
    return hasattr(model._meta, "simple_history_manager_attribute")


HISTORY = Panel(
    "history", gettext_lazy("History"), "konzern/history.html", history_of, order=100
)
