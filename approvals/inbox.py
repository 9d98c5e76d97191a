"""What waits for a person: the requests on which they could decide now."""

from itertools import batched

from companies.acting import Standpoint
from companies.models import Company, Contact, ContactAssignment
from companies.models.assignment import Role
from companies.models.company import CompanyQuerySet

from .models import (
    ApprovalGroup,
    PurchaseRequest,
    PurchaseRequestQuerySet,
    StandIn,
)
from .situation import read_path
from .waiting import open_step, open_steps

AT_ONCE = 50
MOST_LOOKED_AT = 1_000  # pending requests in one call


def may_decide(contact: Contact, request: PurchaseRequest) -> bool:
    """Whether the person could approve or decline the request now."""
    if not request.is_pending:
        return False
    return contact.pk in open_step(request, read_path(request.company_id)).deciders


def is_approver(standpoint: Standpoint) -> bool:
    """Whether the person decides by a role here or as a member of an approval group."""
    if standpoint.role in (Role.ADMIN, Role.BUYER):
        return True
    hierarchy = Company.objects.in_hierarchy_of(standpoint.company).order_by()
    groups = ApprovalGroup.objects.filter(members=standpoint.contact)
    return groups.filter(company__in=hierarchy).exists()


def waiting_for(
    contact: Contact, company: int, *, after: int = 0, most: int = AT_ONCE
) -> tuple[list[int], int | None]:
    """Ids of pending requests in the hierarchy of the company, the oldest first.

    `after`: those with greater ids only. The second value is where to go on: there may
    be more, or only others have been looked at so far; None: that was all.
    """
    places = _companies_below_rights(contact).in_hierarchy_of(company)
    candidates = (
        PurchaseRequest.objects.pending()
        .filter(pk__gt=after, company__in=places.values("pk"))
        .order_by("pk")[: MOST_LOOKED_AT + 1]
    )
    found: list[int] = []
    looked_at = list(candidates)
    for requests in batched(looked_at[:MOST_LOOKED_AT], AT_ONCE):
        steps = open_steps(requests)
        for request in requests:
            if contact.pk in steps[request.pk].deciders:
                if len(found) == most:
                    return found, found[-1]
                found.append(request.pk)
    rest = looked_at[MOST_LOOKED_AT - 1].pk if len(looked_at) > MOST_LOOKED_AT else None
    return found, rest


def waiting_for_staff(requests: PurchaseRequestQuerySet, *, most: int) -> list[int]:
    """Ids of pending requests on which only the seller's staff can decide now.

    Who can decide is found out each time anew: `most` requests are looked at, the
    oldest first.
    """
    looked_at = requests.pending().order_by("pk")[:most]
    return [pk for pk, step in open_steps(looked_at).items() if step.now.staff]


def waiting_anywhere(
    contact: Contact, requests: PurchaseRequestQuerySet, *, most: int
) -> list[int]:
    """Ids of the pending ones on which the person could decide now.

    Who can decide is found out each time anew: `most` requests are looked at, of
    companies below the person's rights, the oldest first.
    """
    places = _companies_below_rights(contact).values("pk")
    looked_at = requests.pending().filter(company__in=places).order_by("pk")[:most]
    return [
        pk for pk, step in open_steps(looked_at).items() if contact.pk in step.deciders
    ]


def _companies_below_rights(contact: Contact) -> CompanyQuerySet:
    """Companies with a right of the person on their path.

    A right to decide comes by a role, an approval group or as a stand-in, at the
    company of the request or at one above it. Whether it counts is asked afterwards.
    """
    roles = (Role.ADMIN, Role.BUYER)
    places = {
        *ContactAssignment.objects.in_force()
        .filter(contact=contact, role__in=roles)
        .values_list("company", flat=True),
        *ApprovalGroup.objects.filter(members=contact).values_list(
            "company", flat=True
        ),
        *StandIn.objects.in_force()
        .filter(stand_in=contact)
        .values_list("company", flat=True),
    }
    return Company.objects.under_any(places).order_by()
