"""Rows of the same page: parts of what the page is about."""

from typing import Any

from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.functional import cached_property
from unfold.admin import StackedInline, TabularInline
from unfold.forms import PaginationInlineFormSet

from .forms import SEEN, KonzernForm
from .numbers import READERS_NUMBERS
from .sight import OfferSeen, seen


class RowsOfAPage(PaginationInlineFormSet):
    """Makes the form of a new row once: a page asks for it up to ten times."""

    @cached_property
    def empty_form(self) -> ModelForm:
        return super().empty_form


class KonzernInlineMixin(OfferSeen):
    """Each row carries the version that was seen, like the page itself."""

    form = KonzernForm
    formset = RowsOfAPage
    formfield_overrides = READERS_NUMBERS
    extra = 0
    per_page = 50
    tab = True
    order = 50

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        fields = list(super().get_fields(request, obj))
        return [*fields, SEEN] if SEEN not in fields else fields

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = seen(request, super().get_queryset(request))
        related = getattr(self, "list_select_related", ())
        return rows.select_related(*related).order_by("pk") if related else rows


class KonzernTabularInline(KonzernInlineMixin, TabularInline):
    show_title = False

    def formfield_for_dbfield(self, *args: Any, **kwargs: Any) -> Any:
        # The head of a column is no label of an input, for those who do not see it.
        field = super().formfield_for_dbfield(*args, **kwargs)
        if field is not None:
            field.widget.attrs.setdefault("aria-label", field.label)
        return field


class KonzernStackedInline(KonzernInlineMixin, StackedInline):
    pass


class ReadOnlyInline(TabularInline):
    """Rows that nobody edits here: a ledger, decisions, items of a request."""

    extra = 0
    can_delete = False
    show_title = False
    tab = True
    order = 50

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
