"""The question of a price engine: which price lists apply for this person here?

Reads what the rules decide from, in a few queries whatever the size of the hierarchy,
and says in words what came out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from companies.models import Company, Contact
from config.compiled import compiled
from integrations.models import ApiClient

from .membership import by_assignment
from .models import CustomerGroup, GroupPropagation
from .models.group import shown_name
from .rules import Counting, Group, Held, Way, counting_groups, price_lists

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
    mode = _mode_in(company)
    nothing = (contact.pk, company.pk, mode, {})
    if not contact.is_active:
        return PricingContext(*nothing, obstacle="contact_not_active")
    today = timezone.localdate()
    rows = _held(contact.pk, company.pk, today, client=client)
    held = [Held(*row) for row in rows]
    if not held:
        return PricingContext(*nothing, obstacle="not_assigned")
    below = sorted({company.pk, *[one.company for one in held]})
    rows = _above(below, client=client)
    parents = {pk: parent for pk, parent, _name in rows}
    path = _path(company.pk, parents)
    counting = counting_groups(
        path=path,
        parents=parents,
        mode=mode,
        held=held,
        automatic=[Group(*row) for row in _automatic(path)],
        by_hand=[Group(*row) for row in _by_hand(contact.pk, path, client=client)],
    )
    names = {pk: name for pk, _parent, name in rows}
    return PricingContext(contact.pk, company.pk, mode, names, counting)


type Seen = Callable[[Any], Any]  # narrows rows to those that a client sees


def _as_seen(write: Callable[..., QuerySet]) -> Callable[..., list[Any]]:
    """The rows of a query that takes `Seen` last, as far as the client sees them.

    For who sees everything, with SQL that is kept.
    """
    whole = compiled(lambda *arguments: write(*arguments, _everything))

    def ask(*arguments: Any, client: ApiClient | None) -> list[Any]:
        if client is None or client.sees_all_hierarchies:
            return whole(*arguments)
        return list(write(*arguments, lambda rows: rows.visible_to(client)))

    return ask


def _everything(rows: Any) -> Any:
    return rows


@compiled
def _modes(head: int) -> QuerySet:
    rows = GroupPropagation.objects.filter(company=head)
    return rows.order_by().values_list("mode")


def _mode_in(company: Company) -> str:
    for (mode,) in _modes(company.head_id):
        return mode
    return str(GroupPropagation().mode)  # where nobody has set it


@_as_seen
def _held(contact: int, company: int, day: date, seen: Seen) -> QuerySet:
    """What assignments in the hierarchy of the company give on that day."""
    hierarchy = Company.objects.in_hierarchy_of(company).order_by()
    rows = seen(by_assignment(day)).filter(contact=contact, company__in=hierarchy)
    return rows.order_by("pk").values_list("kind", "company_id", "assignment")


@_as_seen
def _above(companies: list[int], seen: Seen) -> QuerySet:
    """These companies and all above any of them."""
    rows = seen(Company.objects.above_any(companies).order_by())
    return rows.values_list("pk", "parent_id", "name")


def _path(company: int, parents: Mapping[int, int | None]) -> list[int]:
    path = [company]
    while (above := parents.get(path[-1])) in parents:
        path.append(above)
    return path


@compiled
def _automatic(path: list[int]) -> QuerySet:
    groups = CustomerGroup.objects.automatic().filter(company__in=path)
    return groups.order_by().values_list(*COLUMNS)


@_as_seen
def _by_hand(contact: int, path: list[int], seen: Seen) -> QuerySet:
    """Each membership counts: the contact is active and assigned in the hierarchy."""
    places = Q(company__in=path) | Q(company=None)
    mine = seen(CustomerGroup.objects.custom()).filter(
        places, memberships__contact=contact
    )
    return mine.order_by().values_list(*COLUMNS)


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
