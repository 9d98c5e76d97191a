"""How much may be bought, where and by whom."""

from datetime import datetime
from typing import Any, Self

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from approvals.locks import in_locked_hierarchy, lock_hierarchy_of
from approvals.periods import ZONES, period_at
from companies.models import Company, Contact, ContactAssignment
from config import money
from config.fields import AmountField, CleanCharField, CurrencyField
from config.history import track_history
from config.text import clean_text
from integrations.recording import Recorded
from integrations.sight import Viewer

Role = ContactAssignment.Role


class PurchaseLimitQuerySet(models.QuerySet["PurchaseLimit"]):
    """Questions about limits."""

    def visible_to(self, viewer: Viewer) -> Self:
        if viewer.sees_all_hierarchies:
            return self
        return self.filter(company__in=Company.objects.visible_to(viewer).order_by())

    def binding(self, company: Company | int) -> Self:
        """Active limits under which purchases of the company fall, whoever buys.

        Its own, and those of the companies above it that reach down; the head company's
        first.
        """
        pk = getattr(company, "pk", company)
        path = Company.objects.above(pk).order_by()
        return self.filter(
            Q(company=pk) | Q(scope=PurchaseLimit.Scope.HIERARCHY),
            company__in=path,  # outside of OR: there an index helps
            is_active=True,
        ).head_first()

    def alerted(self, at: datetime | None = None) -> Self:
        """Active limits of which an alert was given in the period that runs."""
        now = at or timezone.now()
        runs = Q(pk__in=[])
        for zone in self.order_by().values_list("time_zone", flat=True).distinct():
            for period in PurchaseLimit.Period:
                if span := period_at(period, now, zone):
                    runs |= Q(time_zone=zone, period=period) & Q(
                        counters__period=period,
                        counters__period_start=span.first,
                        counters__alerted__gt=0,
                    )
        return self.filter(runs, is_active=True)

    def head_first(self) -> Self:
        places = Company.objects.with_place().order_by()
        depth = places.filter(pk=models.OuterRef("company_id")).values("depth")
        return self.annotate(depth=models.Subquery(depth)).order_by("depth", "id")


