"""E-mails about purchase requests: to be sent, sent, or not to be sent any more."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from companies.models import Contact

from .requests import PurchaseRequest


class NoticeQuerySet(models.QuerySet["Notice"]):
    """Questions about notices."""

    def due(self, at: datetime | None = None) -> Self:
        """Those to be sent now: new ones, and ones whose next try has come."""
        return self.filter(status="WAITING", due_at__lte=at or timezone.now())


class Notice(models.Model):
    """An e-mail to one person about one change of a request; ids only, no address.

    Written in the transaction that makes the change, sent after it: at least once.
    `due_at` is the time of the next try; whoever tries puts it off first, so that
    nobody else tries meanwhile, and somebody does if they crash.
    """

    class Kind(models.TextChoices):
        WAITING = "WAITING", _("Waits for a decision")
        CHANGED = "CHANGED", _("Changed by the requester")
        ESCALATED = "ESCALATED", _("Escalated")
        REMINDER = "REMINDER", _("Still waits for a decision")
        APPROVED = "APPROVED", _("Approved")
        DECLINED = "DECLINED", _("Declined")
        EXPIRED = "EXPIRED", _("Expired")
        CANCELLED = "CANCELLED", _("Cancelled")

    class Status(models.TextChoices):
        WAITING = "WAITING", _("To be sent")
        SENT = "SENT", _("Sent")
        DROPPED = "DROPPED", _("Not needed any more")
        GIVEN_UP = "GIVEN_UP", _("Given up")

    request = models.ForeignKey(
        PurchaseRequest,
        verbose_name=_("purchase request"),
        on_delete=models.CASCADE,
        related_name="notices",
    )
    contact = models.ForeignKey(
        Contact, verbose_name=_("to"), on_delete=models.CASCADE, related_name="+"
    )
    kind = models.CharField(_("kind"), max_length=9, choices=Kind)
    version = models.PositiveIntegerField(_("version of the request"))
    status = models.CharField(
        _("status"), max_length=8, choices=Status, default=Status.WAITING
    )
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    due_at = models.DateTimeField(_("next try"), null=True)
    # Of the last try: the error's name. What a mail server says may hold addresses.
    problem = models.CharField(_("problem"), max_length=80, blank=True)
    created_at = models.DateTimeField(_("created"))
    sent_at = models.DateTimeField(_("sent"), null=True)

    objects = NoticeQuerySet.as_manager()

    class Meta:
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        ordering = ["id"]
        indexes = [
            models.Index(
                fields=["due_at"],
                condition=Q(status="WAITING"),
                name="approvals_notice_due",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["request", "contact", "kind", "version"],
                name="approvals_notice_unique",
            ),
            models.CheckConstraint(
                condition=Q(status="WAITING", due_at__isnull=False)
                | ~Q(status="WAITING") & Q(due_at__isnull=True),
                name="approvals_notice_due_while_waiting",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, request {self.request_id}"
