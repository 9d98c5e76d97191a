"""How far a group's prices reach in the tree, by hierarchy."""

from typing import Self

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from companies.models import Company
from config.history import track_history
from groups.errors import NotAHeadCompany
from integrations.recording import Recorded
from integrations.sight import Viewer


class Mode(models.TextChoices):
    UPWARD = "UPWARD", _("Upward")
    DOWNWARD = "DOWNWARD", _("Downward")
    DISABLED = "DISABLED", _("Disabled")


class GroupPropagationQuerySet(models.QuerySet["GroupPropagation"]):
    def visible_to(self, viewer: Viewer) -> Self:
        if viewer.sees_all_hierarchies:
            return self
        return self.filter(company__in=Company.objects.visible_to(viewer).order_by())

    def stale(self) -> Self:
        """Of companies that have been moved below another: these do not count."""
        return self.filter(company__parent__isnull=False)


class GroupPropagation(Recorded):
    """In which direction membership of automatic groups counts for prices.

    UPWARD, which holds where there is no row: who is in a subsidiary's group counts in
    the same group of all companies above. DOWNWARD: who is in a company's group counts
    in the same group of all companies below. DISABLED: neither. Read for the head
    company of today, so that the row of a former head company does not count.
    """

    Mode = Mode

    company = models.OneToOneField(
        Company,
        verbose_name=_("head company"),
        on_delete=models.CASCADE,
        related_name="group_propagation",
    )
    mode = models.CharField(
        _("propagation"), max_length=8, choices=Mode, default=Mode.UPWARD
    )

    history = track_history()
    objects = GroupPropagationQuerySet.as_manager()

    class Meta:
        verbose_name = _("group propagation")
        verbose_name_plural = _("group propagations")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.company}: {self.get_mode_display()}"

    def clean(self) -> None:
        super().clean()
        if self.company_id is not None and not self.company.is_head:
            error = NotAHeadCompany()
            raise ValidationError(
                {"company": ValidationError(str(error), code=error.code)}
            )
