"""Approval groups and their members: who is in, who leaves, and what it ends."""

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from companies.models import Company, Contact, ContactAssignment
from config.actors import Actor
from config.clean import clean_changes
from config.db import locked

from . import stranding
from .errors import GroupInUse
from .locks import in_locked_hierarchy, lock_hierarchy_of, lock_row
from .models import ApprovalGroup, ApprovalGroupMember, ApprovalRuleStep


@in_locked_hierarchy
def create_approval_group(
    *,
    company: Company,
    actor: Actor,
    members: Iterable[Contact | int] = (),
    **fields: Any,
) -> ApprovalGroup:
    """A new approval group with its members. Raises ValidationError."""
    lock_hierarchy_of(company.pk)
    group = ApprovalGroup(company=company, **fields)
    group.by(actor).full_clean()
    group.save()
    _set_members(group, members, actor)
    return group


@in_locked_hierarchy
def update_approval_group(
    group: ApprovalGroup,
    *,
    actor: Actor,
    expected_version: int,
    members: Iterable[Contact | int] | None = None,
    confirm: bool = True,
    **fields: Any,
) -> ApprovalGroup:
    """Change fields, and members if given: the whole list, who is missing leaves.

    Whoever leaves no longer decides, from the next call on. Raises ValidationError,
    StaleVersion, and without `confirm` WouldStrandRequests.
    """
    lock_hierarchy_of(group.company_id)
    group = lock_row(group, expected_version)
    changed = {name for name, value in fields.items() if getattr(group, name) != value}
    for name in changed:
        setattr(group, name, fields[name])
    clean_changes(group, changed)
    with stranding.watching(stranding.below(group.company_id), confirm=confirm):
        moved = members is not None and _set_members(group, members, actor)
        if changed or moved:
            group.by(actor).save()
    return group


@in_locked_hierarchy
def delete_approval_group(
    group: ApprovalGroup, *, actor: Actor, expected_version: int, confirm: bool = True
) -> None:
    """Delete the group. Requests that wait for it move on to others.

    Raises StaleVersion, GroupInUse if a rule asks it, and without `confirm`
    WouldStrandRequests.
    """
    lock_hierarchy_of(group.company_id)
    group = lock_row(group, expected_version)
    _refuse_if_asked_by_rules(group)
    with stranding.watching(stranding.below(group.company_id), confirm=confirm):
        _set_members(group, (), actor)
        group.by(actor).delete()


def _refuse_if_asked_by_rules(group: ApprovalGroup) -> None:
    steps = ApprovalRuleStep.objects.filter(approval_group=group).order_by("rule")
    asking = steps.select_related("rule__company").first()
    if asking is not None:
        text = _("The rule \u201c%(rule)s\u201d of %(company)s asks this group.")
        names = {"rule": asking.rule.name, "company": asking.rule.company.name}
        raise GroupInUse(text % names, rule=asking.rule_id)


def _set_members(
    group: ApprovalGroup, members: Iterable[Contact | int], actor: Actor
) -> bool:
    """Make these people the members; whether anything changed."""
    wanted = {getattr(member, "pk", member) for member in members}
    rows = {row.contact_id: row for row in group.memberships.all()}
    leaving, coming = sorted(rows.keys() - wanted), sorted(wanted - rows.keys())
    _refuse_strangers(group, coming)
    # Nobody decides by a right that ends at this moment: deciders lock their own row.
    list(locked(Contact.objects.filter(pk__in=leaving)).values_list("pk"))
    for contact in leaving:
        rows[contact]._history_user = actor
        rows[contact].delete()
    for contact in coming:
        row = ApprovalGroupMember(group=group, contact_id=contact)
        row._history_user = actor
        row.save()
    return bool(leaving or coming)


def _refuse_strangers(group: ApprovalGroup, contacts: list[int]) -> None:
    """Members are people assigned somewhere in the hierarchy of the group's company."""
    if not contacts:
        return
    hierarchy = Company.objects.in_hierarchy_of(group.company_id).order_by()
    known = ContactAssignment.objects.filter(
        contact__in=contacts, company__in=hierarchy
    ).values_list("contact", flat=True)
    if strangers := sorted(set(contacts) - set(known)):
        raise ValidationError(
            {
                "members": ValidationError(
                    _("Not assigned in this hierarchy: %(contacts)s."),
                    code="not_in_hierarchy",
                    params={"contacts": ", ".join(map(str, strangers))},
                )
            }
        )
