"""Who is in a custom group."""

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from companies.models import Company, Contact
from config.history import track_history
from integrations.recording import Recorded

from .group import CustomerGroup


class GroupMember(Recorded):
    """A contact whom somebody has put into a custom group.

    Automatic groups have no such rows: see CustomerGroup. Each row that comes or goes
    is a change of the group, and is told as such.
    """

    group = models.ForeignKey(
        CustomerGroup,
        verbose_name=_("group"),
        on_delete=models.CASCADE,
        related_name="memberships",
    )
    contact = models.ForeignKey(
        Contact,
        verbose_name=_("contact"),
        on_delete=models.PROTECT,
        related_name="group_memberships",
    )

    history = track_history()

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["group", "contact"],
                name="groups_groupmember_unique",
                violation_error_code="already_member",
                violation_error_message=_("The contact is already a member."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.contact}, {self.group}"

    @property
    def event_company_id(self) -> int | None:
        return self.group.company_id

    def clean(self) -> None:
        super().clean()
        if self.group_id is None or self.contact_id is None:
            return
        if self.group.is_automatic:
            text = _("Who is in an automatic group follows from the assignments.")
            raise ValidationError(
                {"group": ValidationError(text, code="automatic_group")}
            )
        if not is_of_hierarchy(self.contact, self.group):
            text = _("The contact works nowhere in the group's hierarchy.")
            raise ValidationError(
                {"contact": ValidationError(text, code="not_of_hierarchy")}
            )

    def record(self, change: str) -> None:
        told = {"created": "member_added", "deleted": "member_removed"}
        self.group.record(told.get(change, change))


def is_of_hierarchy(contact: Contact, group: CustomerGroup) -> bool:
    """Whether the contact is assigned anywhere in the hierarchy of the group's company.

    Whenever and as whatever: what counts today is asked when prices are asked for.
    Groups across companies take everybody.
    """
    if group.company_id is None:
        return True
    hierarchy = Company.objects.in_hierarchy_of(group.company_id).order_by()
    return contact.assignments.filter(company__in=hierarchy).exists()
