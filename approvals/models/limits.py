"""How much may be bought, where and by whom."""

from typing import Any, Self

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from companies.models import Company, Contact, ContactAssignment
from config import money
from config.fields import AmountField, CleanCharField, CurrencyField
from config.history import track_history
from config.text import clean_text
from integrations.models import ApiClient
from integrations.recording import Recorded

Role = ContactAssignment.Role


class PurchaseLimitQuerySet(models.QuerySet["PurchaseLimit"]):
    """Questions about limits."""

    def visible_to(self, client: ApiClient) -> Self:
        if client.sees_all_hierarchies:
            return self
        return self.filter(company__in=Company.objects.visible_to(client).order_by())

    def binding(self, company: Company | int) -> Self:
        """Limits under which purchases of the company fall, whoever buys.

        Its own, and those of the companies above it that reach down. From the head
        company down, then by id: the order in which their counters are locked.
        """
        pk = getattr(company, "pk", company)
        path = Company.objects.above(pk).order_by()
        return self.filter(
            Q(company=pk) | Q(company__in=path, scope=PurchaseLimit.Scope.HIERARCHY)
        ).head_first()

    def head_first(self) -> Self:
        places = Company.objects.with_place().order_by()
        depth = places.filter(pk=models.OuterRef("company_id")).values("depth")
        return self.annotate(depth=models.Subquery(depth)).order_by("depth", "id")


class PurchaseLimit(Recorded):
    """How much may be bought: per purchase, for a company or all below it.

    No row means: not limited here, look further up. Amount 0: nothing may be bought.
    `unlimited`: looked at, and not limited here; the limits above still count.
    """

    class Period(models.TextChoices):
        PURCHASE = "PURCHASE", _("Each purchase")

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
                condition=Q(contact__isnull=True),
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
                condition=Q(contact__isnull=False),
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
        errors = {}
        if error := self._wrong_roles():
            errors["roles"] = error
        if self.amount is not None and self.currency:
            try:
                money.check_minor_units(self.amount, self.currency)
            except ValidationError as error:
                errors["amount"] = error
        if self.pk and self.company_id:
            stored = type(self).objects.filter(pk=self.pk).values_list("company_id")
            if stored.first() not in (None, (self.company_id,)):
                errors["company"] = ValidationError(
                    _("A limit stays with its company."), code="read_only"
                )
        named = self.contact_id and self.company_id and not errors
        if named and not works_in_hierarchy(self.contact_id, self.company_id):
            errors["contact"] = ValidationError(
                _("The person is not assigned in this hierarchy."),
                code="not_in_hierarchy",
            )
        if errors:
            raise ValidationError(errors)

    def save(self, **kwargs: Any) -> None:
        self.roles = in_order(self.roles)
        super().save(**kwargs)

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
