"""What is done with an endpoint: made, tested, paused, resumed, its events replayed.

An endpoint is sent nothing but a signed test until it has answered one with 2xx. So is
one whose address was changed, or that was paused.
"""

import logging
from collections.abc import Collection
from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, mailers
from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from config.actors import SYSTEM, Actor
from config.db import in_transaction, locked
from config.errors import DomainError, StaleVersion
from integrations.models import (
    ApiClient,
    Event,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookQueue,
)
from integrations.models.webhooks import WebhookDeliveryQuerySet, make_seed

from .fanout import make_deliveries, wake
from .messages import Message, headers_of, secret_of, secrets_of, test_body
from .sending import Answer, Line

MOST_ENDPOINTS = 10  # of a client
MOST_REPLAYED = 10_000  # positions in one call
ROTATION = timedelta(hours=24)  # in which the former secret signs, too
TESTING = timedelta(seconds=60)  # in which a test is somebody's

Status, Reason = WebhookEndpoint.Status, WebhookEndpoint.Reason
logger = logging.getLogger(__name__)


class TooManyEndpoints(DomainError):
    """A client has at most ten; `details` has the number."""

    code = "too_many_endpoints"
    default_message = _("The client has as many endpoints as it may have.")


class EndpointNotActive(DomainError):
    """Only an active endpoint is told of past events; `details` has its status."""

    code = "endpoint_not_active"
    default_message = _("The endpoint is not active.")


class NotDelivered(DomainError):
    """What waits to be delivered needs no replay."""

    code = "not_delivered"
    default_message = _("The event was not delivered yet: it is tried again anyway.")


@transaction.atomic
def create_endpoint(endpoint: WebhookEndpoint, *, actor: Actor) -> str:
    """Store a new endpoint and have it tested; its secret, which is shown only now.

    Raises ValidationError, TooManyEndpoints.
    """
    locked(ApiClient.objects.filter(pk=endpoint.client_id)).get()
    count = WebhookEndpoint.objects.filter(client=endpoint.client_id).count()
    if count >= MOST_ENDPOINTS:
        raise TooManyEndpoints(endpoints=count)
    endpoint.full_clean()
    endpoint.status, endpoint.reason = Status.PENDING, ""
    endpoint.test_due_at = timezone.now()
    endpoint.by(actor).save()
    return secret_of(endpoint.seed)


@transaction.atomic
def update_endpoint(
    endpoint: WebhookEndpoint, *, actor: Actor, expected_version: int, **changes: Any
) -> WebhookEndpoint:
    """Change address, description, types or hierarchies; another address is tested.

    Raises ValidationError, StaleVersion.
    """
    endpoint = _lock(endpoint, expected_version)
    changed = {n for n, value in changes.items() if getattr(endpoint, n) != value}
    if not changed:
        return endpoint
    for name in changed:
        setattr(endpoint, name, changes[name])
    endpoint.full_clean()
    store_change(endpoint, changed, actor=actor)
    return endpoint


def store_change(
    endpoint: WebhookEndpoint, changed: Collection[str], *, actor: Actor
) -> None:
    """Save what was changed; what was sent to the former address proves nothing."""
    if "url" in changed and endpoint.status != Status.PAUSED:
        endpoint.status = Status.PENDING
        endpoint.test_due_at = timezone.now()
    endpoint.by(actor).save()


@transaction.atomic
def ask_for_test(endpoint: WebhookEndpoint) -> None:
    """Have a worker send a signed test; see `tested_at` and `test_result`."""
    rows = WebhookEndpoint.objects.filter(pk=endpoint.pk)
    rows.update(test_due_at=timezone.now())


@transaction.atomic
def pause_endpoint(
    endpoint: WebhookEndpoint,
    *,
    actor: Actor,
    reason: str = Reason.ASKED,
    expected_version: int | None = None,
) -> WebhookEndpoint:
    """Send nothing more; what is to be sent waits. Raises StaleVersion.

    One that is paused already stays so, for the reason it has.
    """
    endpoint = _lock(endpoint, expected_version)
    if endpoint.status == Status.PAUSED:
        return endpoint
    endpoint.status, endpoint.reason, endpoint.test_due_at = (
        Status.PAUSED,
        reason,
        None,
    )
    endpoint.by(actor, str(reason)).save()
    if actor == SYSTEM:
        transaction.on_commit(partial(_notice, endpoint))
    return endpoint


@transaction.atomic
def resume_endpoint(
    endpoint: WebhookEndpoint, *, actor: Actor, expected_version: int | None = None
) -> WebhookEndpoint:
    """Have it tested; if it answers, it is active again and gets all that waits."""
    endpoint = _lock(endpoint, expected_version)
    if endpoint.status == Status.PAUSED:
        endpoint.status, endpoint.reason = Status.PENDING, ""
        endpoint.test_due_at = timezone.now()
        endpoint.by(actor).save()
    else:
        ask_for_test(endpoint)
    return endpoint


@transaction.atomic
def rotate_secret(
    endpoint: WebhookEndpoint, *, actor: Actor, expected_version: int | None = None
) -> str:
    """A new secret, shown only now; for 24 h the former one signs, too."""
    endpoint = _lock(endpoint, expected_version)
    endpoint.former_seed, endpoint.seed = endpoint.seed, make_seed()
    endpoint.former_until = timezone.now() + ROTATION
    endpoint.by(actor, "rotated").save()
    return secret_of(endpoint.seed)


