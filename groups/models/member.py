"""Who is in a custom group."""

from datetime import date
from typing import Any, Self

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import (
    BooleanField,
    Exists,
    ExpressionWrapper,
    Q,
)
from django.utils.translation import gettext_lazy as _

from companies.models import (
    Company,
    Contact,
    ContactAssignment,
    ContactAssignmentQuerySet,
)
from config.history import track_history
from groups.errors import AutomaticGroup
from integrations.recording import Recorded
from integrations.sight import Viewer

from .group import CustomerGroup


class GroupMemberQuerySet(models.QuerySet["GroupMember"]):
    def visible_to(self, viewer: Viewer) -> Self:
        """Of groups that the viewer sees, and people that it sees."""
        if viewer.sees_all_hierarchies:
            return self
        return self.filter(
            group__in=CustomerGroup.objects.visible_to(viewer).order_by(),
            contact__in=Contact.objects.visible_to(viewer).order_by().values("pk"),
        )

    def in_force(self, on: date | None = None) -> Self:
        """Of active contacts who work in the hierarchy of the group on that day.

        A group across companies asks for no hierarchy.
        """
        return self.filter(_counts(on))

    def with_in_force(self, on: date | None = None) -> Self:
        """Annotate `in_force`: whether the member counts on that day."""
        counts = ExpressionWrapper(_counts(on), output_field=BooleanField())
        return self.annotate(in_force=counts)

    def strangers(self) -> Self:
        """Who was never assigned, or is not any more, in the hierarchy of the group."""
        assigned = _in_hierarchy(ContactAssignment.objects.order_by())
        return self.filter(~Exists(assigned), group__company__isnull=False)


def _counts(on: date | None) -> Q:
    assigned = _in_hierarchy(ContactAssignment.objects.order_by().in_force(on))
    across = Q(group__company=None)
    return Q(contact__is_active=True) & (across | Q(Exists(assigned)))


def _in_hierarchy(assignments: ContactAssignmentQuerySet) -> ContactAssignmentQuerySet:
    """The member's assignments, of these, in the hierarchy of the group's company."""
    return assignments.in_hierarchy_of_row(contact="contact", company="group__company")


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
    objects = GroupMemberQuerySet.as_manager()

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

    def save(self, **kwargs: Any) -> None:
        if self.group.is_automatic:
            raise AutomaticGroup(group=self.group_id)
        super().save(**kwargs)

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
