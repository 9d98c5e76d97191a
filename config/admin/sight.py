"""Which rows a member of staff sees: said once, for lists, pages, forms and files.

Who looks after some hierarchies only does not get to know of others: an object of
theirs answers like one that does not exist. `companies` knows who looks after what, and
says so by `sight_by()`; each queryset knows its rows (`visible_to()`). A queryset that
does not say has none for them.
"""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from config.errors import Forbidden


class OutsidePortfolio(Forbidden):
    """A change whose result the person would not see any more."""

    code = "outside_portfolio"
    default_message = _("It would be outside of the hierarchies that you look after.")


_makers: list[Callable[[Any], Any]] = []


def sight_by(make: Callable[[Any], Any]) -> None:
    """`make(user)` gives what `visible_to()` takes."""
    _makers[:] = [make]


def sight_of(request: HttpRequest) -> Any:
    """What the person of the request sees; read once per request."""
    if not hasattr(request, "_sight"):
        (make,) = _makers
        request._sight = make(request.user)
    return request._sight


def sees_all(request: HttpRequest) -> bool:
    return sight_of(request).sees_all_hierarchies


def seen(request: HttpRequest, rows: QuerySet) -> QuerySet:
    """Those of the rows that the person of the request sees."""
    if sees_all(request):
        return rows
    if not hasattr(rows, "visible_to"):
        return rows.none()
    return rows.visible_to(sight_of(request))


def rows_of(request: HttpRequest, model: type[Model]) -> QuerySet:
    """The rows that the person of the request gets to see on the model's own pages."""
    return admin.site.get_model_admin(model).get_queryset(request)


def may_see(request: HttpRequest, model: type[Model]) -> bool:
    return admin.site.get_model_admin(model).has_view_permission(request)


def offer_seen(request: HttpRequest, form: forms.BaseForm) -> None:
    """Let a form's choices be those that the person sees: others do not exist."""
    if sees_all(request):
        return
    for field in form.fields.values():
        if isinstance(field, forms.ModelChoiceField):
            field.queryset = seen(request, field.queryset)
            field.widget.choices = field.choices


class OfferSeen:
    """For pages and their inlines: foreign keys lead to what the person sees."""

    def get_field_queryset(
        self, db: str | None, db_field: Any, request: HttpRequest
    ) -> QuerySet | None:
        rows = super().get_field_queryset(db, db_field, request)
        if sees_all(request):
            return rows
        if rows is None:
            rows = db_field.remote_field.model._default_manager.using(db)
        return seen(request, rows)


def keep_in_sight(request: HttpRequest, obj: Any) -> None:
    """Refuse what has just been written if its author does not see it: rolled back."""
    rows = type(obj)._default_manager.filter(pk=obj.pk).order_by()
    if not sees_all(request) and not seen(request, rows).exists():
        raise OutsidePortfolio
