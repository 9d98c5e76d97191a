"""Custom groups and approval groups, stored by the services of their apps."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from approvals.membership import create_approval_group, update_approval_group
from approvals.models import ApprovalGroup
from companies.imports import Caller
from companies.imports.filling import visible_companies
from companies.models import Company, Contact
from config.clean import clean_changes
from config.errors import DomainError
from groups.models import CustomerGroup
from groups.services import add_member

from .groups import Group
from .objects import Node

CODE = "emporix"  # of an approval group: there it has no id of its own
NAME = "Approval group"
BATCH = 1_000


class Storing:
    """Stores groups for a caller, and counts them."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.totals: dict[str, Counter[str]] = {}

    def _count(self, what: str, done: str) -> None:
        self.totals.setdefault(what, Counter())[done] += 1

    # --- custom groups

    def custom_groups(self, groups: Iterable[Group]) -> None:
        groups = list(groups)
        companies = visible_companies((group.entity for group in groups), self.caller)
        people = _contacts(name for group in groups for _node, name in group.members)
        for group in groups:
            company = companies.get(group.entity.lower())
            if group.entity and company is None:
                message = _("There is no company of this code.")
                group.node.refuse("unknown_company", message, "b2b.legalEntityId")
                continue
            with _refusing(group.node):
                stored = self._custom_group(group, company)
                self._members(group, stored, people)

    def _custom_group(self, group: Group, company: Company | None) -> CustomerGroup:
        by = (self.caller.actor, self.caller.reason)
        stored = CustomerGroup.objects.with_code(group.node.name).first()
        if stored is None:
            stored = CustomerGroup(
                company=company, code=group.node.name, name=group.name or ""
            )
            stored.by(*by).full_clean()
            stored.save()
            self._count("customer groups", "created")
            return stored
        if stored.company_id != (company and company.pk):
            message = _("The group is stored for another company, and stays with it.")
            error = ValidationError(message, code="read_only")
            raise ValidationError({"company": error})
        if group.name is not None and stored.name != group.name:
            stored.name = group.name
            clean_changes(stored.by(*by), {"name"})
            stored.save(update_fields=["name"])
            self._count("customer groups", "updated")
        else:
            self._count("customer groups", "unchanged")
        return stored

    def _members(
        self, group: Group, stored: CustomerGroup, people: dict[str, Contact]
    ) -> None:
        """Who is missing comes in; nobody is taken out."""
        inside = set(stored.memberships.values_list("contact", flat=True))
        for node, name in group.members:
            contact = people.get(name)
            if contact is None:
                node.findings.leave_out(node.kind, "of no legal entity")
            elif contact.pk in inside:
                self._count("members of customer groups", "unchanged")
            else:
                with _refusing(node):
                    add_member(stored, contact, actor=self.caller.actor)
                    inside.add(contact.pk)
                    self._count("members of customer groups", "created")

    # --- approval groups

    def approval_groups(self, told: Iterable[tuple[Node, list[str]]]) -> None:
        """The group of each entity is as the list says: who is missing there leaves."""
        told = list(told)
        companies = visible_companies((node.name for node, _c in told), self.caller)
        people = _contacts(name for _node, names in told for name in names)
        groups = _approval_groups(companies.values())
        for node, names in told:
            company = companies[node.name.lower()]
            unknown = [name for name in names if name not in people]
            for name in unknown:
                message = _("There is no contact of customer %s.") % name
                node.refuse("unknown_customer", message, "approvalGroup[].customer.id")
            if not unknown:
                members = {people[name].pk for name in names}
                with _refusing(node, "approvalGroup"):
                    self._approval_group(company, groups.get(company.pk), members)

    def _approval_group(
        self, company: Company, group: ApprovalGroup | None, members: set[int]
    ) -> None:
        actor = self.caller.actor
        if group is None:
            if members:
                create_approval_group(
                    company=company, actor=actor, members=members, code=CODE, name=NAME
                )
                self._count("approval groups", "created")
        elif set(group.memberships.values_list("contact", flat=True)) == members:
            self._count("approval groups", "unchanged")
        else:
            update_approval_group(
                group,
                actor=actor,
                expected_version=group.version,
                members=members,
                confirm=self.caller.confirm,
            )
            self._count("approval groups", "updated")


def _contacts(names: Iterable[str]) -> dict[str, Contact]:
    """The contacts of these customers, by their ids."""
    wanted, found = sorted(set(names)), {}
    for start in range(0, len(wanted), BATCH):
        part = wanted[start : start + BATCH]
        rows = Contact.objects.filter(external_id__in=part).order_by()
        found |= {contact.external_id: contact for contact in rows}
    return found


def _approval_groups(companies: Iterable[Company]) -> dict[int, ApprovalGroup]:
    pks, found = [company.pk for company in companies], {}
    for start in range(0, len(pks), BATCH):
        rows = ApprovalGroup.objects.filter(company__in=pks[start : start + BATCH])
        found |= {g.company_id: g for g in rows.filter(code=CODE).order_by()}
    return found


FIELDS = {"company": "b2b.legalEntityId", "contact": "userId", "code": "id"}


@contextmanager
def _refusing(node: Node, path: str = "") -> Iterator[Any]:
    """What a service refuses is said of the object."""
    try:
        yield
    except DomainError as error:
        node.refuse(error.code, error.message, path)
    except ValidationError as error:
        for name, errors in error.update_error_dict({}).items():
            for one in errors:
                text = " ".join(one.messages)
                node.refuse(one.code or "invalid", text, path or FIELDS.get(name, name))
