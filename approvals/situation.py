"""Reads what the rules decide from: a few queries, however many companies there are."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import wraps

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from companies.errors import TreeChanged
from companies.models import Company, Contact, ContactAssignment
from config.db import acquire_hierarchies, locked

from .models import ApprovalGroupMember, PurchaseLimit
from .rules import (
    CompanyOnPath,
    GroupOnPath,
    Holding,
    LimitState,
    Membership,
    Path,
    Person,
    Role,
    Situation,
)

MOST_TRIES = 20
NAMED = ("contact__first_name", "contact__last_name", "contact__email")


class HierarchyChanged(TreeChanged):
    """The company was moved to another hierarchy while we waited for its lock."""


@dataclass(frozen=True, slots=True)
class People:
    """Who could approve something for a company on the path, before any choice."""

    holdings: tuple[Holding, ...]
    memberships: tuple[Membership, ...]


def in_locked_hierarchy[**P, T](work: Callable[P, T]) -> Callable[P, T]:
    """Run the service in a transaction; anew if its company changed the hierarchy.

    Starting over gives the lock of the former hierarchy back: nobody ever waits for
    one hierarchy while holding another.
    """

    @wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        tries = MOST_TRIES
        while True:
            tries -= 1
            try:
                with transaction.atomic():
                    return work(*args, **kwargs)
            except HierarchyChanged:
                if not tries:
                    raise

    return run


def read_path(company: int) -> Path:
    """The company and those above it, each with its approval groups; one query."""
    rows = (
        Company.objects.above(company)
        .with_place()
        .order_by("depth", "pk", "approval_groups__id")
        .values_list(
            "pk", "name", "status", "approval_groups__id", "approval_groups__name"
        )
    )
    path: dict[int, CompanyOnPath] = {}
    for pk, name, status, group, group_name in rows:
        groups = path[pk].groups if pk in path else ()
        if group is not None:
            groups = (*groups, GroupOnPath(id=group, name=group_name))
        path[pk] = CompanyOnPath(id=pk, name=name, status=status, groups=groups)
    if not path:
        raise Company.DoesNotExist(f"Company {company} is gone.")
    return tuple(path.values())


def lock_path(company: int) -> Path:
    """The path of the company, with its hierarchy locked against changes of the tree.

    Shared: others may buy in the hierarchy meanwhile, but nobody moves a company or
    puts one on hold. Raises HierarchyChanged if the company was moved to another one
    while we waited; the caller gives everything back and starts over.
    """
    places = Company.objects.with_place().order_by().filter(pk=company)
    head = places.values_list("head", flat=True).get()
    acquire_hierarchies([head], shared=True)
    path = read_path(company)
    if path[0].id != head:
        raise HierarchyChanged(companies=[company])
    return path


def lock_person(contact: int) -> Contact:
    """The person, of whom until the end nobody takes a right or deactivates them."""
    return locked(Contact.objects.filter(pk=contact)).get()


def read_situation(path: Path, person: Contact) -> Situation:
    """Roles and limits for a purchase of the last company of the path by a person."""
    company = path[-1].id
    assignments = ContactAssignment.objects.in_force().filter(contact=person)
    names = {on_path.id: on_path.name for on_path in path}
    limits = tuple(
        LimitState(
            id=limit.pk,
            name=limit.name,
            company=limit.company_id,
            company_name=names[limit.company_id],
            cap=limit.amount,
            currency=limit.currency,
            period=limit.period,
            scope=limit.scope,
            on_exceed=limit.on_exceed,
            whom=limit.binds,
            roles=tuple(limit.roles),
            contact=limit.contact_id,
        )
        for limit in PurchaseLimit.objects.binding(company)
    )
    return Situation(
        path=path,
        person=Person(id=person.pk, name=person.name),
        person_is_active=person.is_active,
        holdings=_holdings(assignments, path),
        limits=limits,
    )


def read_people(path: Path, roles: Collection[str]) -> People:
    """Who holds one of the roles, or admin, on the path, and who is in its groups."""
    company = path[-1].id
    counting = Q(company=company) | Q(covers_subsidiaries=True)
    wanted = Q(role=Role.ADMIN) | Q(role__in=roles) & counting
    holdings = ContactAssignment.objects.in_force().filter(wanted)
    memberships: tuple[Membership, ...] = ()
    if groups := [group.id for on_path in path for group in on_path.groups]:
        memberships = _memberships(groups, company)
    return People(holdings=_holdings(holdings, path), memberships=memberships)


def _holdings(rows: QuerySet[ContactAssignment], path: Path) -> tuple[Holding, ...]:
    found = (
        rows.filter(company__in=[company.id for company in path])
        .order_by("pk")
        .values_list(
            "pk", "company_id", "role", "covers_subsidiaries", "contact_id", *NAMED
        )
    )
    return tuple(
        Holding(
            assignment=pk,
            company=company,
            role=role,
            covers_subsidiaries=covers,
            person=_person(contact, *name),
        )
        for pk, company, role, covers, contact, *name in found
    )


def _memberships(groups: list[int], company: int) -> tuple[Membership, ...]:
    """Members who are active and still assigned somewhere in the hierarchy."""
    hierarchy = Company.objects.in_hierarchy_of(company).order_by()
    assigned = ContactAssignment.objects.in_force().filter(
        contact=OuterRef("contact"), company__in=hierarchy
    )
    found = (
        ApprovalGroupMember.objects.filter(Exists(assigned), group__in=groups)
        .order_by("group_id", "pk")
        .values_list("group_id", "contact_id", *NAMED)
    )
    return tuple(
        Membership(group=group, person=_person(contact, *name))
        for group, contact, *name in found
    )


def _person(pk: int, first_name: str, last_name: str, email: str) -> Person:
    contact = Contact(first_name=first_name, last_name=last_name, email=email)
    return Person(id=pk, name=contact.name)
