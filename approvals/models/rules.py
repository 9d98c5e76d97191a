"""When approval is needed, and by whom, in which steps."""

from typing import Any, Self

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from companies.models import Company, ContactAssignment
from config import money
from config.fields import AmountField, CleanCharField, CurrencyField
from config.history import track_history
from integrations.recording import Recorded
from integrations.sight import Viewer

from .groups import ApprovalGroup
from .limits import are_roles, in_order
from .requests import PurchaseRequest

Role = ContactAssignment.Role
Kind = PurchaseRequest.Kind


class ApprovalRuleQuerySet(models.QuerySet["ApprovalRule"]):
    """Questions about rules."""

    def visible_to(self, viewer: Viewer) -> Self:
        if viewer.sees_all_hierarchies:
            return self
        return self.filter(company__in=Company.objects.visible_to(viewer).order_by())

    def reaching(self, company: Company | int) -> Self:
        """Active rules that purchases of the company have to satisfy if they match.

        Its own, and those of the companies above that cover subsidiaries.
        """
        pk = getattr(company, "pk", company)
        path = Company.objects.above(pk).order_by()
        return self.filter(
            Q(company=pk) | Q(covers_subsidiaries=True),
            company__in=path,  # outside of OR: there an index helps
            is_active=True,
        )


class ApprovalRule(Recorded):
    """When a purchase needs approval, and by whom, in which steps.

    Every condition that is set has to be met; an empty one always is. All rules that
    match have to be satisfied. Written by `approvals.rulebook`, with its steps.
    """

    company = models.ForeignKey(
        Company,
        verbose_name=_("company"),
        on_delete=models.PROTECT,
        related_name="approval_rules",
    )
    name = CleanCharField(_("name"), max_length=100)
    covers_subsidiaries = models.BooleanField(
        _("covers subsidiaries"),
        default=False,
        help_text=_("It counts for everything below the company, too."),
    )
    amount_from = AmountField(
        _("amount from"),
        null=True,
        blank=True,
        help_text=_("Of this amount or more. Empty: of any amount."),
    )
    currency = CurrencyField(
        _("currency"),
        blank=True,
        help_text=_("ISO 4217; purchases in others do not match. Empty: in any."),
    )
    roles = models.JSONField(
        _("roles of the requester"),
        default=list,
        blank=True,
        help_text=_("Empty: whoever buys, admins too."),
    )
    kinds = models.JSONField(
        _("kinds"), default=list, blank=True, help_text=_("Empty: of any kind.")
    )
    is_active = models.BooleanField(_("active"), default=True)

    history = track_history()
    objects = ApprovalRuleQuerySet.as_manager()

    class Meta:
        verbose_name = _("approval rule")
        verbose_name_plural = _("approval rules")
        ordering = ["id"]
        indexes = [
            models.Index(fields=["updated_at", "id"], name="approvals_rule_updated"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(amount_from__isnull=True)
                | Q(amount_from__gte=0) & ~Q(currency=""),
                name="approvals_approvalrule_amount_has_currency",
                violation_error_code="amount_without_currency",
                violation_error_message=_(
                    "An amount, which cannot be negative, needs its currency."
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean_fields(self, exclude: Any = None) -> None:
        self.roles, self.kinds = in_order(self.roles), _kinds_in_order(self.kinds)
        super().clean_fields(exclude)

    def clean(self) -> None:
        super().clean()
        errors = {}
        if not are_roles(self.roles):
            text = _("Give a list of ADMIN, BUYER and REQUESTER.")
            errors["roles"] = ValidationError(text, code="unknown_role")
        if not are_kinds(self.kinds):
            text = _("Give a list of CART, QUOTE and ORDER.")
            errors["kinds"] = ValidationError(text, code="unknown_kind")
        if self.amount_from is not None and self.currency:
            try:
                money.check_minor_units(self.amount_from, self.currency)
            except ValidationError as error:
                errors["amount_from"] = error
        if self.pk and self.company_id:
            stored = type(self).objects.filter(pk=self.pk).values_list("company_id")
            if stored.first() not in (None, (self.company_id,)):
                text = _("A rule stays with its company.")
                errors["company"] = ValidationError(text, code="read_only")
        if errors:
            raise ValidationError(errors)


class ApprovalRuleStepQuerySet(models.QuerySet["ApprovalRuleStep"]):
    def visible_to(self, viewer: Viewer) -> Self:
        if viewer.sees_all_hierarchies:
            return self
        return self.filter(rule__in=ApprovalRule.objects.visible_to(viewer).order_by())


class ApprovalRuleStep(models.Model):
    """One step of a rule: so many people of an approval group, or of a role.

    A role means people who hold it, or a stronger one, in the company that buys.
    """

    class ByRole(models.TextChoices):
        ADMIN = "ADMIN", _("Admin")
        BUYER = "BUYER", _("Buyer or admin")

    rule = models.ForeignKey(
        ApprovalRule,
        verbose_name=_("approval rule"),
        on_delete=models.CASCADE,
        related_name="steps",
    )
    position = models.PositiveSmallIntegerField(_("position"))
    quorum = models.PositiveSmallIntegerField(
        _("quorum"), default=1, help_text=_("How many of them have to agree.")
    )
    approval_group = models.ForeignKey(
        ApprovalGroup,
        verbose_name=_("approval group"),
        on_delete=models.PROTECT,
        related_name="rule_steps",
        null=True,
        blank=True,
    )
    role = models.CharField(_("role"), max_length=5, choices=ByRole, blank=True)

    history = track_history()
    objects = ApprovalRuleStepQuerySet.as_manager()

    class Meta:
        verbose_name = _("step of a rule")
        verbose_name_plural = _("steps of rules")
        ordering = ["rule", "position"]
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "position"],
                name="approvals_approvalrulestep_unique_position",
            ),
            models.CheckConstraint(
                condition=Q(quorum__gte=1) & Q(position__gte=1),
                name="approvals_approvalrulestep_from_one",
                violation_error_code="quorum_too_low",
                violation_error_message=_("At least one person has to agree."),
            ),
            models.CheckConstraint(
                condition=Q(approval_group__isnull=False, role="")
                | Q(approval_group__isnull=True) & ~Q(role=""),
                name="approvals_approvalrulestep_group_or_role",
                violation_error_code="group_or_role",
                violation_error_message=_(
                    "Name an approval group or a role: one of the two."
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quorum} of {self.approval_group or self.get_role_display()}"


def are_kinds(value: Any) -> bool:
    """Whether it is a list of kinds of purchases, and of nothing else."""
    return isinstance(value, list) and all(kind in Kind.values for kind in value)


def _kinds_in_order(kinds: Any) -> Any:
    if not are_kinds(kinds):
        return kinds  # clean() says what is wrong
    return [str(kind) for kind in Kind if kind in kinds]
