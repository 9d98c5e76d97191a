"""What a person may do at a company, when a shop acts for them.

Rights come from assignments, are read afresh on every call, and flow down only.
"""

from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from config.actors import Actor
from config.clean import clean_changes
from config.db import in_transaction, locked
from config.errors import Forbidden, StaleVersion
from integrations.models import ApiClient

from .models import Company, Contact, ContactAssignment
from .models.assignment import Role
from .services import ASSIGNED, check_version, invite_person, watching_rights

STRENGTH = [*Role, ""]


class NeedsRole(Forbidden):
    """`details` names the role that may do it."""

    code = "needs_role"
    default_message = _("This person has not the role for it.")


class OwnRole(Forbidden):
    code = "own_role"
    default_message = _("Nobody changes their own role or dates.")


class BeyondReach(Forbidden):
    code = "beyond_reach"
    default_message = _("Nobody gives others more than they have themselves.")


class AssignedAbove(Forbidden):
    """`details` names the company."""

    code = "assigned_above"
    default_message = _("The role comes from a company above, and is changed there.")


class SharedFromAbove(Forbidden):
    """`details` names the company."""

    code = "shared_from_above"
    default_message = _("A company above shares the location, and changes it.")


class ManagedBySeller(Forbidden):
    code = "managed_by_seller"
    default_message = _("The person also works elsewhere: the seller changes the data.")


@dataclass(frozen=True, slots=True)
class Standpoint:
    """A person at a company, with the assignments that give rights there now.

    The strongest first; of equal ones the nearest.
    """

    contact: Contact
    company: int
    assignments: tuple[ContactAssignment, ...]

    @property
    def role(self) -> str:
        """The strongest role; "" for somebody who may not buy."""
        return self.assignments[0].role

    @property
    def is_admin(self) -> bool:
        return self.role == Role.ADMIN

    @property
    def covers_subsidiaries(self) -> bool:
        """Whether the person is an admin of all that is below the company, too."""
        return any(
            one.role == Role.ADMIN and one.covers_subsidiaries
            for one in self.assignments
        )

    def need_admin(self) -> None:
        """Raise NeedsRole for anybody else."""
        if not self.is_admin:
            raise NeedsRole(role=str(Role.ADMIN))

    def administers_all_of(self, contact: Contact) -> bool:
        """Whether all assignments of the person are within this admin's reach."""
        mine = [one for one in self.assignments if one.role == Role.ADMIN]
        whole = [one.company_id for one in mine if one.covers_subsidiaries]
        below = Company.objects.under_any(whole).order_by()
        outside = contact.assignments.exclude(
            Q(company__in=[one.company_id for one in mine]) | Q(company__in=below)
        )
        return not outside.exists()


def standpoint_of(contact: int, company: int, client: ApiClient) -> Standpoint | None:
    """The person at the company, as far as the client sees both.

    None: no such person or company, deactivated, or without an assignment in force
    that reaches the company.
    """
    if not Company.objects.visible_to(client).filter(pk=company).exists():
        return None
    return _read(contact, company)


def _read(contact: int, company: int) -> Standpoint | None:
    found = (
        ContactAssignment.objects.counting_in(company)
        .filter(contact=contact)
        .select_related("contact")
    )
    assignments = sorted(
        found, key=lambda one: (STRENGTH.index(one.role), one.company_id != company)
    )
    if not assignments:
        return None
    return Standpoint(assignments[0].contact, company, tuple(assignments))


def _lock_admin(standpoint: Standpoint, *others: int) -> Standpoint:
    """The admin's standpoint, read again with nobody taking a right from them now.

    Raises NeedsRole. Locks in the order in which assignments do: company, people.
    """
    people = Contact.objects.filter(pk__in=[standpoint.contact.pk, *others])
    list(locked(Company.objects.filter(pk=standpoint.company)).values_list("pk"))
    list(locked(people).values_list("pk"))
    again = _read(standpoint.contact.pk, standpoint.company)
    if again is None:
        raise NeedsRole(role=str(Role.ADMIN))
    again.need_admin()
    return again


