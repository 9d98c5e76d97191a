"""What must hold of clients, versions, history and events (rules S6, W1, E1 to E6)."""

from collections.abc import Iterable, Iterator
from datetime import timedelta

from django.apps import apps
from django.db import connection
from django.db.models import Count, Max, Min, Sum
from oauth2_provider.settings import oauth2_settings

from config.integrity import Broken, proves

from .event_types import EVENT_TYPES
from .models import ApiClient, Event, EventCounter
from .models.clients import ACT
from .recording import Recorded, event_noun

MARGIN = timedelta(days=1)  # a change and its event are not of the same microsecond


@proves({"clients.scopes": "clients"})
def clients() -> Iterator[Broken]:
    """Acts for people or writes by itself; holds no scope that does not exist."""
    known = set(oauth2_settings.SCOPES)
    for client in ApiClient.objects.order_by("pk"):
        scopes = set(client.allowed_scopes.split())
        writes = [one for one in scopes - {ACT} if not one.endswith(":read")]
        if scopes - known or (client.acts_for_people and writes):
            yield "clients.scopes", client.pk


@proves({"events.gaps": "companies (0: of none)"})
def gaps() -> Iterator[Broken]:
    """Numbers of a company follow each other, up to what its counter says."""
    told = {
        row["stream"]: row
        for row in Event.objects.order_by()
        .values("stream")
        .annotate(count=Count("pk"), first=Min("number"), last=Max("number"))
    }
    counters = dict(EventCounter.objects.values_list("stream", "last"))
    for stream in sorted(told.keys() | counters.keys()):
        row = told.get(stream)
        if row is None:
            # All forgotten; but the very last event of all is kept for good.
            if not told:
                yield "events.gaps", stream
        elif row["last"] - row["first"] + 1 != row["count"] or (
            row["last"] != counters.get(stream)
        ):
            yield "events.gaps", stream


@proves({"events.complete": "rows"})
def completeness() -> Iterator[Broken]:
    """Each change in a history has its event, and each event its change."""
    since = _kept_since()
    for model in _recorded():
        noun = event_noun(model)
        if f"{noun}.created" not in EVENT_TYPES:
            continue
        changes = model.history.model.objects.order_by()
        kinds = ["created", "updated", "moved", "deleted"]
        if model.may_come_with_another:  # and go with it
            changes = changes.exclude(history_type="-")
            kinds.remove("deleted")
        types = [f"{noun}.{kind}" for kind in kinds]
        events = Event.objects.order_by().filter(type__in=types)
        if since is not None:
            # Of what was there before, older events may be forgotten.
            born = changes.filter(history_type="+", history_date__gte=since)
            changes = changes.filter(id__in=born.values("id"))
            events = events.filter(subject_id__in=born.values("id"))
        counts = (
            changes.values_list("id").annotate(count=Count("*")).order_by("id"),
            events.values_list("subject_id")
            .annotate(count=Count("*"))
            .order_by("subject_id"),
        )
        for pk in _differing(*(rows.iterator() for rows in counts)):
            yield "events.complete", f"{noun} {pk}"


@proves({"writes.versions": "rows", "history.complete": "rows"})
def histories() -> Iterator[Broken]:
    """The version counts the changes, and the last change left what is stored."""
    for model in _recorded():
        noun = event_noun(model)
        for pk, version, entries, is_as_left in _beside_history(model):
            if version != entries:
                yield "writes.versions", f"{noun} {pk}"
            if not is_as_left:
                yield "history.complete", f"{noun} {pk}"


def _recorded() -> list[type[Recorded]]:
    return [
        model
        for model in apps.get_models()
        if issubclass(model, Recorded) and hasattr(model, "history")
    ]


def _kept_since() -> object | None:
    """From when on all events are there; None: they all are."""
    told = EventCounter.objects.aggregate(Sum("last"))["last__sum"] or 0
    if told == Event.objects.count():
        return None
    first = Event.objects.aggregate(Min("occurred_at"))["occurred_at__min"]
    return first and first + MARGIN


def _differing(
    left: Iterable[tuple[int, int]], right: Iterable[tuple[int, int]]
) -> Iterator[int]:
    """Keys that do not stand on both sides with the same count; both are in order."""
    ours, theirs = iter(left), iter(right)
    mine, other = next(ours, None), next(theirs, None)
    while mine or other:
        if mine == other:
            mine, other = next(ours, None), next(theirs, None)
            continue
        key = min(side[0] for side in (mine, other) if side)
        yield key
        if mine and mine[0] == key:
            mine = next(ours, None)
        if other and other[0] == key:
            other = next(theirs, None)


def _beside_history(model: type[Recorded]) -> list[tuple[int, int, int, bool]]:
    """Rows that their history does not explain: key, version, entries, "as left"."""
    history = model.history.model
    kept = {field.column for field in history._meta.concrete_fields}
    equals = "IS" if connection.vendor == "sqlite" else "IS NOT DISTINCT FROM"
    same = " AND ".join(
        f'r."{field.column}" {equals} h."{field.column}"'
        for field in model._meta.concrete_fields
        if field.column in kept
    )
    entries, unwritten = "coalesce(c.entries, 0)", "false"
    if model.may_come_with_another:
        entries = "coalesce(c.entries, 0) + CASE c.first WHEN '+' THEN 0 ELSE 1 END"
        unwritten = "c.entries IS NULL"
    sql = f"""
        SELECT id, version, entries, as_left FROM (
            SELECT r.id, r.version, {entries} AS entries,
                CASE WHEN h.history_id IS NULL THEN {unwritten}
                    ELSE h.history_user_id <> '' AND {same} END AS as_left
            FROM {model._meta.db_table} r
            LEFT JOIN (
                SELECT id, count(*) AS entries, max(history_id) AS last,
                    min(history_type) AS first  -- "+" comes before all others
                FROM {history._meta.db_table} GROUP BY id
            ) c ON c.id = r.id
            LEFT JOIN {history._meta.db_table} h ON h.history_id = c.last
        ) r WHERE version <> entries OR NOT as_left ORDER BY id
    """  # noqa: S608  (names of our own)
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()