@in_transaction
def replay_delivery(delivery: WebhookDelivery) -> None:
    """Send an event once more, as soon as its queue comes to it.

    Raises EndpointNotActive, NotDelivered.
    """
    endpoint = _lock_active(delivery.endpoint_id)
    rows = WebhookDelivery.objects.filter(pk=delivery.pk)
    if not _send_again(rows):
        raise NotDelivered(status=delivery.status)
    wake(endpoint, rows)


@in_transaction
def replay_range(endpoint: WebhookEndpoint, first: int, last: int) -> int:
    """Send all events between two positions, both included; how many.

    Those that the endpoint is told by its types and hierarchies of now, also if it was
    not active when they happened. At most 10,000 positions. Raises EndpointNotActive.
    """
    endpoint = _lock_active(endpoint.pk)
    last = min(last, endpoint.position)  # what comes later is told anyway
    events = make_deliveries(endpoint, first, last)
    rows = WebhookDelivery.objects.filter(endpoint=endpoint, event__in=events)
    _send_again(rows)
    wake(endpoint, events)
    return rows.undelivered().count()


def _send_again(rows: WebhookDeliveryQuerySet) -> int:
    delivered = rows.filter(status=WebhookDelivery.Status.DELIVERED)
    status = WebhookDelivery.Status.PENDING
    return delivered.update(status=status, attempts=0, next_try_at=None)


def _lock(endpoint: WebhookEndpoint, expected_version: int | None) -> WebhookEndpoint:
    row = locked(WebhookEndpoint.objects.filter(pk=endpoint.pk)).get()
    if expected_version is not None and row.version != expected_version:
        raise StaleVersion(version=row.version)
    return row


def _lock_active(pk: int) -> WebhookEndpoint:
    rows = WebhookEndpoint.objects.filter(pk=pk).select_related("client")
    endpoint = locked(rows).get()
    if endpoint.status != Status.ACTIVE:
        raise EndpointNotActive(status=endpoint.status)
    return endpoint


def _notice(endpoint: WebhookEndpoint) -> None:
    """Say that nobody gets these events any more, to whoever can do something."""
    reason = endpoint.get_reason_display()
    logger.warning("Webhook endpoint %d is paused: %s.", endpoint.pk, reason)
    if not settings.WEBHOOK_NOTICE_EMAIL:
        return
    mail = EmailMessage(
        subject=f"Webhook endpoint {endpoint.pk} is paused",
        body=f"{endpoint.url}\n{reason}.\n\nIts events wait until it is resumed.",
        to=[settings.WEBHOOK_NOTICE_EMAIL],
    )
    try:
        mailers.default.send_messages([mail])
    except OSError:
        logger.exception("The notice of endpoint %d was not sent.", endpoint.pk)


# --- tests


def take_test(endpoint: WebhookEndpoint) -> bool:
    """Whether this test is ours to send; if we die, it is due again after a minute."""
    rows = WebhookEndpoint.objects.filter(
        pk=endpoint.pk, test_due_at=endpoint.test_due_at
    )
    endpoint.test_due_at = timezone.now() + TESTING
    return bool(rows.update(test_due_at=endpoint.test_due_at))


def send_test(endpoint: WebhookEndpoint) -> Answer:
    """A signed message that means nothing; no database here."""
    at = timezone.now()
    name = f"test_{endpoint.pk}_{int(at.timestamp() * 1000)}"
    message = Message(name, test_body(endpoint.pk, at))
    line = Line(endpoint.url)
    try:
        secrets = secrets_of(endpoint.seeds(at))
        return line.post(message.body, headers_of(message, secrets, at))
    finally:
        line.close()


@in_transaction
def settle_test(tested: WebhookEndpoint, answer: Answer) -> None:
    """Note the answer; if it is good, an endpoint that waited for it becomes active."""
    rows = WebhookEndpoint.objects.filter(pk=tested.pk, test_due_at=tested.test_due_at)
    endpoint = locked(rows).first()
    if endpoint is None or endpoint.url != tested.url:
        return  # asked for anew meanwhile, or another address, or gone
    result = answer.error or str(answer.status)
    rows = WebhookEndpoint.objects.filter(pk=endpoint.pk)
    rows.update(test_due_at=None, tested_at=timezone.now(), test_result=result)
    if answer.is_good and endpoint.status == Status.PENDING:
        _activate(endpoint)


def _activate(endpoint: WebhookEndpoint) -> None:
    """From now on it is told all that happens, after what has waited."""
    if endpoint.position is None:
        last = Event.objects.aggregate(last=Max("position"))["last"] or 0
        rows = WebhookEndpoint.objects.filter(pk=endpoint.pk)
        rows.update(position=last, rests_until=None)
    endpoint.status, endpoint.test_due_at = Status.ACTIVE, None
    endpoint.by(SYSTEM, "tested").save()
    failing = WebhookDelivery.objects.filter(
        endpoint=endpoint, status=WebhookDelivery.Status.FAILING
    )
    failing.update(status=WebhookDelivery.Status.PENDING, attempts=0, next_try_at=None)
    waiting = WebhookQueue.objects.filter(endpoint=endpoint, due_at__isnull=False)
    ids = [queue.pk for queue in locked(waiting)]
    WebhookQueue.objects.filter(pk__in=ids).update(due_at=timezone.now())
