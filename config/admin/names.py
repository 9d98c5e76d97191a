"""Names in the place of ids: of rows, and of who did something."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext as _

type Naming = Callable[[HttpRequest, set[int]], dict[int, str]]


@dataclass(frozen=True, slots=True)
class Ref:
    """A row that is to be named by what it is called now."""

    model: type[models.Model]
    pk: int


class Names:
    """The names of some rows, as far as this person may see them; one query a model.

    They are read when they are shown: an erased person has the pseudonym everywhere.
    """

    def __init__(self, request: HttpRequest, refs: Iterable[Ref]) -> None:
        wanted: dict[type[models.Model], set[int]] = defaultdict(set)
        for ref in refs:
            wanted[ref.model].add(ref.pk)
        self._found = {
            Ref(model, pk): row
            for model, pks in wanted.items()
            for pk, row in _rows(request, model).in_bulk(pks).items()
        }

    def text(self, value: Any) -> str:
        """A name for a Ref; anything else as it is."""
        if not isinstance(value, Ref):
            return str(value)
        row = self._found.get(value)
        return _("no. %(id)s") % {"id": value.pk} if row is None else str(row)

    def url(self, about: Ref | models.Model | None) -> str:
        """The page of a row that is there and may be seen; "" of others."""
        if isinstance(about, Ref) and about not in self._found:
            return ""
        model = about.model if isinstance(about, Ref) else type(about)
        if about is None or not admin.site.is_registered(model):
            return ""
        return admin.site.get_model_admin(model).url_of("change", about.pk)


def _rows(request: HttpRequest, model: type[models.Model]) -> models.QuerySet:
    if not admin.site.is_registered(model):
        return model._base_manager.order_by()
    pages = admin.site.get_model_admin(model)
    rows, related = pages.get_queryset(request).order_by(), pages.list_select_related
    return rows.select_related(*related) if related else rows


# --- who did something: config.actors.Actor as text

_naming: dict[str, Naming] = {}


def name_actors(kind: str, naming: Naming) -> None:
    """Apps say how clients and contacts are called: "client:3/contact:12"."""
    _naming[kind] = naming


def actor_names(request: HttpRequest, actors: Iterable[str]) -> dict[str, str]:
    """What to call each of them; a query for each kind."""
    parts = {actor: _parts(actor) for actor in set(actors)}
    ids: dict[str, set[int]] = defaultdict(set)
    for part in parts.values():
        for kind, pk in part.items():
            ids[kind].add(pk)
    names = {
        kind: _naming[kind](request, pks)
        for kind, pks in ids.items()
        if kind in _naming
    }
    return {
        actor: _called(part, names) if part else actor for actor, part in parts.items()
    }


def _parts(actor: str) -> dict[str, int]:
    """ "client:3/contact:12" as {"client": 3, "contact": 12}; nothing of others."""
    pairs = [part.partition(":") for part in actor.split("/")]
    if not all(number.isdecimal() for _kind, _colon, number in pairs):
        return {}
    return {kind: int(number) for kind, _colon, number in pairs}


def _called(part: dict[str, int], names: dict[str, dict[int, str]]) -> str:
    called = [names.get(kind, {}).get(pk, f"{kind}:{pk}") for kind, pk in part.items()]
    if len(called) == 1:
        return called[0]
    return _("%(person)s, by %(client)s") % {"client": called[0], "person": called[-1]}


def _staff(request: HttpRequest, pks: set[int]) -> dict[int, str]:
    users = get_user_model()._base_manager.in_bulk(pks)
    return {pk: str(user) for pk, user in users.items()}


name_actors("staff", _staff)
