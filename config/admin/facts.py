"""What a page says at a glance on top, each fact with the tab that has more of it.

Each app adds its own, as it adds tabs to pages of others (panels.py).
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.functional import Promise


@dataclass(frozen=True, slots=True)
class Fact:
    """`value(request, obj)` is a number or a few words; None: nothing to say.

    The label of a number is an `npgettext_lazy("counted", one, several)`.

    `tab` is the slug of the tab it leads to, `permission` the right that its rows need.
    """

    label: str | Promise
    tab: str
    value: Callable[[HttpRequest, Any], Any]
    permission: str
    order: int = 50


_facts: dict[str, list[Fact]] = defaultdict(list)


def add_facts(label: str, *facts: Fact) -> None:
    """Add to the top of the page of a model ("app.Model")."""
    _facts[label.lower()].extend(facts)
    _facts[label.lower()].sort(key=lambda fact: fact.order)


def facts_of(request: HttpRequest, obj: Any) -> Iterator[dict[str, Any]]:
    for fact in _facts[obj._meta.label_lower]:
        if request.user.has_perm(fact.permission):
            value = fact.value(request, obj)
            if value is not None:
                counted = isinstance(value, int)
                label = fact.label % value if counted else fact.label
                yield {"label": label, "tab": fact.tab, "value": value}
