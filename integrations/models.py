"""What other systems see of us: API clients, and the outbox of events."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _
from oauth2_provider.models import AbstractApplication
from oauth2_provider.settings import oauth2_settings


class ApiClient(AbstractApplication):
    """A machine that may call the API (OAuth 2 client credentials, RFC 6749 4.4)."""

    allowed_scopes = models.TextField(
        _("allowed scopes"), blank=True, help_text=_("Separated by blanks.")
    )
    allowed_hierarchies = models.ManyToManyField(
        "companies.Company",
        verbose_name=_("allowed hierarchies"),
        related_name="+",
        blank=True,
        help_text=_("The client sees these companies and everything below them."),
    )
    # Explicit: were it "no row means all", deleting a company would open all others.
    sees_all_hierarchies = models.BooleanField(_("all hierarchies"), default=False)
    is_active = models.BooleanField(_("active"), default=True)

    class Meta(AbstractApplication.Meta):
        swappable = "OAUTH2_PROVIDER_APPLICATION_MODEL"
        verbose_name = _("API client")
        verbose_name_plural = _("API clients")

    def clean(self) -> None:
        super().clean()
        unknown = set(self.allowed_scopes.split()) - set(oauth2_settings.SCOPES)
        if unknown:
            message = _("There is no such scope: %(scopes)s.")
            params = {"scopes": ", ".join(sorted(unknown))}
            error = ValidationError(message, code="unknown_scope", params=params)
            raise ValidationError({"allowed_scopes": error})

    def is_usable(self, request: Any) -> bool:
        """An inactive client gets no token, and the tokens it has end at once."""
        return self.is_active


class EventCounter(models.Model):
    """The number of a stream's last event. Its row lock keeps events in order.

    A stream is a company, or 0: changes that belong to no company.
    """

    stream = models.PositiveBigIntegerField(primary_key=True)
    last = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.stream}: {self.last}"


class Event(models.Model):
    """A committed change, to be told to other systems (transactional outbox).

    Written in the transaction of the change. Carries ids, never personal data. Not a
    foreign key to the company: what happened stays told after a deletion.
    """

    stream = models.PositiveBigIntegerField(_("company"))
    number = models.PositiveBigIntegerField(_("number"))
    type = models.CharField(_("type"), max_length=64)
    subject_id = models.BigIntegerField(_("subject"))
    occurred_at = models.DateTimeField(_("occurred"), auto_now_add=True)

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["stream", "number"],
                name="integrations_event_unique_number",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.stream}/{self.number} {self.type}"