@in_transaction
def invite(
    standpoint: Standpoint, *, actor: Actor, email: str, **fields: Any
) -> ContactAssignment:
    """Assign a person to the company, by e-mail; somebody new if nobody has it.

    Who is known elsewhere keeps the data they have: the answer does not tell. Raises
    NeedsRole, BeyondReach, ValidationError (`already_assigned`).
    """
    known = Contact.objects.with_email(email).values_list("pk", flat=True)
    standpoint = _lock_admin(standpoint, *known)
    assigned = {name: fields[name] for name in ASSIGNED if name in fields}
    _refuse_beyond(standpoint, assigned)
    return invite_person(standpoint.company, actor=actor, email=email, **fields)


@in_transaction
def change_assignment(
    standpoint: Standpoint,
    assignment: ContactAssignment,
    *,
    actor: Actor,
    expected_version: int,
    confirm: bool,
    **fields: Any,
) -> ContactAssignment:
    """Change role, type, reach or dates of somebody at the company.

    Raises NeedsRole, OwnRole, AssignedAbove, BeyondReach, StaleVersion, LastAdmin,
    ValidationError, and without `confirm` WouldStrandRequests.
    """
    assignment = _to_change(standpoint, assignment, expected_version, fields)
    changed = {name for name in fields if getattr(assignment, name) != fields[name]}
    for name in changed:
        setattr(assignment, name, fields[name])
    if changed:
        clean_changes(assignment, changed)
        with watching_rights(contact=assignment.contact_id, confirm=confirm):
            assignment.by(actor).save()
    return assignment


@in_transaction
def end_assignment(
    standpoint: Standpoint,
    assignment: ContactAssignment,
    *,
    actor: Actor,
    expected_version: int,
    confirm: bool,
) -> None:
    """The person works at the company no more. Raises what a change raises."""
    assignment = _to_change(standpoint, assignment, expected_version, {})
    with watching_rights(contact=assignment.contact_id, confirm=confirm):
        assignment.by(actor).delete()


def _to_change(
    standpoint: Standpoint,
    assignment: ContactAssignment,
    expected_version: int,
    fields: dict[str, Any],
) -> ContactAssignment:
    """The assignment, read again under the locks of who may change it."""
    standpoint = _lock_admin(standpoint, assignment.contact_id)
    if assignment.contact_id == standpoint.contact.pk:
        raise OwnRole
    if assignment.company_id != standpoint.company:
        raise AssignedAbove(company=assignment.company_id)
    _refuse_beyond(standpoint, fields)
    found = ContactAssignment.objects.filter(pk=assignment.pk).first()
    if found is None:
        raise StaleVersion(version=None)
    check_version(found, expected_version)
    return found


@in_transaction
def edit_person(
    standpoint: Standpoint,
    contact: Contact,
    *,
    actor: Actor,
    expected_version: int,
    **fields: Any,
) -> Contact:
    """Change names, phone, job title, language: one's own, or an admin somebody's.

    Raises NeedsRole, ManagedBySeller, StaleVersion, ValidationError.
    """
    if contact.pk != standpoint.contact.pk:
        standpoint = _lock_admin(standpoint, contact.pk)
        if not standpoint.administers_all_of(contact):
            raise ManagedBySeller
    contact = locked(Contact.objects.filter(pk=contact.pk)).get()
    check_version(contact, expected_version)
    changed = {name for name in fields if getattr(contact, name) != fields[name]}
    for name in changed:
        setattr(contact, name, fields[name])
    if changed:
        clean_changes(contact, changed)
        contact.by(actor).save()
    return contact


def _refuse_beyond(standpoint: Standpoint, assigned: dict[str, Any]) -> None:
    if assigned.get("covers_subsidiaries") and not standpoint.covers_subsidiaries:
        raise BeyondReach
