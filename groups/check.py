"""Is stored what has to be, and nothing that is computed? And repairing it if not.

What raw SQL, fixtures and moves of companies to another hierarchy leave behind. Each
kind of fault is found by one statement, so that it is right while others write.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q

from companies.models import Company
from config.actors import SYSTEM
from config.db import acquire_gate
from integrations.recording import Recorded

from .models import AUTOMATIC, CustomerGroup, GroupMember, GroupPropagation

REASON = "check_groups"


@dataclass(frozen=True, slots=True)
class GroupFault:
    """Something wrong with what is stored of groups; `kind` is never renamed."""

    kind: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.sentence}"


def find_group_faults() -> list[GroupFault]:
    """All that is wrong; an empty list if each company has exactly its four groups."""
    return [
        *[
            GroupFault("missing_group", f"Company {company} has no group {kind}.")
            for company, kind in _missing()
        ],
        *[
            GroupFault(
                "second_group",
                f"Company {group.company_id} has {group.kind} again: group {group.pk}"
                f"{group.price_list and ', price list ' + group.price_list}.",
            )
            for group in _seconds()
        ],
        *[
            GroupFault(
                "stored_member",
                f"Contact {row.contact_id} is stored in the automatic group "
                f"{row.group_id}.",
            )
            for row in _stored()
        ],
        *[
            GroupFault(
                "member_of_other_hierarchy",
                f"Contact {row.contact_id} in the custom group {row.group_id} works "
                "nowhere in its hierarchy.",
            )
            for row in _strangers()
        ],
        *[
            GroupFault(
                "stale_propagation",
                f"Propagation is set for company {row.company_id}, which is no head "
                "company.",
            )
            for row in _stale()
        ],
    ]


@transaction.atomic
def repair_groups() -> int:
    """Create what is missing, delete what does not count; how many rows.

    Nobody gains or loses a price by it, except where a group was missing or there
    twice: of two of a kind the one with a price list stays, then the older one. Keeps
    all other writers of the tree out.
    """
    acquire_gate(exclusive=True)
    missing = list(_missing())
    superfluous = [*_stored(), *_strangers(), *_stale(), *_seconds()]
    for row in superfluous:
        # Past the refusal of CustomerGroup.delete(), with history and event.
        Recorded.delete(row.by(SYSTEM, REASON))
    CustomerGroup.objects.bulk_create(
        CustomerGroup(company_id=company, kind=kind) for company, kind in missing
    )
    return len(missing) + len(superfluous)


def _missing() -> Iterator[tuple[int, str]]:
    for kind in AUTOMATIC:
        has = CustomerGroup.objects.filter(company=OuterRef("pk"), kind=kind)
        lacking = Company.objects.filter(~Exists(has)).order_by("pk")
        for company in lacking.values_list("pk", flat=True):
            yield company, str(kind)


def _seconds() -> list[CustomerGroup]:
    """Groups beyond the first of their kind: the constraint was off for a while."""
    automatic = CustomerGroup.objects.automatic().order_by()
    twice = automatic.values("company", "kind").annotate(number=Count("pk"))
    where = Q()
    for company, kind, _number in twice.filter(number__gt=1).values_list(
        "company", "kind", "number"
    ):
        where |= Q(company=company, kind=kind)
    if not where:
        return []
    found = sorted(
        automatic.filter(where),
        key=lambda group: (
            group.company_id,
            group.kind,
            not group.price_list,
            group.pk,
        ),
    )
    first = {(group.company_id, group.kind): group for group in reversed(found)}
    return [g for g in found if first[g.company_id, g.kind] is not g]


def _stored() -> list[GroupMember]:
    rows = GroupMember.objects.filter(group__in=CustomerGroup.objects.automatic())
    return list(rows.select_related("group").order_by("pk"))


def _strangers() -> list[GroupMember]:
    rows = GroupMember.objects.filter(group__in=CustomerGroup.objects.custom())
    return list(rows.strangers().select_related("group").order_by("pk"))


def _stale() -> list[GroupPropagation]:
    return list(GroupPropagation.objects.stale().order_by("pk"))
