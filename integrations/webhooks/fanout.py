"""Which events an endpoint is told: one delivery for each, in their order."""

from typing import Any

from django.db.models import Max, Min, Value
from django.utils import timezone

from config.bulk import insert_select
from config.db import in_transaction, locked, locked_if_free
from integrations.models import Event, WebhookDelivery, WebhookEndpoint, WebhookQueue

AT_ONCE = 1_000  # events that are looked at in one transaction

ONCE = "ON CONFLICT (endpoint_id, {}) DO NOTHING"


def fan_out() -> int:
    """Make deliveries of the next events, for each endpoint; how many events."""
    last = Event.objects.aggregate(last=Max("position"))["last"] or 0
    behind = WebhookEndpoint.objects.active().filter(position__lt=last)
    return sum(
        _fan_out_some(pk, last) for pk in list(behind.values_list("pk", flat=True))
    )


@in_transaction
def _fan_out_some(endpoint_id: int, last: int) -> int:
    """Some events for one endpoint; none if somebody else is at it."""
    active = WebhookEndpoint.objects.active().filter(pk=endpoint_id)
    endpoint = locked_if_free(active).select_related("client").first()
    if endpoint is None or not endpoint.may_be_sent_to:
        return 0
    later = Event.objects.filter(position__gt=endpoint.position, position__lte=last)
    first = later.aggregate(first=Min("position"))["first"]
    if first is None:
        return 0
    until = min(first + AT_ONCE - 1, last)
    make_deliveries(endpoint, first, until)
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(position=until)
    return until - endpoint.position


def make_deliveries(endpoint: WebhookEndpoint, first: int, last: int) -> Any:
    """One for each event between these positions that the endpoint is told.

    In a transaction, with the endpoint's row locked. What is there already stays.
    """
    events = endpoint.events().order_by()
    events = events.filter(position__gte=first, position__lte=last)
    insert_select(
        WebhookDelivery,
        [
            *("endpoint_id", "event_id", "stream", "position"),
            *("status", "attempts", "error", "response_text"),
        ],
        events.order_by("position").values_list(
            *(Value(endpoint.pk), "pk", "stream", "position"),
            *(Value("PENDING"), Value(0), Value(""), Value("")),
        ),
        on_conflict=ONCE.format("event_id"),
    )
    insert_select(
        WebhookQueue,
        ["endpoint_id", "stream", "lease"],
        events.values_list(Value(endpoint.pk), "stream", Value("")).distinct(),
        on_conflict=ONCE.format("stream"),
    )
    wake(endpoint, events)
    return events


def wake(endpoint: WebhookEndpoint, events: Any) -> None:
    """The queues of these events have something to send.

    Locked first, also those that are not empty: whoever settles one at this moment may
    be about to find it empty, without seeing what was added here.
    """
    streams = events.order_by().values("stream")
    queues = WebhookQueue.objects.filter(endpoint=endpoint, stream__in=streams)
    ids = [queue.pk for queue in locked(queues)]
    empty = WebhookQueue.objects.filter(pk__in=ids, due_at=None)
    empty.update(due_at=timezone.now())
