"""Endpoints for tests, and what became of their deliveries."""

import json
from datetime import timedelta
from typing import Any

from config.actors import SYSTEM
from integrations.models import (
    ApiClient,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookQueue,
)
from integrations.sequencing import sequence_events
from integrations.webhooks.endpoints import create_endpoint, settle_test
from integrations.webhooks.sending import Answer
from tests.factories import make_client

from .receivers import Received, Receiver

SCOPES = "events:read webhooks:write"


def make_endpoint(url: str, *, client: ApiClient | None = None, **fields: Any):
    """One that has answered its test just now: only what follows is told."""
    client = client or make_client(scopes=SCOPES, sees_all=True)
    endpoint = WebhookEndpoint(client=client, url=url, **fields)
    create_endpoint(endpoint, actor=SYSTEM)
    sequence_events()
    settle_test(endpoint, Answer(204))
    endpoint.refresh_from_db()
    assert endpoint.status == "ACTIVE"
    return endpoint


def told(receiver: Receiver) -> list[tuple[int | None, int]]:
    """Company and number of each message, in the order in which they came."""
    tests = [one.headers["webhook-id"].startswith("test") for one in receiver.received]
    pairs = zip(receiver.received, tests, strict=True)
    return [told_by(one) for one, is_test in pairs if not is_test]


def told_by(one: Received) -> tuple[int | None, int]:
    data = json.loads(one.body)["data"]
    return data["company"], data["number"]


def types_told(receiver: Receiver) -> list[str]:
    return [json.loads(one.body)["type"] for one in receiver.received]


def pass_time(**time: float) -> None:
    """As if so much time had passed for all that waits."""
    past = timedelta(**time)
    for row in WebhookQueue.objects.exclude(due_at=None):
        WebhookQueue.objects.filter(pk=row.pk).update(
            due_at=row.due_at - past,
            leased_until=row.leased_until and row.leased_until - past,
        )
    for endpoint in WebhookEndpoint.objects.exclude(rests_until=None):
        WebhookEndpoint.objects.filter(pk=endpoint.pk).update(
            rests_until=endpoint.rests_until - past
        )


def statuses() -> list[str]:
    rows = WebhookDelivery.objects.order_by("position")
    return list(rows.values_list("status", flat=True))
