"""Who may decide for somebody, for how long and up to which amount."""

from datetime import date
from typing import Self

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from companies.models import Company, Contact
from config import money
from config.fields import AmountField, CurrencyField
from config.history import track_history
from integrations.recording import Recorded
from integrations.sight import Viewer

from .limits import works_in_hierarchy


class StandInQuerySet(models.QuerySet["StandIn"]):
    """Questions about stand-ins."""

    def visible_to(self, viewer: Viewer) -> Self:
        if viewer.sees_all_hierarchies:
            return self
        return self.filter(company__in=Company.objects.visible_to(viewer).order_by())

    def in_force(self, on: date | None = None) -> Self:
        """Within their dates on that day (default: today); the last day counts."""
        day = on or timezone.localdate()
        return self.filter(valid_from__lte=day, valid_until__gte=day)

    def to_come(self, on: date | None = None) -> Self:
        """Not over on that day (default: today): in force, or later."""
        return self.filter(valid_until__gte=on or timezone.localdate())


class StandIn(Recorded):
    """Somebody who may decide for a person, for a time, up to an amount.

    Counts for purchases of the company and of everything below it, as far as the person
    may decide there themselves at that moment: a stand-in of a stand-in gets nothing.
    """

    company = models.ForeignKey(
        Company,
        verbose_name=_("company"),
        on_delete=models.PROTECT,
        related_name="stand_ins",
        help_text=_("For its purchases, and those of everything below it."),
    )
    contact = models.ForeignKey(
        Contact,
        verbose_name=_("person"),
        on_delete=models.PROTECT,
        related_name="stand_ins",
    )
    stand_in = models.ForeignKey(
        Contact,
        verbose_name=_("stand-in"),
        on_delete=models.PROTECT,
        related_name="stands_in_for",
    )
    valid_from = models.DateField(_("from"), default=timezone.localdate)
    valid_until = models.DateField(_("until"), help_text=_("The last day it counts."))
    amount = AmountField(
        _("up to"), null=True, blank=True, help_text=_("Empty: of any amount.")
    )
    currency = CurrencyField(
        _("currency"), blank=True, help_text=_("ISO 4217, if there is an amount.")
    )

    history = track_history()
    objects = StandInQuerySet.as_manager()

    class Meta:
        verbose_name = _("stand-in")
        verbose_name_plural = _("stand-ins")
        ordering = ["id"]
        indexes = [
            models.Index(
                fields=["contact", "valid_until"], name="approvals_standin_until"
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=~Q(contact=F("stand_in")),
                name="approvals_standin_not_oneself",
                violation_error_code="own_stand_in",
                violation_error_message=_("Nobody stands in for themselves."),
            ),
            models.CheckConstraint(
                condition=Q(valid_from__lte=F("valid_until")),
                name="approvals_standin_dates_in_order",
                violation_error_code="dates_not_in_order",
                violation_error_message=_("The last day is before the first."),
            ),
            models.CheckConstraint(
                # NULL > 0 is neither true nor false: a CHECK would let it pass.
                condition=Q(amount__isnull=True, currency="")
                | Q(amount__isnull=False, amount__gt=0) & ~Q(currency=""),
                name="approvals_standin_amount_has_currency",
                violation_error_code="amount_without_currency",
                violation_error_message=_(
                    "Give an amount above 0 with its currency, or neither."
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.stand_in} for {self.contact}"

    def clean(self) -> None:
        super().clean()
        errors = {}
        if self.amount is not None and self.currency:
            try:
                money.check_minor_units(self.amount, self.currency)
            except ValidationError as error:
                errors["amount"] = error
        # Who has left since stays named: dates and amount can still be changed.
        for name in ("contact", "stand_in") if self._state.adding else ():
            person = getattr(self, f"{name}_id")
            assigned = person is None or self.company_id is None
            if not assigned and not works_in_hierarchy(person, self.company_id):
                errors[name] = ValidationError(
                    _("The person is not assigned in this hierarchy."),
                    code="not_in_hierarchy",
                )
        errors |= self._moved()
        if errors:
            raise ValidationError(errors)

    def _moved(self) -> dict[str, ValidationError]:
        """Who stands in for whom, and where: for others there is another stand-in."""
        fixed = ("company_id", "contact_id", "stand_in_id")
        stored = type(self).objects.filter(pk=self.pk).values(*fixed)
        found = stored.first() if self.pk else None
        if found is None:
            return {}
        text = _("Stays as it was named; name another stand-in instead.")
        return {
            name.removesuffix("_id"): ValidationError(text, code="read_only")
            for name in fixed
            if getattr(self, name) != found[name]
        }


class ApprovalPolicyQuerySet(models.QuerySet["ApprovalPolicy"]):
    def visible_to(self, viewer: Viewer) -> Self:
        if viewer.sees_all_hierarchies:
            return self
        return self.filter(company__in=Company.objects.visible_to(viewer).order_by())


class ApprovalPolicy(Recorded):
    """What the seller's staff have settled for the purchases of one company."""

    company = models.OneToOneField(
        Company,
        verbose_name=_("company"),
        on_delete=models.CASCADE,
        related_name="approval_policy",
    )
    allow_self_approval = models.BooleanField(
        _("allow self-approval"),
        default=False,
        help_text=_(
            "People who may approve here may approve purchases of their own. Only for "
            "this company, not for those below it."
        ),
    )

    history = track_history()
    objects = ApprovalPolicyQuerySet.as_manager()

    class Meta:
        verbose_name = _("approval policy")
        verbose_name_plural = _("approval policies")
        ordering = ["id"]

    def __str__(self) -> str:
        return str(self.company)
