"""Endpoints of webhooks: where a client has events sent, and what became of them."""

from typing import Any

import django_filters
from django.db import transaction
from django.db.models import Model
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from config.api.etags import MAY_MATCH
from config.api.filters import IntegerFilter, StrictFilterSet, VisibleModelChoiceFilter
from config.api.serializers import EmptySerializer
from integrations.api.viewsets import (
    ClientViewSet,
    CreateMixin,
    DestroyMixin,
    ListMixin,
    RetrieveMixin,
    UpdateMixin,
)
from integrations.api.webhook_serializers import (
    DELIVERY,
    ENDPOINT,
    ReplayedSerializer,
    ReplaySerializer,
    WebhookDeliverySerializer,
    WebhookEndpointSerializer,
    WithSecretSerializer,
)
from integrations.event_types import TYPE_CHOICES
from integrations.models import WebhookDelivery, WebhookEndpoint
from integrations.webhooks import endpoints
from integrations.webhooks.messages import secret_of

SCOPE = "webhooks:write"


class WebhookEndpointViewSet(
    ListMixin, RetrieveMixin, CreateMixin, UpdateMixin, DestroyMixin, ClientViewSet
):
    """The client's own endpoints. A worker sends; no call here waits for a receiver."""

    queryset = WebhookEndpoint.objects.all()
    shape = ENDPOINT
    serializer_class = WebhookEndpointSerializer
    read_scope = SCOPE
    write_scope = SCOPE

    @extend_schema(
        summary="Make a webhook endpoint",
        description="201 with its `secret`, which is shown only now. It waits "
        "(`PENDING`) until a worker has sent it a signed message of the type "
        "`webhook.test` and it has answered with 2xx; see `test_result`. At most ten "
        "for each client: 409 `too_many_endpoints`.",
        responses={201: WithSecretSerializer},
    )
    def create(self, request: Request) -> Response:
        serializer = self.read_input()
        with transaction.atomic(), serializer.placing_errors():
            endpoint = WebhookEndpoint(client=self.client, **serializer.validated_data)
            endpoints.create_endpoint(endpoint, actor=self.actor)
            return self.answer(endpoint.pk, 201)

    def afterwards(self, response: Response) -> Response:
        """Adds the secret: no answer that is kept for an Idempotency-Key holds one."""
        if self.action in ("create", "rotate_secret"):
            endpoint = WebhookEndpoint.objects.get(pk=response.data["id"])
            response.data["secret"] = secret_of(endpoint.seed)
            response["Cache-Control"] = "no-store"
        return response

    def perform_update(self, serializer: Any) -> Model:
        return endpoints.update_endpoint(
            serializer.instance,
            actor=self.actor,
            expected_version=self.expected_version,
            **serializer.validated_data,
        )

    @extend_schema(
        summary="Test a webhook endpoint",
        description="A worker sends a signed `webhook.test`, once; `tested_at` and "
        "`test_result` say how it went. One that is `PENDING` becomes `ACTIVE` by it.",
        request=None,
        responses=WebhookEndpointSerializer,
    )
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: str) -> Response:
        endpoint = self.get_object()
        self.read_action(EmptySerializer)
        endpoints.ask_for_test(endpoint)
        return self.answer(endpoint.pk)

    @extend_schema(
        summary="Pause a webhook endpoint",
        description="What happens meanwhile waits, as long as events are kept.",
        request=None,
        responses=WebhookEndpointSerializer,
        parameters=[MAY_MATCH],
    )
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        return self._change(endpoints.pause_endpoint)

    @extend_schema(
        summary="Resume a webhook endpoint",
        description="It is tested; once it has answered it gets all that has waited.",
        request=None,
        responses=WebhookEndpointSerializer,
        parameters=[MAY_MATCH],
    )
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        return self._change(endpoints.resume_endpoint)

    @extend_schema(
        summary="Rotate the secret of a webhook endpoint",
        description="A new `secret`, shown only now. For 24 hours messages have two "
        "signatures, by the new secret and by the former one.",
        request=None,
        responses=WithSecretSerializer,
        parameters=[MAY_MATCH],
    )
    @action(detail=True, methods=["post"], url_path="rotate-secret")
    def rotate_secret(self, request: Request, pk: str) -> Response:
        return self._change(endpoints.rotate_secret)

    @extend_schema(
        summary="Replay events",
        description="Has all events from the position `first` to `last` sent (again), "
        "in order, as far as the endpoint is told them by its types and hierarchies of "
        "now. At most 10,000 positions in one call.",
        request=ReplaySerializer,
        responses={202: ReplayedSerializer},
    )
    @action(detail=True, methods=["post"])
    def replay(self, request: Request, pk: str) -> Response:
        endpoint = self.get_object()
        span = self.read_action(ReplaySerializer)
        waiting = endpoints.replay_range(endpoint, span["first"], span["last"])
        return Response({"waiting": waiting}, 202)

    def _change(self, service: Any) -> Response:
        endpoint = self.get_object()
        self.read_action(EmptySerializer)
        with transaction.atomic():
            service(endpoint, actor=self.actor, expected_version=self.version_if_given)
            return self.answer(endpoint.pk)


class WebhookDeliveryFilterSet(StrictFilterSet):
    endpoint = VisibleModelChoiceFilter(visible=WebhookEndpoint.objects.visible_to)
    company = IntegerFilter(field_name="stream")
    position = IntegerFilter()
    status = django_filters.ChoiceFilter(choices=WebhookDelivery.Status)
    type = django_filters.ChoiceFilter(field_name="event__type", choices=TYPE_CHOICES)

    class Meta:
        model = WebhookDelivery
        fields: list[str] = []


class WebhookDeliveryViewSet(ListMixin, RetrieveMixin, ClientViewSet):
    """Each event for each endpoint, newest first: when it was sent, and how that went.

    Kept as long as its event.
    """

    queryset = WebhookDelivery.objects.all()
    shape = DELIVERY
    serializer_class = WebhookDeliverySerializer
    filterset_class = WebhookDeliveryFilterSet
    read_scope = SCOPE
    write_scope = SCOPE
    default_ordering = ("-id",)
    http_method_names = ["get", "post", "head"]

    @extend_schema(
        summary="Replay a delivery",
        description="Sends a delivered event once more, under the same `webhook-id`. "
        "409 `not_delivered` if it waits anyway, `endpoint_not_active` if nothing is "
        "sent.",
        request=None,
        responses=WebhookDeliverySerializer,
    )
    @action(detail=True, methods=["post"])
    def replay(self, request: Request, pk: str) -> Response:
        delivery = self.get_object()
        self.read_action(EmptySerializer)
        endpoints.replay_delivery(delivery)
        return self.answer(delivery.pk)
