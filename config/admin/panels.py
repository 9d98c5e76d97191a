"""Tabs of a page that only show something, also what higher apps know of its subject.

The page of a company shows its groups and limits, of which companies knows nothing:
groups and approvals extend the page by its model's label, and import no other admin.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from django.db import models
from django.http import HttpRequest
from django.utils.functional import Promise

type Content = Callable[[HttpRequest, Any], dict[str, Any]]


@dataclass(frozen=True)
class Panel:
    """A tab with a table, filled by `content(request, obj)`; nothing can be edited.

    `permission` is the one that its rows need. `order` places it among the tabs.
    """

    slug: str
    title: str | Promise
    template: str
    content: Content
    permission: str | None = None
    order: int = 50


class PanelFormset:
    """As much of an empty formset as Django and unfold ask of each tab."""

    max_num = None
    errors: list[Any] = []

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def is_multipart(self) -> bool:
        return False


class ShownPanel:
    """A panel in the place of an inline, as far as pages look at inlines."""

    has_add_permission = False
    has_change_permission = False
    has_delete_permission = False
    has_view_permission = True

    def __init__(self, panel: Panel, content: dict[str, Any]) -> None:
        self.content = content
        self.formset = PanelFormset(panel.slug)
        self.opts = SimpleNamespace(
            tab=True,
            template=panel.template,
            verbose_name_plural=panel.title,
            show_count=False,
            order=panel.order,
        )

    def __iter__(self) -> Iterator[Any]:
        return iter(())  # no forms


_extensions: dict[str, list[Any]] = {}


def extend(label: str, *parts: Any) -> None:
    """Add panels and inlines of a higher app to the page of a model ("app.Model")."""
    _extensions.setdefault(label.lower(), []).extend(parts)


def extensions_of(model: type[models.Model]) -> list[Any]:
    return _extensions.get(model._meta.label_lower, [])
