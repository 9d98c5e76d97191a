"""Groups of people who may approve purchases."""

from typing import Any, Self

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from companies.models import Company, Contact
from config.fields import CleanCharField
from config.history import track_history
from integrations.recording import Recorded
from integrations.sight import Viewer


class ApprovalGroupQuerySet(models.QuerySet["ApprovalGroup"]):
    """Questions about approval groups."""

    def visible_to(self, viewer: Viewer) -> Self:
        if viewer.sees_all_hierarchies:
            return self
        return self.filter(company__in=Company.objects.visible_to(viewer).order_by())


class ApprovalGroup(Recorded):
    """Contacts who may approve purchases of a company and of everything below it.

    Takes the place of buyers and admins there, unless a company below has a group of
    its own. Without anybody who can decide it is passed over, not a dead end.
    """

    company = models.ForeignKey(
        Company,
        verbose_name=_("company"),
        on_delete=models.PROTECT,
        related_name="approval_groups",
    )
    code = models.CharField(
        _("code"),
        max_length=64,
        blank=True,
        validators=[
            RegexValidator(
                r"^[A-Za-z0-9._-]{1,64}\Z",
                _("1 to 64 of the characters A-Z a-z 0-9 . _ -"),
                code="code",
            )
        ],
        help_text=_("The key by which other systems know this group."),
    )
    name = CleanCharField(_("name"), max_length=250)
    members = models.ManyToManyField(
        Contact,
        verbose_name=_("members"),
        through="ApprovalGroupMember",
        related_name="approval_groups",
        blank=True,
    )

    history = track_history()
    objects = ApprovalGroupQuerySet.as_manager()

    class Meta:
        verbose_name = _("approval group")
        verbose_name_plural = _("approval groups")
        ordering = ["id"]
        indexes = [
            models.Index(fields=["updated_at", "id"], name="approvals_group_updated"),
        ]
        constraints = [
            models.UniqueConstraint(
                "company",
                Lower("code"),
                condition=~Q(code=""),
                name="approvals_approvalgroup_unique_code",
                violation_error_code="duplicate_code",
                violation_error_message=_(
                    "The company already has an approval group of this code."
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        super().clean()
        if self.pk and self.company_id:
            stored = type(self).objects.filter(pk=self.pk).values_list("company_id")
            if stored.first() not in (None, (self.company_id,)):
                raise ValidationError(
                    {
                        "company": ValidationError(
                            _("An approval group stays with its company."),
                            code="read_only",
                        )
                    }
                )

    def validate_constraints(self, exclude: Any = None) -> None:
        without = () if self.code else ("code",)
        super().validate_constraints({*(exclude or ()), *without})


class ApprovalGroupMember(models.Model):
    """A person in an approval group. Written by `services.set_members` only."""

    group = models.ForeignKey(
        ApprovalGroup,
        verbose_name=_("approval group"),
        on_delete=models.CASCADE,
        related_name="memberships",
    )
    contact = models.ForeignKey(
        Contact,
        verbose_name=_("contact"),
        on_delete=models.PROTECT,
        related_name="approval_memberships",
    )

    history = track_history()

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["group", "contact"],
                name="approvals_approvalgroupmember_unique",
                violation_error_code="already_member",
                violation_error_message=_("The person is already a member."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.contact}, {self.group}"
