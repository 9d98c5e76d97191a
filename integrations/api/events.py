"""The endpoint of events: everything that happened, in one order."""

from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from config.api.filters import IntegerFilter, StrictFilterSet
from config.api.pagination import Key, KeysetPagination
from config.api.rows import Shape, made
from integrations.api.viewsets import ClientViewSet
from integrations.event_types import EVENT_SCHEMA, TYPE_CHOICES
from integrations.models import Event
from integrations.sequencing import sequence_for_reader


def company_of(stream: int) -> int | None:
    """A stream is a company, or 0 for changes of no company."""
    return stream or None


EVENT = Shape(
    "position",
    "number",
    "type",
    "occurred_at",
    company=made(company_of, "stream"),
    subject="subject_id",
)


class ByPosition(KeysetPagination):
    """Events have one order, that of their positions, which are unique."""

    parameters = ("cursor", "page_size", "count")

    def keys(self, *args: Any) -> tuple[Key, ...]:
        return (Key("position", descending=False, nullable=False),)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        described = super().get_schema_operation_parameters(view)
        return [one for one in described if one["name"] in self.parameters]


class EventFilterSet(StrictFilterSet):
    after = IntegerFilter(
        field_name="position",
        lookup_expr="gt",
        help_text="The position of the last event that you have.",
    )
    company = IntegerFilter(field_name="stream", help_text="Events of this company.")
    type = django_filters.ChoiceFilter(choices=TYPE_CHOICES)

    class Meta:
        model = Event
        fields: list[str] = []


class EventSerializer(serializers.ModelSerializer):
    position = serializers.IntegerField(
        help_text=EVENT_SCHEMA["properties"]["position"]["description"]
    )
    company = serializers.IntegerField(
        allow_null=True, help_text=EVENT_SCHEMA["properties"]["company"]["description"]
    )
    subject = serializers.IntegerField(
        help_text=EVENT_SCHEMA["properties"]["subject"]["description"]
    )

    class Meta:
        model = Event
        fields = ["position", "company", "number", "type", "subject", "occurred_at"]


class EventViewSet(ClientViewSet):
    """Every committed change, each exactly once, in the order of `position`.

    Kept for 30 days at least. Ask again with `?after=` the last position that you have;
    nothing comes later with a lower one.
    """

    queryset = Event.objects.told()
    shape = EVENT
    serializer_class = EventSerializer
    filterset_class = EventFilterSet
    pagination_class = ByPosition
    read_scope = "events:read"
    default_ordering = ("position",)
    http_method_names = ["get", "head"]

    @extend_schema(summary="Read events")
    def list(self, request: Request) -> Response:
        sequence_for_reader()
        return self.page()
