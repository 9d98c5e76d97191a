"""Deliveries of one company to one endpoint: taken, sent in order, settled.

A worker leases some queues of an endpoint, sends what is first in each, one message
after the other over one connection, and stores what became of them. If it dies in
between, the lease ends and others send the same messages again: at least once, always
in order. A message that is not received holds up its own queue and no other.
"""

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic

from django.db import connection, transaction
from django.db.models import Case, DateTimeField, Exists, OuterRef, Value, When
from django.utils import timezone

from config.db import in_transaction, locked, locked_if_free
from integrations.models import WebhookDelivery, WebhookEndpoint, WebhookQueue

from .messages import Message, event_body, event_id, headers_of, secrets_of
from .sending import Answer, Line

QUEUES = 16  # of one endpoint, that are taken at once
MESSAGES = 100  # of them all
# No message is begun later than this after the lease; one takes 15 s at most, with a
# slow look-up of the name up to 45 s. So whoever still sends still has the lease.
SENDING = timedelta(seconds=10)
LEASE = timedelta(seconds=60)

# Between tries: 10 tries over 75 h, as Standard Webhooks recommends.
GAPS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
MOST_ATTEMPTS = len(GAPS) + 1
JITTER = 0.1  # of a gap, more or less: not all at the same moment
LONGEST = timedelta(hours=24)  # that a receiver may ask us to wait
REST = timedelta(seconds=30)  # of an endpoint that gave no answer at all


@dataclass(slots=True)
class Taken:
    """A queue in hand, with its first messages."""

    pk: int
    stream: int
    messages: list[Message]


@dataclass(slots=True)
class Bundle:
    """Some queues of an endpoint, leased to us."""

    endpoint: int
    url: str
    seeds: Sequence[str]
    lease: str
    queues: list[Taken]
    begun: float = field(default_factory=monotonic)


@dataclass(frozen=True, slots=True)
class Try:
    """A message that was sent, and what became of it."""

    queue: int
    message: Message
    answer: Answer
    at: datetime


def take(endpoint: WebhookEndpoint) -> Bundle | None:
    """Lease some of the endpoint's queues that are due; None if none is."""
    lease = uuid.uuid4().hex
    with transaction.atomic():
        now = timezone.now()
        # What the client does not see any more is not sent, though it waits.
        due = WebhookQueue.objects.due(now).visible_to(endpoint.client)
        rows = locked_if_free(due.filter(endpoint=endpoint))
        queues = list(rows.order_by("due_at", "pk")[:QUEUES])
        if not queues:
            return None
        ids = [queue.pk for queue in queues]
        values = {"lease": lease, "leased_until": now + LEASE}
        WebhookQueue.objects.filter(pk__in=ids).update(**values)
    bundle = Bundle(endpoint.pk, endpoint.url, endpoint.seeds(now), lease, [])
    room = MESSAGES
    for queue in queues:
        messages = _first_of(queue, room)
        bundle.queues.append(Taken(queue.pk, queue.stream, messages))
        room -= len(messages)
    return bundle


def _first_of(queue: WebhookQueue, most: int) -> list[Message]:
    rows = WebhookDelivery.objects.undelivered().filter(
        endpoint=queue.endpoint_id, stream=queue.stream
    )
    found = rows.order_by("position").values_list(
        *("pk", "attempts", "position", "stream"),
        *("event__number", "event__type", "event__subject_id", "event__occurred_at"),
    )
    return [
        Message(
            event_id(position),
            event_body(
                event_type,
                at,
                position=position,
                stream=stream,
                number=number,
                subject=subject,
            ),
            pk,
            attempts,
        )
        for pk, attempts, position, stream, number, event_type, subject, at in found[
            :most
        ]
    ]


def send(bundle: Bundle) -> list[Try]:
    """Send the messages of each queue until one is not received; no database here.

    An endpoint that gives no answer at all is left alone with the rest of the bundle.
    """
    tries: list[Try] = []
    secrets = secrets_of(bundle.seeds)
    line = Line(bundle.url)
    try:
        for queue in bundle.queues:
            for message in queue.messages:
                if monotonic() - bundle.begun > SENDING.total_seconds():
                    return tries
                at = timezone.now()
                answer = line.post(message.body, headers_of(message, secrets, at))
                tries.append(Try(queue.pk, message, answer, at))
                if answer.status is None or answer.is_gone:
                    return tries
                if not answer.is_good:
                    break
    finally:
        line.close()
    return tries


@in_transaction
def settle(bundle: Bundle, tries: Sequence[Try]) -> int:
    """Store what became of the messages, and give the queues back; how many are there.

    Only for queues whose lease is still ours: others have gone on with the rest.
    """
    queues = WebhookQueue.objects.filter(
        pk__in=[queue.pk for queue in bundle.queues], lease=bundle.lease
    )
    ours = {queue.pk: queue for queue in locked(queues)}
    tries = [one for one in tries if one.queue in ours]
    failed = {one.queue: next_try(one) for one in tries if not one.answer.is_good}
    _store(tries, failed)
    _give_back(ours, failed)
    return sum(one.answer.is_good for one in tries)


def _store(tries: Sequence[Try], failed: dict[int, datetime]) -> None:
    table = WebhookDelivery._meta.db_table
    moment = connection.ops.adapt_datetimefield_value
    good, bad = WebhookDelivery.Status.DELIVERED, WebhookDelivery.Status.FAILING
    rows = [
        (
            str(good if one.answer.is_good else bad),
            moment(one.at),
            None if one.answer.is_good else moment(failed[one.queue]),
            one.answer.status,
            one.answer.error,
            "" if one.answer.is_good else one.answer.text,
            one.message.delivery,
        )
        for one in tries
    ]
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.executemany(
            f"UPDATE {table} SET status = %s, attempts = attempts + 1, "  # noqa: S608
            "tried_at = %s, next_try_at = %s, response_status = %s, error = %s, "
            "response_text = %s WHERE id = %s",
            rows,
        )


def _give_back(ours: dict[int, WebhookQueue], failed: dict[int, datetime]) -> None:
    """Due at the next try, now if there is more, or never: empty."""
    rest = WebhookDelivery.objects.undelivered().filter(
        endpoint=OuterRef("endpoint"), stream=OuterRef("stream")
    )
    due = [When(pk=pk, then=Value(at, DateTimeField())) for pk, at in failed.items()]
    now = Value(timezone.now(), DateTimeField())
    WebhookQueue.objects.filter(pk__in=ours).update(
        lease="",
        leased_until=None,
        due_at=Case(*due, When(Exists(rest), then=now), default=None),
    )


def next_try(one: Try) -> datetime:
    """When a message that was not received is sent again: later with each try.

    Not before the time that the receiver asked for (`Retry-After` of 429 and 503).
    """
    gap = GAPS[min(one.message.attempts, len(GAPS) - 1)]
    gap *= random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  (no secret)
    asked = timedelta(seconds=one.answer.retry_after)
    return one.at + max(gap, min(asked, LONGEST))


def is_given_up(one: Try) -> bool:
    return not one.answer.is_good and one.message.attempts + 1 >= MOST_ATTEMPTS
