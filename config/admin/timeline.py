"""All that happened to a row and to what belongs to it, as one list, newest first.

Each app adds its sources, as it adds tabs to pages of others (panels.py). One statement
finds which entries a page shows, of all sources; then only the sources that have some
are read. Pages go on after an entry, so that the last one costs as much as the first.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import (
    F,
    IntegerField,
    Model,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
)
from django.http import HttpRequest
from django.utils.dateparse import parse_datetime
from django.utils.functional import Promise
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy

from config.fields import AmountField
from config.money import readable

from .display import plain
from .history import KINDS, SILENT
from .names import Names, Ref, actor_names
from .panels import Panel
from .sight import may_see

ENTRIES = 50

type Place = tuple[datetime, int, int]  # when, the source, the entry


@dataclass(slots=True)
class Entry:
    """Something that happened. Values may be Refs, which are named when shown."""

    at: datetime
    actor: str
    verb: str | Promise
    subject: Sequence[Any] = ()
    changes: Sequence[tuple[Any, Any, Any]] = ()  # of what, before, after
    reason: str = ""
    about: Ref | Model | None = None  # whose page it leads to
    state: tuple[str, Any] | None = None

    def refs(self) -> Iterable[Ref]:
        values = [*self.subject, self.about]
        for _of, before, after in self.changes:
            values += [before, after]
        return (value for value in values if isinstance(value, Ref))


@dataclass(frozen=True, slots=True)
class Source:
    """Where entries come from.

    `rows(request, obj)` are those of the object, `at` the column that says when;
    `tell(rows)` makes an Entry of each. Who may view rows of `model` sees them. Sources
    of one `kind` are filtered together under its `label`.
    """

    kind: str
    label: str | Promise
    model: type[Model]
    rows: Callable[[HttpRequest, Any], QuerySet]
    tell: Callable[[QuerySet], dict[int, Entry]]
    at: str = "history_date"


_sources: dict[str, list[Source]] = defaultdict(list)


def add_sources(label: str, *sources: Source) -> None:
    """Add to the timeline of a model ("app.Model")."""
    _sources[label.lower()].extend(sources)


# --- histories as sources


@dataclass(frozen=True, slots=True)
class Told:
    """Tells the entries of a history: what changed, from what to what.

    `subject(entry)` are the parts of its name; `about(entry)` the row whose page it
    leads to, if it has no page of its own.
    """

    model: type[Model]
    subject: Callable[[Any], Sequence[Any]]
    about: Callable[[Any], Ref | None] | None = None
    hidden: frozenset[str] = frozenset()  # fields that the subject says already

    def __call__(self, rows: QuerySet) -> dict[int, Entry]:
        history = rows.model
        older = history.objects.filter(
            id=OuterRef("id"), history_id__lt=OuterRef("history_id")
        ).order_by("-history_id")
        previous = Subquery(older.values("history_id")[:1])
        entries = list(rows.annotate(previous=previous))
        before = history.objects.in_bulk({entry.previous for entry in entries} - {None})
        return {
            entry.pk: self._entry(entry, before.get(entry.previous))
            for entry in entries
        }

    def _entry(self, entry: Any, before: Any) -> Entry:
        deleted = entry.history_type == "-"
        return Entry(
            at=entry.history_date,
            actor=entry.history_user_id,
            verb=KINDS[entry.history_type],
            subject=self.subject(entry),
            changes=[] if deleted else list(self._changes(entry, before)),
            reason=entry.history_change_reason or "",
            about=self.about(entry) if self.about else Ref(self.model, entry.id),
        )

    def _changes(self, entry: Any, before: Any) -> Iterable[tuple[Any, Any, Any]]:
        for one in entry.tracked_fields:
            if one.name in SILENT or one.primary_key:
                continue
            new = getattr(entry, one.attname)
            if before is None:
                if one.name not in self.hidden and new not in (None, "", {}, [], False):
                    yield one.verbose_name, "", _shown(one, entry, new)
            elif (old := getattr(before, one.attname)) != new:
                yield (
                    one.verbose_name,
                    _shown(one, before, old),
                    _shown(one, entry, new),
                )


def _shown(one: Any, entry: Any, value: Any) -> Any:
    if one.remote_field is not None and value is not None:
        return Ref(one.remote_field.model, value)
    if one.choices:
        return plain(dict(one.flatchoices).get(value, value))
    if isinstance(one, AmountField) and value is not None:
        return readable(value, entry.currency)
    return plain(value)


def history_source(
    model: type[Model],
    *,
    kind: str,
    label: str | Promise,
    rows: Callable[[Any], QuerySet],
    subject: Callable[[Any], Sequence[Any]],
    seen: type[Model] | None = None,
    about: Callable[[Any], Ref | None] | None = None,
    hidden: Iterable[str] = ("company",),
) -> Source:
    """The history of rows that belong to the object.

    `seen`: the model whose right counts, where the rows have no page of their own.
    """
    return Source(
        kind,
        label,
        seen or model,
        lambda request, obj: rows(obj),
        Told(model, subject, about, frozenset(hidden)),
    )


# --- the page


@dataclass(slots=True)
class _Page:
    places: list[Place] = field(default_factory=list)
    more: bool = False


def timeline_of(request: HttpRequest, obj: Model) -> dict[str, Any]:
    """A page of what happened, newest first, of all kinds or of one."""
    sources = [
        (number, source)
        for number, source in enumerate(_sources[obj._meta.label_lower])
        if may_see(request, source.model)
    ]
    kinds = {source.kind: source.label for _number, source in sources}
    asked = request.GET.get("kind", "")
    if asked in kinds:
        sources = [pair for pair in sources if pair[1].kind == asked]
    else:
        asked = ""
    after = _place_of(request.GET.get("after", ""))
    page = _page(request, obj, sources, after)
    entries = _read(request, obj, dict(sources), page.places)
    names = Names(request, {ref for _s, entry in entries for ref in entry.refs()})
    actors = actor_names(request, (entry.actor for _source, entry in entries))
    oldest = page.places[-1] if page.more else None
    return {
        "entries": [_line(source, entry, names, actors) for source, entry in entries],
        "kinds": [(kind, label, kind == asked) for kind, label in kinds.items()],
        "asked": asked,
        "newest": after is not None,
        "older": urlencode({"kind": asked, "after": _written(oldest)})
        if oldest
        else "",
    }


def _page(
    request: HttpRequest,
    obj: Model,
    sources: list[tuple[int, Source]],
    after: Place | None,
) -> _Page:
    """Which entries the page shows: one statement."""
    arms = []
    for number, source in sources:
        rows = source.rows(request, obj).order_by()
        if after is not None:
            rows = rows.filter(_older(source, number, after))
        arms.append(
            rows.annotate(
                _at=F(source.at),
                _source=Value(number, IntegerField()),
            ).values_list("_at", "_source", "pk")
        )
    if not arms:
        return _Page()
    first, *others = arms
    found = first.union(*others, all=True).order_by("-_at", "_source", "-pk")
    places = list(found[: ENTRIES + 1])
    return _Page(places[:ENTRIES], len(places) > ENTRIES)


def _older(source: Source, number: int, after: Place) -> Q:
    """What comes after that place in the order of the list."""
    at, of_source, pk = after
    same = Q(**{source.at: at})
    older = Q(**{f"{source.at}__lt": at})
    if number > of_source:
        return older | same
    return older | same & Q(pk__lt=pk) if number == of_source else older


def _read(
    request: HttpRequest, obj: Model, sources: dict[int, Source], places: list[Place]
) -> list[tuple[Source, Entry]]:
    wanted: dict[int, list[int]] = defaultdict(list)
    for _at, number, pk in places:
        wanted[number].append(pk)
    told = {
        number: sources[number].tell(
            sources[number].rows(request, obj).filter(pk__in=pks)
        )
        for number, pks in wanted.items()
    }
    return [
        (sources[number], told[number][pk])
        for _at, number, pk in places
        if pk in told[number]
    ]


def _line(
    source: Source, entry: Entry, names: Names, actors: dict[str, str]
) -> dict[str, Any]:
    return {
        "at": entry.at,
        "who": actors[entry.actor],
        "actor": entry.actor,
        "kind": source.label,
        "subject": " ".join(names.text(part) for part in entry.subject if part != ""),
        "url": names.url(entry.about),
        "verb": entry.verb,
        "changes": [
            {"field": of, "before": names.text(before), "after": names.text(after)}
            for of, before, after in entry.changes
        ],
        "reason": entry.reason,
        "state": entry.state,
    }


def _written(place: Place) -> str:
    at, number, pk = place
    return f"{at.isoformat()}~{number}~{pk}"


def _place_of(text: str) -> Place | None:
    """The place that a link named; None for anything else."""
    at, number, pk = (*text.split("~"), "", "")[:3]
    try:
        moment = parse_datetime(at)
    except ValueError:
        return None
    if moment is None or moment.tzinfo is None:
        return None
    if not (number + pk).isascii() or not number.isdecimal() or not pk.isdecimal():
        return None
    return (moment, int(number[:9]), int(pk[:18]))


TIMELINE = Panel(
    "history",
    gettext_lazy("History"),
    "konzern/timeline.html",
    timeline_of,
    order=100,
)
