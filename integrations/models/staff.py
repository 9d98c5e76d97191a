"""What was done to accounts and roles of staff; Django keeps no such history."""

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from config.actors import Actor
from config.history import HistoryEntry


class StaffChange(HistoryEntry):
    """One change of an account or a role: who made it, when, from what to what."""

    class Of(models.TextChoices):
        USER = "USER", _("Account")
        GROUP = "GROUP", _("Role")

    class What(models.TextChoices):
        CREATED = "CREATED", _("created")
        CHANGED = "CHANGED", _("changed")
        DELETED = "DELETED", _("deleted")
        PASSWORD = "PASSWORD", _("password changed")
        ENROLLED = "ENROLLED", _("second factor set up")
        BACKUP_CODES = "BACKUP_CODES", _("backup codes made anew")
        RESET = "RESET", _("second factor reset")
        UNLOCKED = "UNLOCKED", _("unlocked")

    of = models.CharField(_("of"), max_length=5, choices=Of)
    subject_id = models.BigIntegerField(_("account or role"))
    what = models.CharField(_("what"), max_length=12, choices=What)
    actor = models.CharField(_("actor"), max_length=80)
    at = models.DateTimeField(_("when"), auto_now_add=True)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    # Field → [before, after], as texts.
    changes = models.JSONField(_("changes"), default=dict)

    class Meta:
        verbose_name = _("change of staff")
        verbose_name_plural = _("changes of staff")
        ordering = ["id"]
        indexes = [
            models.Index(
                fields=["of", "subject_id", "-id"], name="integrations_staffchange_of"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_of_display()} {self.subject_id}: {self.get_what_display()}"

    @classmethod
    def note(
        cls,
        subject: models.Model,
        what: str,
        *,
        actor: Actor,
        reason: str = "",
        changes: dict[str, Any] | None = None,
    ) -> "StaffChange":
        """Say what was done to an account or a role, in the same transaction."""
        return cls.objects.create(
            of=subject._meta.model_name.upper(),
            subject_id=subject.pk,
            what=what,
            actor=str(actor),
            reason=reason,
            changes=changes or {},
        )
