"""Makes custom groups, and says who is where, for tests."""

from typing import Any

from companies.models import Company, Contact
from groups.membership import groups_of, members_of
from groups.models import CustomerGroup, GroupMember
from tests.factories import make_assignment, make_contact, numbers


def person(company: Company, role: str = "", **fields: Any) -> Contact:
    """Somebody assigned to the company in that role."""
    contact = fields.pop("contact", None) or make_contact()
    make_assignment(contact=contact, company=company, role=role, **fields)
    return contact


def automatic(company: Company, kind: str = "BUYERS") -> CustomerGroup:
    return company.customer_groups.get(kind=kind)


def make_group(*members: Contact, **fields: Any) -> CustomerGroup:
    """A custom group, across companies if no company is named."""
    group = CustomerGroup.objects.create(
        **{"name": f"Group {next(numbers)}", "company": None} | fields
    )
    for contact in members:
        GroupMember.objects.create(group=group, contact=contact)
    return group


def kinds_of(contact: Contact, **options: Any) -> set[tuple[str, str]]:
    """The groups of the contact: name of the company, and kind or own name."""
    groups = CustomerGroup.objects.filter(pk__in=groups_of(contact, **options))
    return {
        (group.company.name if group.company else "", group.name or group.kind)
        for group in groups.select_related("company")
    }


def members(group: CustomerGroup, **options: Any) -> list[int]:
    return sorted(members_of(group, **options).values_list("contact", flat=True))
