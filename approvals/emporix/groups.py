"""Groups of the IAM service: the automatic ones give roles, others become ours."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from companies.models import ContactAssignment

from .findings import Findings
from .objects import Kind, Node
from .people import People, assigned_below

Role = ContactAssignment.Role
# The four that each legal entity has by itself: by role, or by code.
AUTOMATIC = {
    "admin": Role.ADMIN,
    "buyer": Role.BUYER,
    "requester": Role.REQUESTER,
    "contact": "",
    "b2b_admin": Role.ADMIN,
    "b2b_buyer": Role.BUYER,
    "b2b_requester": Role.REQUESTER,
}
EVERYBODY = "CUSTOMER"  # the code of the group that each customer of the shop is in


@dataclass(slots=True)
class Group:
    """A group that becomes a custom one; `entity` "": across companies."""

    node: Node
    name: str | None
    entity: str
    members: list[tuple[Node, str]] = field(default_factory=list)  # with customer


@dataclass(slots=True)
class Groups:
    """What the groups say: who has which role where, and which are custom."""

    roles: dict[tuple[str, str], str] = field(default_factory=dict)
    custom: list[Group] = field(default_factory=list)


def read_groups(
    groups: Mapping[str, Node],
    members: Iterable[Node],
    entities: Iterable[Node],
    people: People,
    findings: Findings,
    *,
    language: str,
) -> Groups:
    """Judge groups by themselves and by the legal entities that name them."""
    entities = list(entities)
    parents = {one.name: str(one.data.get("parentId") or "") for one in entities}
    naming = _naming(entities, groups)
    found = Groups()
    by_group: dict[str, list[tuple[Node, str]]] = defaultdict(list)
    for member in members:
        _note_member(member, by_group, groups, findings)
    for group in groups.values():
        _read_group(group, naming, by_group, found, language)
    for group in groups.values():
        entity, role = group.text("b2b.legalEntityId") or "", _role(group)
        if role is not None and entity:
            for member, customer in by_group[group.name]:
                _give(found, member, (entity, customer), role, people, parents)
    if groups and not by_group:
        findings.notes.append(
            "no users of groups are in the files: nobody is given a role"
        )
    return found


def _naming(
    entities: Iterable[Node], groups: Mapping[str, Node]
) -> dict[str, list[str]]:
    """The entities that name each group. Of automatic ones the role is enough."""
    found: dict[str, list[str]] = defaultdict(list)
    for entity in entities:
        for part in entity.objects("customerGroups") or ():
            name, role = part.text("id"), part.text("role") or ""
            part.seen.update(part.data)
            if name in groups:
                found[name].append(entity.name)
            elif role.lower() not in AUTOMATIC:
                message = _("The files have no group %s.") % (name or "without an id")
                part.refuse("unknown_group", message, "id")
    return found


def _role(group: Node) -> str | None:
    """The role that an automatic group gives; None for others."""
    for path in ("b2b.role", "code"):
        said = (group.text(path) or "").lower()
        if said in AUTOMATIC:
            return AUTOMATIC[said]
    return None


def _note_member(
    member: Node,
    by_group: dict[str, list[tuple[Node, str]]],
    groups: Mapping[str, Node],
    findings: Findings,
) -> None:
    group, user = member.text("groupId"), member.text("userId")
    if member.text("userType") == "EMPLOYEE":
        findings.leave_out(member.kind, "of employees")
    elif not group or not user:
        path = "userId" if group else "groupId"
        if not member.is_bad():
            member.refuse("required", _("It is empty."), path)
    elif group not in groups:
        message = _("The files have no group %s.") % group
        member.refuse("unknown_group", message, "groupId")
    else:
        by_group[group].append((member, user))


def _read_group(
    group: Node,
    naming: Mapping[str, list[str]],
    by_group: Mapping[str, list[tuple[Node, str]]],
    found: Groups,
    language: str,
) -> None:
    findings, of_kind = group.findings, group.text("userType")
    entity = group.text("b2b.legalEntityId") or ""
    if of_kind == "EMPLOYEE":
        findings.leave_out(group.kind, "of employees")
    elif group.text("code") == EVERYBODY:
        findings.leave_out(group.kind, "of all customers")
    elif _role(group) is None:
        named = naming.get(group.name, [])
        if not entity and len(named) == 1:
            entity = named[0]
        for other in named:
            if entity and other != entity:
                findings.leave_out(Kind.ENTITY, "customerGroups[] of another one")
        for path in ("code", "b2b.role"):
            if group.text(path):
                findings.leave_out(group.kind, path)
        name = group.localized("name", language)
        custom = Group(group, name, entity, list(by_group.get(group.name, ())))
        found.custom.append(custom)
        return
    group.seen.update(group.data)  # what is in it follows from what ours are


def _give(
    found: Groups,
    member: Node,
    place: tuple[str, str],
    role: str,
    people: People,
    parents: dict[str, str],
) -> None:
    entity, customer = place
    if entity not in people.entities_of.get(customer, ()):
        where = "without an assignment to its legal entity"
        if assigned_below(entity, customer, people, parents):
            where = "come up from a subsidiary: computed here"
        member.findings.leave_out(member.kind, where)
    elif not role:
        return  # everybody who is assigned is among the contacts
    elif found.roles.setdefault(place, role) != role:
        message = _("The customer is in two groups of the legal entity: %s.")
        member.refuse("second_role", message % f"{found.roles[place]}, {role}")


def approvers(entities: Iterable[Node], people: People) -> list[tuple[Node, list[str]]]:
    """The legal entities with the customers of their approval groups, if told."""
    found = []
    for entity in entities:
        parts = entity.objects("approvalGroup")
        if parts is None:
            continue
        customers = []
        for part in parts:
            name = part.text("id") or ""
            customer = part.text("customer.id") or people.of_assignment.get(name)
            part.seen.update(part.data)  # a copy of an assignment
            if customer:
                customers.append(customer)
            else:
                message = _("The files have no contact assignment %s.") % name
                part.refuse("unknown_assignment", message, "id")
        found.append((entity, customers))
    return found
