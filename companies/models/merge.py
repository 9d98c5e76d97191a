"""Which companies were merged into which others, and what that changed."""

from datetime import timedelta
from typing import Any, Self

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from integrations.recording import Recorded
from integrations.sight import Viewer

from .company import Company


class CompanyMergeQuerySet(models.QuerySet["CompanyMerge"]):
    def visible_to(self, viewer: Viewer) -> Self:
        """Merges of which the viewer sees both companies."""
        if viewer.sees_all_hierarchies:
            return self
        companies = Company.objects.visible_to(viewer).order_by()
        return self.filter(company__in=companies, into__in=companies)

    def standing(self) -> Self:
        """Merges that were not taken back."""
        return self.filter(undone_at=None)


class CompanyMerge(Recorded):
    """A company that was entered twice, merged into the one that stays.

    The company that goes is kept, closed, with its code and all that is in the ledger,
    so that its code can answer with the other one. `steps` has each field that the
    merge changed, as it was and as it became: what taking it back goes by.
    """

    company = models.ForeignKey(
        Company,
        verbose_name=_("company"),
        on_delete=models.PROTECT,
        related_name="merges",
    )
    into = models.ForeignKey(
        Company,
        verbose_name=_("merged into"),
        on_delete=models.PROTECT,
        related_name="merged_companies",
    )
    steps = models.JSONField(_("steps"), default=list, encoder=DjangoJSONEncoder)
    actor = models.CharField(_("actor"), max_length=80)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    undone_at = models.DateTimeField(_("taken back"), null=True)
    undone_by = models.CharField(_("taken back by"), max_length=80, blank=True)

    objects = CompanyMergeQuerySet.as_manager()

    class Meta:
        verbose_name = _("merge of companies")
        verbose_name_plural = _("merges of companies")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["company"],
                condition=models.Q(undone_at=None),
                name="companies_companymerge_once",
                violation_error_code="already_merged",
                violation_error_message=_("The company has been merged already."),
            ),
            models.CheckConstraint(
                condition=~models.Q(company=models.F("into")),
                name="companies_companymerge_two_companies",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.company} into {self.into}"

    @property
    def event_company_id(self) -> int:
        return self.into_id

    @property
    def last_moment(self) -> Any:
        """Until when it can be taken back."""
        return self.created_at + timedelta(days=settings.COMPANY_UNMERGE_DAYS)

    @property
    def is_too_old(self) -> bool:
        return timezone.now() > self.last_moment


def answering_to(code: str, rows: Any) -> Any:
    """Of `rows` the company of that code; if it was merged, the one that stays.

    If that is not among them, the old one itself, closed.
    """
    found = rows.with_code(code)
    old = Company.objects.order_by().with_code(code).filter(status="CLOSED")
    pk = old.values_list("pk", flat=True).first()
    stays = None if pk is None else merged_into(pk)
    if stays is None:
        return found
    answer = rows.filter(pk=stays)
    return answer if answer.exists() else found


def merged_into(company: int) -> int | None:
    """The id of the company that stays, after however many merges; None without any."""
    seen = {company}
    stays = None
    while True:
        row = CompanyMerge.objects.standing().filter(company=stays or company)
        further = row.values_list("into_id", flat=True).first()
        if further is None or further in seen:
            return stays
        stays = further
        seen.add(further)
