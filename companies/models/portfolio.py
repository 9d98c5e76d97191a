"""Which hierarchies a member of staff looks after, and sees no others beside."""

from functools import cached_property
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from config.actors import Actor
from config.history import track_history
from integrations.recording import Recorded

from .company import Company


class KeyAccount(Recorded):
    """A hierarchy that a member of staff looks after.

    All key accounts of a person are the portfolio. Who has none sees all hierarchies,
    who has some sees these only; superusers always see all.
    """

    staff = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("member of staff"),
        on_delete=models.CASCADE,
        related_name="key_accounts",
    )
    # Never CASCADE: the last one that goes would open all hierarchies.
    company = models.ForeignKey(
        Company,
        verbose_name=_("head company"),
        on_delete=models.PROTECT,
        related_name="key_accounts",
    )

    history = track_history()

    class Meta:
        verbose_name = _("key account")
        verbose_name_plural = _("key accounts")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["staff", "company"],
                name="companies_keyaccount_once",
                violation_error_code="duplicate_key_account",
                violation_error_message=_("The person has this key account already."),
            ),
        ]

    def __str__(self) -> str:
        return str(self.company)

    def clean(self) -> None:
        super().clean()
        if self._state.adding and self.company_id and not self.company.is_head:
            text = _("A portfolio has whole hierarchies: name the head company.")
            error = ValidationError(text, code="not_a_head_company")
            raise ValidationError({"company": error})

    def record(self, change: str) -> None:
        """No event: who of the staff sees what, other systems need not know."""


class StaffSight:
    """What a member of staff sees, asked for once and then kept: for one request."""

    def __init__(self, user: Any) -> None:
        self.user = user

    @property
    def pk(self) -> int:
        return self.user.pk

    @property
    def actor(self) -> Actor:
        return Actor.staff(self.user.pk)

    @cached_property
    def sees_all_hierarchies(self) -> bool:
        if self.user.is_superuser:
            return True
        return not KeyAccount.objects.filter(staff=self.user.pk).exists()

    @property
    def allowed_hierarchies(self) -> models.QuerySet:
        mine = KeyAccount.objects.filter(staff=self.user.pk).order_by()
        return Company.objects.filter(pk__in=mine.values("company"))

    def visible_companies(self) -> models.QuerySet:
        return Company.objects.visible_to(self)
