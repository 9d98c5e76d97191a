"""Filters: documented names only, typed values, ids only of what the client sees."""

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework.exceptions import ErrorDetail
from rest_framework.request import Request

from .errors import InvalidParameters, invalid_parameter

MAX_LENGTH = 200
WHOLE_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,17}", re.ASCII)


def check_parameters(request: Request, known: set[str]) -> None:
    """Refuse query parameters that nobody knows, that come twice or hold NUL."""
    for name, values in request.query_params.lists():
        if name not in known:
            text = "Unknown parameter."
            raise invalid_parameter(name[:100], text, "unknown_parameter")
        if len(values) > 1:
            raise invalid_parameter(name, "Give it once.", "repeated_parameter")
        if "\0" in values[0] or any("\ud800" <= c <= "\udfff" for c in values[0]):
            text = "The text has characters that cannot be stored."
            raise invalid_parameter(name, text, "unstorable_text")


def refuse_blanks(request: Request, names: Iterable[str]) -> None:
    """Nothing is no value: else `?under=` would list everything."""
    for name in names:
        if request.query_params.get(name) == "":
            text = "Give a value, or leave the parameter out."
            raise invalid_parameter(name, text, "required")


class IntegerFormField(forms.IntegerField):
    """ASCII digits that fit into a bigint; Django takes digits of all scripts."""

    def to_python(self, value: Any) -> int | None:
        if value in self.empty_values:
            return None
        if not WHOLE_NUMBER.fullmatch(str(value)):
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return int(value)


class StrictBooleanFormField(forms.Field):
    def to_python(self, value: Any) -> bool | None:
        match value:
            case None | "":
                return None
            case "true":
                return True
            case "false":
                return False
        raise ValidationError("true or false.", code="invalid")


class MomentFormField(forms.Field):
    """A moment in ISO 8601, with its zone."""

    def to_python(self, value: Any) -> datetime | None:
        if value in self.empty_values:
            return None
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
        # "2026-11-24T10:00:00Z"; a "+" that was not escaped arrives as a blank.
        if (
            moment is None
            or moment.tzinfo is None
            or len(value) < len("2026-11-24T10Z")
        ):
            text = "A moment in ISO 8601 with its zone, such as 2026-11-24T10:00:00Z."
            raise ValidationError(text, code="invalid")
        if not 2 <= moment.year <= 9998:  # in whatever zone, the database knows it
            raise ValidationError("The moment is out of range.", code="invalid")
        return moment


class VisibleChoiceFormField(forms.ModelChoiceField):
    """An id of something that the client sees; all other ids do not exist."""

    def to_python(self, value: Any) -> Any:
        if value in self.empty_values:
            return None
        found = None
        if re.fullmatch("[1-9][0-9]{0,17}", str(value), re.ASCII):
            found = self.queryset.filter(pk=int(value)).first()
        if found is None:
            raise ValidationError("There is no such object.", code="does_not_exist")
        return found

    def validate(self, value: Any) -> None:
        forms.Field.validate(self, value)


@extend_schema_field(OpenApiTypes.INT)
class IntegerFilter(django_filters.Filter):
    field_class = IntegerFormField


@extend_schema_field(OpenApiTypes.BOOL)
class BooleanFilter(django_filters.Filter):
    """true or false, and nothing else."""

    field_class = StrictBooleanFormField


class TextFilter(django_filters.CharFilter):
    """Text of at most 200 characters."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", MAX_LENGTH)
        super().__init__(*args, **kwargs)


@extend_schema_field(OpenApiTypes.DATETIME)
class MomentFilter(django_filters.Filter):
    field_class = MomentFormField


@extend_schema_field(OpenApiTypes.INT)
class VisibleModelChoiceFilter(django_filters.ModelChoiceFilter):
    """`visible`: a function of the client that returns what it may name.

    under = VisibleModelChoiceFilter(visible=Company.objects.visible_to, method=…)
    """

    field_class = VisibleChoiceFormField

    def __init__(
        self, *args: Any, visible: Callable[[Any], QuerySet], **kwargs: Any
    ) -> None:
        self.visible = visible
        # drf-spectacular asks for the model without a client.
        model = visible.__self__.model
        self._none = model._default_manager.none()
        super().__init__(*args, queryset=self._rows, **kwargs)

    def _rows(self, request: Request | None) -> QuerySet:
        client = getattr(getattr(request, "auth", None), "application", None)
        return self._none if client is None else self.visible(client)


class StrictFilterSet(django_filters.FilterSet):
    """The base of all filters: one form for each value, whatever Meta.fields names."""

    FILTER_DEFAULTS = django_filters.FilterSet.FILTER_DEFAULTS | {
        models.CharField: {"filter_class": TextFilter},
        models.TextField: {"filter_class": TextFilter},
        models.BooleanField: {"filter_class": BooleanFilter},
        models.IntegerField: {"filter_class": IntegerFilter},
        models.PositiveIntegerField: {"filter_class": IntegerFilter},
        models.PositiveBigIntegerField: {"filter_class": IntegerFilter},
        models.BigIntegerField: {"filter_class": IntegerFilter},
    }

    def __init__(self, data: Any = None, *args: Any, **kwargs: Any) -> None:
        # Only what was asked for: django-filter copies all its filters, deeply, for
        # each call, which costs more than reading the page.
        asked = data or {}
        self.base_filters = {
            name: one for name, one in type(self).base_filters.items() if name in asked
        }
        super().__init__(data, *args, **kwargs)


class StrictFilterBackend(DjangoFilterBackend):
    """Names the parameter that is wrong, instead of a place in the body."""

    def filter_queryset(self, request: Request, queryset: QuerySet, view: Any) -> Any:
        filterset = self.get_filterset(request, queryset, view)
        if filterset is None or not filterset.filters:
            return queryset
        refuse_blanks(request, filterset.filters)
        if not filterset.is_valid():
            raise InvalidParameters(
                {
                    name: [
                        ErrorDetail(" ".join(error.messages), error.code or "invalid")
                        for error in errors.as_data()
                    ]
                    for name, errors in filterset.errors.items()
                }
            )
        return filterset.qs
