"""What all operations share in the OpenAPI document."""

from collections.abc import Iterable, Sequence
from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import (
    ResolvedComponent,
    force_instance,
    is_patched_serializer,
)
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.serializers import ChoiceField

from .etags import IF_MATCH
from .serializers import ProblemSerializer, StrictSerializer

# The largest numbers of columns; which one it is depends on the database.
COLUMN_LIMITS = {2**15 - 1, 2**31 - 1, 2**63 - 1}
ONLY = "The answer has only these, whatever its schema requires."
EXPANDED = "The answer has objects in place of these ids."


class KonzernSchema(AutoSchema):
    """Adds If-Match, keys, and the parameters that rows understand."""

    def get_override_parameters(self) -> list[OpenApiParameter]:
        parameters = list(super().get_override_parameters())
        parameters += [
            OpenApiParameter(name, OpenApiTypes.INT, OpenApiParameter.PATH)
            for name in getattr(self.view, "ids_in_path", ())
        ]
        shape = getattr(self.view, "shape", None)
        action = getattr(self.view, "action", None)
        if shape is not None and action in ("list", "retrieve"):
            parameters.append(_names("fields", shape.fields, ONLY))
            if shape.expandable:
                parameters.append(_names("expand", shape.expandable, EXPANDED))
        if action in getattr(self.view, "confirm_on", ()):
            parameters.append(
                OpenApiParameter(
                    "confirm",
                    OpenApiTypes.BOOL,
                    description="Also if it leaves others stranded (409 otherwise).",
                )
            )
        if action in ("update", "partial_update", "destroy"):
            parameters.append(IF_MATCH)
        if self.method == "POST" and action not in getattr(
            self.view, "without_effect", [action]
        ):
            parameters.append(
                OpenApiParameter(
                    "Idempotency-Key",
                    location=OpenApiParameter.HEADER,
                    required=action in self.view.key_required_for,
                    description="The same key and body again: no second effect, and "
                    "the first answer, for 7 days. 1 to 255 visible ASCII characters "
                    "without a comma.",
                )
            )
        return parameters

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> Any:
        serializer = force_instance(serializer)
        _tell_blanks(serializer)
        strict = isinstance(serializer, StrictSerializer)
        if strict and is_patched_serializer(serializer, direction):
            _tell_resets(serializer)
        described = super()._map_basic_serializer(serializer, direction)
        if not vars(type(serializer)).get("__doc__"):  # words about a base of ours
            described.pop("description", None)
        return described

    def _insert_field_validators(self, field: Any, schema: dict[str, Any]) -> None:
        super()._insert_field_validators(field, schema)
        if schema.get("maximum") in COLUMN_LIMITS:
            schema.pop("maximum")
            schema.pop("format", None)

    def _get_request_for_media_type(self, serializer: Any, *args: Any) -> Any:
        described, required = super()._get_request_for_media_type(serializer, *args)
        fixed = getattr(getattr(serializer, "Meta", None), "create_only_fields", ())
        if fixed and getattr(self.view, "action", None) == "update":
            described = self._replacement(described["$ref"], fixed)
        return described, required

    def _replacement(self, ref: str, fixed: Sequence[str]) -> dict[str, Any]:
        """For a PUT: what cannot be changed any more does not have to be sent."""
        name = f"{ref.rpartition('/')[2]}Replacement"
        whole = self.registry[ref.rpartition("/")[2], ResolvedComponent.SCHEMA].schema
        asked = [one for one in whole.get("required", ()) if one not in fixed]
        component = ResolvedComponent(
            name, ResolvedComponent.SCHEMA, whole | {"required": asked}, object=name
        )
        self.registry.register_on_missing(component)
        return component.ref

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation = super().get_operation(*args, **kwargs)
        if operation is not None:  # refusals refer to it
            self.resolve_serializer(ProblemSerializer, "response")
        return operation


def _tell_blanks(serializer: Any) -> None:
    """What is only read can be empty, too, where its column can."""
    model = getattr(getattr(serializer, "Meta", None), "model", None)
    blank = {one.name for one in model._meta.fields if one.blank} if model else set()
    for field in serializer.fields.values():
        choice = isinstance(field, ChoiceField) and field.read_only
        if choice and field.source in blank:
            field.allow_blank = True


def _tell_resets(serializer: Any) -> None:
    """In a PATCH, null gives what is not required the value of a new object."""
    fixed = getattr(getattr(serializer, "Meta", None), "create_only_fields", ())
    for name, field in serializer.fields.items():
        if not (field.read_only or field.required or name in fixed):
            field.allow_null = True
        if isinstance(field, StrictSerializer):
            field.partial = True


def _names(parameter: str, known: Iterable[str], text: str) -> OpenApiParameter:
    """Some of these names, separated by commas."""
    schema = {"type": "array", "items": {"enum": list(known)}, "minItems": 1}
    return OpenApiParameter(
        parameter, schema, style="form", explode=False, description=text
    )


def use_any_of(result: Any, **kwargs: Any) -> Any:
    """Alternatives of ours overlap: "" is a text and no address, null is anything."""
    match result:
        case dict():
            return {
                "anyOf" if name == "oneOf" else name: use_any_of(value)
                for name, value in result.items()
            }
        case list():
            return [use_any_of(value) for value in result]
    return result
