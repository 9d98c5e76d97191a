"""The outbox of events: every committed change, to be told to other systems."""

from typing import Any, Self

from django.db import models
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from integrations.sight import Viewer


class EventCounter(models.Model):
    """The number of a stream's last event. Its row lock keeps events in order.

    A stream is a company, or 0: changes that belong to no company.
    """

    stream = models.PositiveBigIntegerField(primary_key=True)
    last = models.PositiveBigIntegerField(default=0)
    # Of a company that was deleted: the one it was below, by which is decided who is
    # told. Empty for head companies: of these only a client hears that sees all.
    above = models.PositiveBigIntegerField(null=True, db_index=True)

    def __str__(self) -> str:
        return f"{self.stream}: {self.last}"


class OfStreams:
    """Rows that have the stream of a company, by who may know of that company."""

    def visible_to(self, viewer: Viewer) -> Any:
        """Of companies that the viewer sees, and of deleted ones below them.

        What belongs to no company (a contact, a group across companies) may be of any
        hierarchy: only who sees all of them is told.
        """
        if viewer.sees_all_hierarchies:
            return self
        return self.of_companies(viewer.visible_companies())

    def of_companies(self, companies: QuerySet[Any]) -> Any:
        """Of these companies, and of deleted ones that were below them."""
        ids = companies.order_by().values("pk")
        deleted = EventCounter.objects.filter(above__in=ids).values("stream")
        return self.filter(Q(stream__in=ids) | Q(stream__in=deleted))


class EventQuerySet(OfStreams, models.QuerySet["Event"]):
    def waiting(self) -> Self:
        """Committed, but not yet in the order in which all events are told."""
        return self.filter(position=None)

    def told(self) -> Self:
        return self.filter(position__isnull=False)


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
    # Given after the commit (see sequencing.py): ids are taken before it, so whoever
    # reads "id > last" misses the events of transactions that commit late.
    position = models.PositiveBigIntegerField(_("position"), null=True, editable=False)

    objects = EventQuerySet.as_manager()

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["stream", "number"],
                name="integrations_event_unique_number",
            ),
            models.UniqueConstraint(
                fields=["position"], name="integrations_event_unique_position"
            ),
        ]
        indexes = [
            models.Index(
                fields=["id"],
                condition=models.Q(position=None),
                name="integrations_event_waiting",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.stream}/{self.number} {self.type}"
