"""Words and searches that several pages of purchases use."""

from collections.abc import Iterable

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from approvals.waiting import OpenStep
from companies.models import Company
from config.search import found_by


def of_company_or[M: QuerySet](
    rows: M, term: str, *names: str, ways: Iterable[QuerySet] = ()
) -> M:
    """Rows of companies that match, with the term in a field of theirs, or otherwise.

    `ways` are further rows of the model that match.
    """
    every, term = rows.model._base_manager.all(), term.strip()
    own = Q(pk__in=[])
    for name in names:
        own |= Q(**{f"{name}__icontains": term})
    companies = Company.objects.order_by().matching(term)
    return found_by(rows, every.filter(company__in=companies), every.filter(own), *ways)


def waits_for(step: OpenStep | None) -> str:
    """The people who could decide now; "" where nothing is open."""
    if step is None:
        return ""
    names = [approver.person.name for approver in step.now.approvers]
    return ", ".join(names) or _("the seller's staff")
