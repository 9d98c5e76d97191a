"""What all operations share in the OpenAPI document."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

from .serializers import ProblemSerializer


class KonzernSchema(AutoSchema):
    """Adds problem documents, If-Match, and the parameters that rows understand."""

    def get_override_parameters(self) -> list[OpenApiParameter]:
        parameters = list(super().get_override_parameters())
        shape = getattr(self.view, "shape", None)
        action = getattr(self.view, "action", None)
        if shape is not None and action in ("list", "retrieve"):
            parameters.append(
                OpenApiParameter(
                    "fields", description=f"Only these: {', '.join(shape.fields)}."
                )
            )
            if shape.expandable:
                names = ", ".join(shape.expandable)
                parameters.append(
                    OpenApiParameter(
                        "expand", description=f"Objects instead of ids: {names}."
                    )
                )
        if action in getattr(self.view, "confirm_on", ()):
            parameters.append(
                OpenApiParameter(
                    "confirm",
                    OpenApiTypes.BOOL,
                    description="Also if it leaves others stranded (409 otherwise).",
                )
            )
        if action in ("update", "partial_update", "destroy"):
            parameters.append(
                OpenApiParameter(
                    "If-Match",
                    location=OpenApiParameter.HEADER,
                    required=True,
                    description="The ETag that was read; 412 if it is out of date.",
                )
            )
        return parameters

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation = super().get_operation(*args, **kwargs)
        if operation is not None:
            component = self.resolve_serializer(ProblemSerializer, "response")
            operation["responses"]["default"] = {
                "description": "A refusal; `code` says which one.",
                "content": {"application/problem+json": {"schema": component.ref}},
            }
        return operation
