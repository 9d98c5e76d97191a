"""What connects companies beside the one line of control."""

from typing import Self

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from config.history import track_history
from integrations.recording import Recorded
from integrations.sight import Viewer

from .company import Company


class CompanyLinkQuerySet(models.QuerySet["CompanyLink"]):
    def visible_to(self, viewer: Viewer) -> Self:
        """Links of which the viewer sees both ends."""
        if viewer.sees_all_hierarchies:
            return self
        companies = Company.objects.visible_to(viewer).order_by()
        return self.filter(company__in=companies, other__in=companies)

    def of(self, company: Company | int) -> Self:
        """Links from or to the company."""
        pk = getattr(company, "pk", company)
        return self.filter(Q(company=pk) | Q(other=pk))


class CompanyLink(Recorded):
    """One company owns another in part, pays its bills, is its franchisee.

    Gives no rights: rights, limits and groups follow the tree only.
    """

    class Kind(models.TextChoices):
        OWNS = "OWNS", _("owns")
        BILLS_TO = "BILLS_TO", _("bills to")
        FRANCHISE_OF = "FRANCHISE_OF", _("is a franchise of")
        PARTNER_OF = "PARTNER_OF", _("is a partner of")

    company = models.ForeignKey(
        Company,
        verbose_name=_("company"),
        on_delete=models.PROTECT,
        related_name="links",
    )
    kind = models.CharField(_("kind"), max_length=12, choices=Kind)
    other = models.ForeignKey(
        Company,
        verbose_name=_("other company"),
        on_delete=models.PROTECT,
        related_name="links_from_others",
    )
    percent = models.DecimalField(
        _("percent"),
        max_digits=5,
        decimal_places=2,
        null=True,
        blank=True,
        help_text=_("Of the other company, where it is owned."),
    )
    valid_from = models.DateField(_("from"), null=True, blank=True)
    valid_until = models.DateField(_("until"), null=True, blank=True)

    history = track_history()
    objects = CompanyLinkQuerySet.as_manager()

    class Meta:
        verbose_name = _("company link")
        verbose_name_plural = _("company links")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["company", "kind", "other"],
                name="companies_companylink_unique",
                violation_error_code="duplicate_link",
                violation_error_message=_("There is already such a link."),
            ),
            models.CheckConstraint(
                condition=~Q(company=F("other")),
                name="companies_companylink_two_companies",
                violation_error_code="own_link",
                violation_error_message=_("A company cannot be linked to itself."),
            ),
            models.CheckConstraint(
                condition=Q(percent=None)
                | (Q(percent__gt=0, percent__lte=100) & Q(kind="OWNS")),
                name="companies_companylink_percent",
                violation_error_code="percent",
                violation_error_message=_(
                    "A share is above 0 and at most 100 percent, and only of what is "
                    "owned."
                ),
            ),
            models.CheckConstraint(
                condition=Q(valid_from=None)
                | Q(valid_until=None)
                | Q(valid_from__lte=F("valid_until")),
                name="companies_companylink_dates_in_order",
                violation_error_code="dates_not_in_order",
                violation_error_message=_("The last day is before the first."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.company} {self.get_kind_display()} {self.other}"

    def clean(self) -> None:
        super().clean()
        if self.company_id is not None and self.company_id == self.other_id:
            message = _("A company cannot be linked to itself.")
            raise ValidationError({"other": ValidationError(message, code="own_link")})
