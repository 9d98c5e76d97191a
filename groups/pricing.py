"""The question of a price engine: which price lists apply for this person here?

Reads what the rules decide from, in a few queries whatever the size of the hierarchy,
and says in words what came out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from companies.models import Company, Contact
from integrations.models import ApiClient

from .membership import by_assignment
from .models import CustomerGroup
from .models.group import shown_name
from .rules import Counting, Group, Held, Way, counting_groups, price_lists
from .services import propagation_of

COLUMNS = ("pk", "kind", "company_id", "name", "code", "price_list")


@dataclass(frozen=True, slots=True)
class PricingContext:
    """The groups that count for a purchase; `obstacle` says why there are none."""

    contact: int
    company: int
    propagation: str
    names: Mapping[int, str]  # of companies
    counting: tuple[Counting, ...] = ()
    obstacle: str | None = None


def pricing_context(
    contact: Contact, company: Company, *, client: ApiClient | None = None
) -> PricingContext:
    """Which groups count for the contact who buys for the company, in which order.

    `client`: as far as this client sees companies, assignments and groups. Whether the
    company may buy plays no part: prices are shown before a hold ends.
    """
    mode = str(propagation_of(company).mode)
    nothing = (contact.pk, company.pk, mode, {})
    if not contact.is_active:
        return PricingContext(*nothing, obstacle="contact_not_active")
    held = _held(contact, company, client)
    if not held:
        return PricingContext(*nothing, obstacle="not_assigned")
    above = Company.objects.above_any({company.pk, *[one.company for one in held]})
    rows = _seen(above.order_by(), client).values_list("pk", "parent_id", "name")
    parents = {pk: parent for pk, parent, _name in rows}
    path = _path(company.pk, parents)
    counting = counting_groups(
        path=path,
        parents=parents,
        mode=mode,
        held=held,
        automatic=_automatic(path),
        by_hand=_by_hand(contact, path, client),
    )
    names = {pk: name for pk, _parent, name in rows}
    return PricingContext(contact.pk, company.pk, mode, names, counting)


def _seen(rows: Any, client: ApiClient | None) -> Any:
    return rows if client is None else rows.visible_to(client)


def _held(contact: Contact, company: Company, client: ApiClient | None) -> list[Held]:
    """What assignments in the hierarchy of the company give today."""
    hierarchy = Company.objects.in_hierarchy_of(company).order_by()
    rows = _seen(by_assignment(), client).filter(contact=contact, company__in=hierarchy)
    found = rows.order_by("pk").values_list("kind", "company_id", "assignment")
    return [Held(*row) for row in found]


def _path(company: int, parents: Mapping[int, int | None]) -> list[int]:
    path = [company]
    while (above := parents.get(path[-1])) in parents:
        path.append(above)
    return path


def _automatic(path: Sequence[int]) -> list[Group]:
    groups = CustomerGroup.objects.automatic().filter(company__in=path)
    return [Group(*row) for row in groups.order_by().values_list(*COLUMNS)]


def _by_hand(
    contact: Contact, path: Sequence[int], client: ApiClient | None
) -> list[Group]:
    """Each membership counts: the contact is active and assigned in the hierarchy."""
    places = Q(company__in=path) | Q(company=None)
    mine = _seen(CustomerGroup.objects.custom(), client).filter(
        places, memberships__contact=contact
    )
    return [Group(*row) for row in mine.order_by().values_list(*COLUMNS)]


OBSTACLES = {
    "contact_not_active": _("The contact is deactivated."),
    "not_assigned": _("The contact is not assigned in the hierarchy of the company."),
}
SENTENCES = {
    Way.DIRECT: _("Assigned to %(company)s."),
    Way.UPWARD: _("Assigned to %(company)s, which is below %(group_of)s."),
    Way.DOWNWARD: _("Assigned to %(company)s, which is above %(group_of)s."),
    Way.BY_HAND: _("Added by hand."),
}


def answer(context: PricingContext) -> dict[str, Any]:
    """The context as the API shows it, with sentences for people."""
    code, lists = context.obstacle, price_lists(context.counting)
    return {
        "contact": context.contact,
        "company": context.company,
        "propagation": context.propagation,
        "reason": code and {"code": code, "message": str(OBSTACLES[code])},
        "groups": [_group(one, context.names) for one in context.counting],
        "price_lists": [
            {"code": price_list, "group": group} for price_list, group in lists.items()
        ],
    }


def _group(one: Counting, names: Mapping[int, str]) -> dict[str, Any]:
    group, held = one.group, one.why.held
    group_of = group.company and names[group.company]
    told = {"company": held and names[held.company], "group_of": group_of}
    return {
        "id": group.id,
        "company": group.company,
        "kind": group.kind,
        "name": shown_name(group.kind, group.name, group_of),
        "code": group.code,
        "price_list": group.price_list,
        "why": {
            "code": str(one.why.way),
            "company": held and held.company,
            "assignment": held and held.assignment,
            "message": SENTENCES[one.why.way] % told,
        },
    }
