"""Who is in which group: the one place that knows, for automatic and custom groups.

Nothing of it is stored but what people have done by hand. A membership is a row of
either source below; both have `group`, `contact` and `assignment`.
"""

from datetime import date

from django.db.models import (
    BigIntegerField,
    Count,
    F,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
)
from django.db.models.functions import Coalesce

from companies.models import Contact, ContactAssignment, ContactAssignmentQuerySet
from companies.models.assignment import Role

from .models import (
    CustomerGroup,
    CustomerGroupQuerySet,
    GroupMember,
    GroupMemberQuerySet,
    Kind,
)

ROLES = {
    Kind.ADMINS: Role.ADMIN,
    Kind.BUYERS: Role.BUYER,
    Kind.REQUESTERS: Role.REQUESTER,
}
NO_ASSIGNMENT = Value(None, output_field=BigIntegerField())


def by_assignment(on: date | None = None) -> ContactAssignmentQuerySet:
    """Members of automatic groups: assignments, once for each group that they give.

    In force on that day (default: today). Annotates `group`, its `kind`, `assignment`.
    """
    gives = Q(kind=Kind.CONTACTS)
    for kind, role in ROLES.items():
        gives |= Q(kind=kind, role=role)
    rows = ContactAssignment.objects.in_force(on).annotate(
        group=F("company__customer_groups"),
        kind=F("company__customer_groups__kind"),
        assignment=F("pk"),
    )
    return rows.filter(gives)


def by_hand(on: date | None = None) -> GroupMemberQuerySet:
    """Members of custom groups who count on that day. Annotates `assignment`: none."""
    return GroupMember.objects.in_force(on).annotate(assignment=NO_ASSIGNMENT)


def members_of(group: CustomerGroup, on: date | None = None) -> QuerySet:
    """Who is in the group on that day; rows with `contact`."""
    rows = by_assignment(on) if group.is_automatic else by_hand(on)
    return rows.filter(group=group.pk)


def listed_in(group: CustomerGroup) -> QuerySet:
    """Who is in the group today, and who is in it by hand without counting today.

    Annotates `in_force`: whether the member counts.
    """
    if group.is_automatic:
        return members_of(group).annotate(in_force=Value(True))
    by_hand = group.memberships.with_in_force()
    return by_hand.annotate(assignment=NO_ASSIGNMENT)


def groups_of(contact: Contact, on: date | None = None) -> QuerySet:
    """The ids of the groups in which the contact is on that day, for `pk__in=`."""
    assigned, put = (
        rows(on).filter(contact=contact).order_by().values("group")
        for rows in (by_assignment, by_hand)
    )
    return assigned.union(put, all=True).order_by()


def with_members_count(groups: CustomerGroupQuerySet) -> CustomerGroupQuerySet:
    """Annotate `members_count`: how many are in each group today."""

    def count(rows: QuerySet) -> Coalesce:
        mine = rows.filter(group=OuterRef("pk")).order_by().values("group")
        counted = mine.annotate(number=Count("pk")).values("number")
        return Coalesce(Subquery(counted, output_field=IntegerField()), 0)

    return groups.annotate(members_count=count(by_assignment()) + count(by_hand()))
