"""The history of a company, as the API tells it."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from companies.api.shapes import COMPANY
from companies.models import Company
from config.api.rows import Batch, Made, Shape

History = Company.history.model
CHANGES = {"+": "created", "~": "changed", "-": "deleted"}
UNTOLD = {"id", "version", "created_at", "updated_at"}


def _told(shape: Shape, prefix: str = "") -> Iterator[tuple[str, str]]:
    """The fields of the API that come from stored columns, and these columns."""
    tracked = {field.attname for field in History.tracked_fields}
    for name, source in shape.fields.items():
        if isinstance(source, Shape):
            yield from _told(source, f"{prefix}{name}.")
        elif source in tracked - UNTOLD:
            yield prefix + name, source


TOLD = dict(_told(COMPANY))


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict]:
    return [
        {"field": name, "before": before.get(column), "after": after[column]}
        for name, column in TOLD.items()
        if before.get(column) != after[column]
        and not (column not in before and after[column] in ("", None, {}))
    ]


def _load(ids: Sequence[int], client: Any) -> Mapping[int, list[dict]]:
    """The changes of entries that follow each other in one company's history.

    Each is compared with the entry before it; the first, with nothing.
    """
    company = History.objects.order_by().filter(history_id=ids[-1]).values("id")
    rows = list(
        History.objects.filter(id__in=company, history_id__lte=ids[-1])
        .order_by("-history_id")
        .values("history_id", *TOLD.values())[: len(ids) + 1]
    )
    found = {
        newer["history_id"]: _changes(older, newer) for newer, older in pairwise(rows)
    }
    if len(rows) == len(ids):  # down to the first of all
        found[rows[-1]["history_id"]] = _changes({}, rows[-1])
    return found


HISTORY = Shape(
    id="history_id",
    change=Made(CHANGES.__getitem__, ("history_type",)),
    actor="history_user_id",
    at="history_date",
    reason="history_change_reason",
    request_id="request_id",
    changes=Batch(
        _load,
        "history_id",
        shape=Shape("field", "before", "after"),
    ),
)
