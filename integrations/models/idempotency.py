"""Calls that a client may repeat: what each of its keys did, and what was answered."""

from collections.abc import Iterable
from datetime import timedelta
from functools import reduce
from operator import or_

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .clients import ApiClient

KEPT = timedelta(days=7)


class IdempotencyRecordQuerySet(models.QuerySet["IdempotencyRecord"]):
    def forget_old(self, most: int = 1_000) -> int:
        """Delete what was kept long enough: such keys may be used again. How many."""
        old = self.filter(created_at__lt=timezone.now() - KEPT).order_by("created_at")
        return self.filter(pk__in=[*old.values_list("pk", flat=True)[:most]]).delete()[
            0
        ]

    def forget_answers(self, texts: Iterable[str]) -> None:
        """Somebody was erased: no kept answer may hold one of these texts of theirs.

        That the call was done stays known, so it is not done again.
        """
        holding = [models.Q(answer__contains=text) for text in texts if text]
        if holding:
            self.filter(reduce(or_, holding)).update(answer=None)


class IdempotencyRecord(models.Model):
    """One effect of a client, under the key that the client gave it.

    Written in the transaction of the effect: there is never one without the other.
    The key belongs to the client, not to one of its tokens.
    """

    client = models.ForeignKey(
        ApiClient,
        verbose_name=_("API client"),
        on_delete=models.CASCADE,
        related_name="+",
    )
    key = models.CharField(_("key"), max_length=255)
    fingerprint = models.CharField(max_length=64)  # SHA-256 of path and body
    status = models.PositiveSmallIntegerField(_("status"), default=0)
    answer = models.TextField(_("answer"), null=True)  # noqa: DJ001  (NULL: forgotten)
    version = models.PositiveIntegerField(null=True)  # its ETag
    subject_id = models.BigIntegerField(_("subject"), null=True)  # what it is about
    created_at = models.DateTimeField(_("created"))

    objects = IdempotencyRecordQuerySet.as_manager()

    class Meta:
        verbose_name = _("idempotency record")
        verbose_name_plural = _("idempotency records")
        constraints = [
            models.UniqueConstraint(
                fields=["client", "key"],
                name="integrations_idempotencyrecord_unique_key",
            ),
        ]
        indexes = [
            models.Index(fields=["created_at"], name="integrations_idempotency_age"),
        ]

    def __str__(self) -> str:
        return self.key
