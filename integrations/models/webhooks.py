"""Webhooks: where events are sent, what is to be sent there, and what became of it."""

import secrets
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Self

from django.core.exceptions import ValidationError
from django.db import models, router, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from config.history import track_history
from integrations.event_types import EVENT_TYPES
from integrations.sight import Viewer
from integrations.webhooks.addresses import parse_target

from .clients import ApiClient
from .events import Event, OfStreams
from .versions import Versioned

# What people and clients change. All else is the worker's, which changes it meanwhile.
CHANGED = (
    "url",
    "description",
    "types",
    "hierarchies",
    "status",
    "reason",
    "seed",
    "former_seed",
    "former_until",
    "test_due_at",
)
WORKER = ("position", "test_due_at", "tested_at", "test_result", "rests_until")
SECRET = ("seed", "former_seed", "former_until")
MOST_HIERARCHIES = 100


def make_seed() -> str:
    return secrets.token_hex(32)


class WebhookEndpointQuerySet(models.QuerySet["WebhookEndpoint"]):
    def visible_to(self, viewer: Viewer) -> Self:
        """A client's own, whatever it sees. Staff have none."""
        own = isinstance(viewer, ApiClient)
        return self.filter(client=viewer.pk) if own else self.none()

    def active(self) -> Self:
        return self.filter(status=WebhookEndpoint.Status.ACTIVE, client__is_active=True)


class WebhookEndpoint(Versioned):
    """An address to which a client has events sent, of some types and hierarchies."""

    class Status(models.TextChoices):
        PENDING = "PENDING", _("Waits for its test")
        ACTIVE = "ACTIVE", _("Active")
        PAUSED = "PAUSED", _("Paused")

    class Reason(models.TextChoices):
        """Why it is paused."""

        ASKED = "ASKED", _("Somebody paused it")
        GIVEN_UP = "GIVEN_UP", _("A message was not received, however often tried")
        GONE = "GONE", _("The receiver said 410: send nothing more")

    client = models.ForeignKey(
        ApiClient,
        verbose_name=_("API client"),
        on_delete=models.CASCADE,
        related_name="webhook_endpoints",
    )
    url = models.CharField(_("address"), max_length=500)
    description = models.CharField(_("description"), max_length=200, blank=True)
    types = models.JSONField(
        _("types"), default=list, blank=True, help_text=_("Empty: all types.")
    )
    # Not a relation: were it empty after a company's deletion, it would mean all.
    hierarchies = models.JSONField(
        _("hierarchies"),
        default=list,
        blank=True,
        help_text=_(
            "Ids of companies: these and all below them, as far as the client sees "
            "them. Empty: all that the client sees."
        ),
    )
    status = models.CharField(
        _("status"), max_length=7, choices=Status, default=Status.PENDING
    )
    reason = models.CharField(
        _("reason"), max_length=8, choices=Reason, blank=True, default=""
    )
    seed = models.CharField(max_length=64, default=make_seed, editable=False)
    former_seed = models.CharField(max_length=64, blank=True, editable=False)
    former_until = models.DateTimeField(null=True, editable=False)
    position = models.PositiveBigIntegerField(
        _("position"),
        null=True,
        editable=False,
        help_text=_("Up to this event deliveries have been made."),
    )
    test_due_at = models.DateTimeField(_("test due"), null=True, editable=False)
    tested_at = models.DateTimeField(_("tested"), null=True, editable=False)
    test_result = models.CharField(_("test"), max_length=32, blank=True, editable=False)
    rests_until = models.DateTimeField(_("rests until"), null=True, editable=False)

    history = track_history(excluded=SECRET + WORKER)
    objects = WebhookEndpointQuerySet.as_manager()

    class Meta:
        verbose_name = _("webhook endpoint")
        verbose_name_plural = _("webhook endpoints")
        ordering = ["id"]

    def __str__(self) -> str:
        return self.url

    def save(
        self,
        *,
        using: str | None = None,
        force_insert: Any = False,
        update_fields: Iterable[str] | None = None,
    ) -> None:
        using = using or router.db_for_write(type(self), instance=self)
        with transaction.atomic(using=using):
            if self._state.adding:
                super().save(using=using, force_insert=force_insert)
            else:
                self.save_version(using, update_fields or CHANGED)

    def clean(self) -> None:
        super().clean()
        errors = {}
        for name, check in (
            ("url", lambda: parse_target(self.url)),
            ("types", self._check_types),
            ("hierarchies", self._check_hierarchies),
        ):
            try:
                check()
            except ValidationError as error:
                errors[name] = error
        if errors:
            raise ValidationError(errors)

    def _check_types(self) -> None:
        if not _is_list_of(self.types, str):
            raise ValidationError(_("Give a list of types."), code="not_a_list")
        if unknown := sorted(set(self.types) - EVENT_TYPES.keys()):
            message = _("There is no such type: %(types)s.")
            params = {"types": ", ".join(unknown)[:100]}
            raise ValidationError(message, code="unknown_type", params=params)
        self.types = sorted(set(self.types))

    def _check_hierarchies(self) -> None:
        if self.client_id is None:
            return  # an error of its own
        if not _is_list_of(self.hierarchies, int):
            raise ValidationError(_("Give a list of ids."), code="not_a_list")
        ids = set(self.hierarchies)
        if len(ids) > MOST_HIERARCHIES or not all(0 < pk < 2**63 for pk in ids):
            raise _no_such_company()
        stored = type(self).objects.filter(pk=self.pk).values_list("hierarchies")
        new = ids - {pk for (known,) in stored for pk in known}  # deleted ones stay
        seen = self.client.visible_companies().order_by().filter(pk__in=new)
        if seen.count() < len(new):
            raise _no_such_company()
        self.hierarchies = sorted(ids)

    @property
    def may_be_sent_to(self) -> bool:
        """Whether staff still allow it to its client; asked each time."""
        scopes = self.client.allowed_scopes.split()
        return self.client.is_active and "webhooks:write" in scopes

    def seeds(self, at: datetime | None = None) -> list[str]:
        """Of the secrets that count now: after a rotation the former one, too."""
        now = at or timezone.now()
        former = self.former_until is not None and self.former_until > now
        return [self.seed, self.former_seed] if former else [self.seed]

    def events(self) -> Any:
        """The events that this endpoint is told, by what its client sees now."""
        rows = Event.objects.told().visible_to(self.client)
        if self.types:
            rows = rows.filter(type__in=self.types)
        if self.hierarchies:
            companies = type(self.client).allowed_hierarchies.rel.model.objects
            chosen = companies.under_any(self.hierarchies)
            # The second: of a head company that is gone only its events are left.
            rows = rows.of_companies(chosen) | rows.filter(stream__in=self.hierarchies)
        return rows


