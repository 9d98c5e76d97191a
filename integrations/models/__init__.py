"""What other systems see of us: API clients, their keys, events, and webhooks."""

from .clients import ApiClient
from .events import Event, EventCounter
from .idempotency import IdempotencyRecord
from .rates import CallCount
from .staff import StaffChange
from .webhooks import WebhookDelivery, WebhookEndpoint, WebhookQueue

__all__ = [
    "ApiClient",
    "CallCount",
    "Event",
    "EventCounter",
    "IdempotencyRecord",
    "StaffChange",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookQueue",
]