class PurchaseLimit(Recorded):
    """How much may be bought: per purchase or period, by a company or all below it.

    No row means: not limited here, look further up. Amount 0: nothing may be bought.
    `unlimited`: looked at, and not limited here; the limits above still count. Only
    purchases of people whom it binds count towards it. One that was ever used is not
    deleted but set inactive, which is like no row for what comes; what it holds is
    still given back to it.
    """

    class Period(models.TextChoices):
        PURCHASE = "PURCHASE", _("Each purchase")
        DAY = "DAY", _("Day")
        WEEK = "WEEK", _("Week")
        MONTH = "MONTH", _("Month")
        QUARTER = "QUARTER", _("Quarter")
        YEAR = "YEAR", _("Year")

    class Scope(models.TextChoices):
        COMPANY = "COMPANY", _("The company's own purchases")
        HIERARCHY = "HIERARCHY", _("The company and everything below it")

    class Binds(models.TextChoices):
        ALL = "ALL", _("Everybody but admins")
        ROLES = "ROLES", _("People of some roles")
        CONTACT = "CONTACT", _("One contact")

    class OnExceed(models.TextChoices):
        APPROVE = "APPROVE", _("Needs approval")
        BLOCK = "BLOCK", _("Is refused")
        WARN = "WARN", _("Is allowed with a warning")

    company = models.ForeignKey(
        Company,
        verbose_name=_("company"),
        on_delete=models.PROTECT,
        related_name="purchase_limits",
    )
    name = CleanCharField(_("name"), max_length=100, blank=True)
    amount = AmountField(
        _("amount"), null=True, blank=True, help_text=_("0: nothing may be bought.")
    )
    unlimited = models.BooleanField(
        _("unlimited"),
        default=False,
        help_text=_("Not limited here. Limits of the companies above still count."),
    )
    currency = CurrencyField(_("currency"), help_text=_("ISO 4217."))
    period = models.CharField(
        _("period"), max_length=8, choices=Period, default=Period.PURCHASE
    )
    time_zone = models.CharField(
        _("time zone"),
        max_length=40,
        blank=True,
        help_text=_(
            "Where days begin and end, such as Europe/Berlin (IANA database). "
            "Empty: the installation's own."
        ),
    )
    scope = models.CharField(
        _("scope"), max_length=9, choices=Scope, default=Scope.HIERARCHY
    )
    binds = models.CharField(
        _("binds"),
        max_length=7,
        choices=Binds,
        default=Binds.ALL,
        help_text=_("Admins are bound only by limits that name them."),
    )
    roles = models.JSONField(_("roles"), default=list, blank=True)
    contact = models.ForeignKey(
        Contact,
        verbose_name=_("contact"),
        on_delete=models.PROTECT,
        related_name="purchase_limits",
        null=True,
        blank=True,
    )
    on_exceed = models.CharField(
        _("when exceeded"), max_length=7, choices=OnExceed, default=OnExceed.APPROVE
    )
    alert_percents = models.JSONField(
        _("alerts"),
        default=list,
        blank=True,
        help_text=_("Percent of the amount, 1 to 100, at which an event is raised."),
    )
    is_active = models.BooleanField(_("active"), default=True)
    note = models.TextField(_("note"), max_length=2000, blank=True)

    history = track_history()
    objects = PurchaseLimitQuerySet.as_manager()

    class Meta:
        verbose_name = _("purchase limit")
        verbose_name_plural = _("purchase limits")
        ordering = ["id"]
        indexes = [
            models.Index(fields=["updated_at", "id"], name="approvals_limit_updated"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__isnull=True, unlimited=True)
                | Q(amount__isnull=False, unlimited=False),
                name="approvals_purchaselimit_amount_or_unlimited",
                violation_error_code="amount_or_unlimited",
                violation_error_message=_(
                    "Give an amount, or unlimited: one of the two."
                ),
            ),
            models.CheckConstraint(
                condition=Q(amount__isnull=True) | Q(amount__gte=0),
                name="approvals_purchaselimit_amount_not_negative",
                violation_error_code="negative_amount",
                violation_error_message=_("The amount cannot be negative."),
            ),
            models.CheckConstraint(
                condition=Q(binds="CONTACT", contact__isnull=False)
                | (~Q(binds="CONTACT") & Q(contact__isnull=True)),
                name="approvals_purchaselimit_contact_if_bound",
                violation_error_code="contact_if_bound",
                violation_error_message=_(
                    "Name the contact if the limit binds one, and only then."
                ),
            ),
            # NULLs are never equal: one constraint without contact, one with.
            models.UniqueConstraint(
                fields=[
                    "company",
                    "currency",
                    "period",
                    "scope",
                    "binds",
                    "roles",
                    "on_exceed",
                ],
                condition=Q(contact__isnull=True, is_active=True),
                name="approvals_purchaselimit_unique",
                violation_error_code="equal_limit",
                violation_error_message=_("There is already a limit like this."),
            ),
            models.UniqueConstraint(
                fields=[
                    "company",
                    "contact",
                    "currency",
                    "period",
                    "scope",
                    "on_exceed",
                ],
                condition=Q(contact__isnull=False, is_active=True),
                name="approvals_purchaselimit_unique_for_contact",
                violation_error_code="equal_limit",
                violation_error_message=_("There is already a limit like this."),
            ),
        ]

    def __str__(self) -> str:
        return self.name or f"{self.cap_text}, {self.company}"

    @property
    def cap_text(self) -> str:
        """The amount for people: "1,250.00 EUR", or "unlimited EUR"."""
        if self.amount is None:
            return f"unlimited {self.currency}"
        return money.readable(self.amount, self.currency)

    def clean_fields(self, exclude: Any = None) -> None:
        self.roles = in_order(self.roles)
        self.note = clean_text(self.note)
        super().clean_fields(exclude)

    def clean(self) -> None:
        super().clean()
        stored = self._stored()
        checks = {
            "roles": self._wrong_roles(),
            "amount": self._wrong_amount(),
            "time_zone": self._wrong_zone(),
            "alert_percents": self._wrong_percents(),
            **self._moved(stored),
        }
        errors = {name: error for name, error in checks.items() if error}
        # Who has left since stays named: the limit can still be changed or ended.
        named = self.contact_id and self.contact_id != stored.get("contact_id")
        checked = named and self.company_id and not errors
        if checked and not works_in_hierarchy(self.contact_id, self.company_id):
            errors["contact"] = ValidationError(
                _("The person is not assigned in this hierarchy."),
                code="not_in_hierarchy",
            )
        if errors:
            raise ValidationError(errors)

    def save(self, **kwargs: Any) -> None:
        self.roles = in_order(self.roles)
        if are_percents(self.alert_percents):
            self.alert_percents = sorted(set(self.alert_percents))
        self._save(**kwargs)

    @in_locked_hierarchy
    def _save(self, **kwargs: Any) -> None:
        # A purchase is checked against the limit as it was, or as it is now.
        lock_hierarchy_of(self.company_id, alone=True)
        if self.pk:
            self._alert_anew()
        super().save(**kwargs)

    def _alert_anew(self) -> None:
        """Of another amount people are told again when it is nearly used up."""
        same = Q(limit__amount=self.amount, limit__alert_percents=self.alert_percents)
        self.counters.filter(~same, alerted__gt=0).update(alerted=0)

    @in_locked_hierarchy
    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        lock_hierarchy_of(self.company_id, alone=True)
        return super().delete(*args, **kwargs)

    def _wrong_roles(self) -> ValidationError | None:
        if not are_roles(self.roles):
            return ValidationError(
                _("Give a list of ADMIN, BUYER and REQUESTER."), code="unknown_role"
            )
        if (self.binds == self.Binds.ROLES) != bool(self.roles):
            return ValidationError(
                _("Name roles if the limit binds roles, and only then."),
                code="roles_if_bound",
            )
        return None

    def _wrong_amount(self) -> ValidationError | None:
        if self.amount is None or not self.currency:
            return None
        try:
            money.check_minor_units(self.amount, self.currency)
        except ValidationError as error:
            return error
        return None

    def _wrong_zone(self) -> ValidationError | None:
        if self.time_zone and self.time_zone not in ZONES:
            return ValidationError(_("Not a time zone."), code="unknown_time_zone")
        return None

    def _wrong_percents(self) -> ValidationError | None:
        if not are_percents(self.alert_percents):
            return ValidationError(
                _("Give a list of whole percents from 1 to 100."), code="percents"
            )
        if self.alert_percents and self.period == self.Period.PURCHASE:
            return ValidationError(
                _("Only a limit per period can be nearly used up."),
                code="percents_without_period",
            )
        return None

    def _stored(self) -> dict[str, Any]:
        """As it was before the change; empty for a new one."""
        if not self.pk or not self.company_id:
            return {}
        rows = type(self).objects.filter(pk=self.pk)
        return rows.values("company_id", "currency", "contact_id").first() or {}

    def _moved(self, stored: dict[str, Any]) -> dict[str, ValidationError]:
        """What stays as it was made: the ledger is in this company's currency."""
        if not stored:
            return {}
        fixed = {
            "company": (stored["company_id"], self.company_id),
            "currency": (stored["currency"], self.currency),
        }
        text = _("A limit stays with its company and its currency.")
        return {
            name: ValidationError(text, code="read_only")
            for name, (was, now) in fixed.items()
            if was != now
        }


def are_percents(value: Any) -> bool:
    """Whether it is a list of whole percents from 1 to 100, and of nothing else."""
    return isinstance(value, list) and all(
        isinstance(percent, int)
        and not isinstance(percent, bool)
        and 1 <= percent <= 100
        for percent in value
    )


def are_roles(value: Any) -> bool:
    """Whether it is a list of roles, and of nothing else."""
    return isinstance(value, list) and all(role in Role.values for role in value)


def in_order(roles: Any) -> Any:
    """Roles in one order, each once: two equal limits look equal."""
    if not are_roles(roles):
        return roles  # clean() says what is wrong
    return [str(role) for role in Role if role in roles]


def works_in_hierarchy(contact_id: int, company_id: int) -> bool:
    """Whether the person is assigned anywhere in the company's hierarchy."""
    companies = Company.objects.in_hierarchy_of(company_id).order_by()
    return ContactAssignment.objects.filter(
        contact=contact_id, company__in=companies
    ).exists()