def _is_list_of(value: Any, kind: type) -> bool:
    return isinstance(value, list) and all(type(item) is kind for item in value)


def _no_such_company() -> ValidationError:
    return ValidationError(_("There is no such object."), code="does_not_exist")


class WebhookQueueQuerySet(OfStreams, models.QuerySet["WebhookQueue"]):
    def due(self, at: datetime) -> Self:
        """What has something to be sent, and nobody at work on it."""
        free = Q(leased_until=None) | Q(leased_until__lt=at)
        return self.filter(free, due_at__lte=at)


class WebhookQueue(models.Model):
    """The deliveries of one company's events to one endpoint: sent one after the other.

    Whoever has leased it is the only one to send from it. A lease ends by itself, so
    that a worker that dies holds nothing up for long.
    """

    endpoint = models.ForeignKey(
        WebhookEndpoint, on_delete=models.CASCADE, related_name="queues"
    )
    stream = models.PositiveBigIntegerField()
    due_at = models.DateTimeField(null=True)  # when its first may be sent; None: empty
    lease = models.CharField(max_length=32, blank=True, default="")
    leased_until = models.DateTimeField(null=True)

    objects = WebhookQueueQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint", "stream"],
                name="integrations_webhookqueue_unique",
            ),
        ]
        indexes = [
            models.Index(
                fields=["endpoint", "due_at"],
                condition=Q(due_at__isnull=False),
                name="integrations_webhookqueue_due",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.endpoint_id}/{self.stream}"


class WebhookDeliveryQuerySet(models.QuerySet["WebhookDelivery"]):
    def visible_to(self, viewer: Viewer) -> Self:
        """Those of a client's own endpoints. Staff have none."""
        own = isinstance(viewer, ApiClient)
        return self.filter(endpoint__client=viewer.pk) if own else self.none()

    def undelivered(self) -> Self:
        return self.filter(status__in=WebhookDelivery.UNDELIVERED)


class WebhookDelivery(models.Model):
    """One event for one endpoint: sent until it is received, and how that went."""

    class Status(models.TextChoices):
        PENDING = "PENDING", _("Waits")
        FAILING = "FAILING", _("Failed, is tried again")
        DELIVERED = "DELIVERED", _("Delivered")

    UNDELIVERED = (Status.PENDING, Status.FAILING)

    endpoint = models.ForeignKey(
        WebhookEndpoint,
        verbose_name=_("endpoint"),
        on_delete=models.CASCADE,
        related_name="deliveries",
    )
    event = models.ForeignKey(
        Event, verbose_name=_("event"), on_delete=models.CASCADE, related_name="+"
    )
    stream = models.PositiveBigIntegerField(_("company"))
    position = models.PositiveBigIntegerField(_("position"))
    status = models.CharField(
        _("status"), max_length=9, choices=Status, default=Status.PENDING
    )
    attempts = models.PositiveSmallIntegerField(_("tries"), default=0)
    tried_at = models.DateTimeField(_("last tried"), null=True)
    next_try_at = models.DateTimeField(_("next try"), null=True)
    response_status = models.PositiveSmallIntegerField(_("answer"), null=True)
    error = models.CharField(_("error"), max_length=32, blank=True, default="")
    response_text = models.CharField(
        _("text of the answer"), max_length=200, blank=True, default=""
    )

    objects = WebhookDeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = _("webhook delivery")
        verbose_name_plural = _("webhook deliveries")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint", "event"],
                name="integrations_webhookdelivery_unique",
            ),
        ]
        indexes = [
            models.Index(
                fields=["endpoint", "stream", "position"],
                condition=Q(status__in=["PENDING", "FAILING"]),
                name="integrations_delivery_queue",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.position}"
