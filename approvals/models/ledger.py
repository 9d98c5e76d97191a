"""What limits hold and have used, and every movement that made it so."""

from decimal import Decimal
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from companies.models import Company
from config.fields import AmountField, CurrencyField
from integrations.sight import Viewer

from .limits import PurchaseLimit
from .requests import PurchaseRequest

Period = PurchaseLimit.Period


class LimitCounter(models.Model):
    """What a limit holds and has used in one of its periods; written by `ledger` only.

    The sum of the ledger's entries, kept so that one conditional UPDATE can tell
    whether a purchase fits. In the limit's currency.
    """

    limit = models.ForeignKey(
        PurchaseLimit,
        verbose_name=_("purchase limit"),
        on_delete=models.PROTECT,
        related_name="counters",
    )
    period = models.CharField(_("period"), max_length=8, choices=Period)
    period_start = models.DateField(_("first day of the period"))
    reserved = AmountField(_("reserved"), default=Decimal(0))
    used = AmountField(_("used"), default=Decimal(0))
    # What the newest reservation had to stay within. A column, so that the UPDATE which
    # reserves on several limits finds the ceiling of each in its own row.
    ceiling = AmountField(null=True, editable=False)
    alerted = models.PositiveSmallIntegerField(_("alerted at percent"), default=0)

    class Meta:
        verbose_name = _("limit counter")
        verbose_name_plural = _("limit counters")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["limit", "period", "period_start"],
                name="approvals_limitcounter_unique",
            ),
            models.CheckConstraint(
                condition=Q(reserved__gte=0) & Q(used__gte=0),
                name="approvals_limitcounter_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"limit {self.limit_id}, {self.period} from {self.period_start}"


class LedgerEntryQuerySet(models.QuerySet["LedgerEntry"]):
    def visible_to(self, viewer: Viewer) -> Self:
        """Of companies that the viewer sees, on limits that it sees.

        A company that was moved keeps its entries on limits of where it was.
        """
        if viewer.sees_all_hierarchies:
            return self
        companies = Company.objects.visible_to(viewer).order_by()
        return self.filter(company__in=companies, limit__company__in=companies)

    """Questions about the ledger."""

    def holding(self) -> Self:
        """The newest reservation of each limit of a request that is still held."""
        ended = LedgerEntry.objects.filter(
            request=models.OuterRef("request"),
            limit=models.OuterRef("limit"),
            revision=models.OuterRef("revision"),
            kind__in=["CONFIRM", "RELEASE"],
        )
        return self.filter(~models.Exists(ended), kind="RESERVE")


class LedgerEntry(models.Model):
    """One movement of money on one limit. Append-only for everybody.

    Says what the counter was before and what the limit allowed at that moment, so that
    the ledger alone proves each counter, and that each reservation fitted or was
    allowed to pass the limit. Amounts are in the limit's currency.
    """

    class Kind(models.TextChoices):
        RESERVE = "RESERVE", _("Reserved")
        CONFIRM = "CONFIRM", _("Used")
        RELEASE = "RELEASE", _("Released")
        REFUND = "REFUND", _("Refunded")
        CORRECT = "CORRECT", _("Corrected")

    limit = models.ForeignKey(
        PurchaseLimit,
        verbose_name=_("purchase limit"),
        on_delete=models.PROTECT,
        related_name="ledger",
    )
    period = models.CharField(_("period"), max_length=8, choices=Period)
    period_start = models.DateField(_("first day of the period"))
    kind = models.CharField(_("kind"), max_length=7, choices=Kind)
    # Only a correction has no request; only its amount may be negative.
    request = models.ForeignKey(
        PurchaseRequest,
        verbose_name=_("purchase request"),
        on_delete=models.PROTECT,
        related_name="ledger",
        null=True,
    )
    revision = models.PositiveIntegerField(_("revision of the request"), null=True)
    company = models.ForeignKey(
        Company,
        verbose_name=_("company"),
        on_delete=models.PROTECT,
        related_name="+",
        help_text=_("For which was bought; it stays when the company moves."),
    )
    amount = AmountField(_("amount"))
    currency = CurrencyField(_("currency"))
    reserved_before = AmountField(_("reserved before"))
    used_before = AmountField(_("used before"))
    cap = AmountField(
        _("limit at that moment"), null=True, help_text=_("Empty: unlimited.")
    )
    on_exceed = models.CharField(
        _("when exceeded"), max_length=7, choices=PurchaseLimit.OnExceed
    )
    actor = models.CharField(_("actor"), max_length=80)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    call_id = models.CharField(_("request id of the call"), max_length=64, blank=True)
    at = models.DateTimeField(_("at"))

    objects = LedgerEntryQuerySet.as_manager()

    class Meta:
        verbose_name = _("ledger entry")
        verbose_name_plural = _("ledger")
        ordering = ["id"]
        indexes = [
            models.Index(
                fields=["limit", "period", "period_start", "id"],
                name="approvals_ledger_counter",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["request", "limit", "revision", "kind"],
                condition=Q(kind__in=["RESERVE", "CONFIRM", "RELEASE"]),
                name="approvals_ledgerentry_once",
            ),
            models.CheckConstraint(
                condition=Q(kind="CORRECT", request__isnull=True)
                & ~Q(amount=0)
                & ~Q(reason="")
                | ~Q(kind="CORRECT")
                & Q(request__isnull=False, revision__isnull=False, amount__gt=0),
                name="approvals_ledgerentry_of_request_or_correction",
            ),
        ]
        permissions = [("correct_ledger", _("Can correct the ledger"))]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.amount} {self.currency}"

    @property
    def after(self) -> tuple[Decimal, Decimal]:
        """Reserved and used after this entry."""
        return (
            self.reserved_before + self.amount * RESERVED[self.kind],
            self.used_before + self.amount * USED[self.kind],
        )


# What one unit of an entry does to the counter. Where less is ordered than was
# reserved, CONFIRM moves what was ordered and RELEASE gives back the rest.
RESERVED = {"RESERVE": 1, "CONFIRM": -1, "RELEASE": -1, "REFUND": 0, "CORRECT": 0}
USED = {"RESERVE": 0, "CONFIRM": 1, "RELEASE": 0, "REFUND": -1, "CORRECT": 1}
