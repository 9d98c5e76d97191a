"""How things stand for the prices of a company, for previews of changes."""

from collections.abc import Iterable

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from companies.models import Company
from companies.preview import Standing

from .membership import with_members_count
from .models import CustomerGroup
from .services import propagation_of

MOST_GROUPS = 200


def standing_of(company: int) -> list[Standing]:
    """What reaches here from above, who counts in custom groups, and how prices do."""
    mode = propagation_of(Company.objects.get(pk=company)).get_mode_display()
    return [
        Standing(
            "price_lists", _("Price lists from above"), tuple(_price_lists(company))
        ),
        Standing(
            "custom_groups",
            _("Members who count in custom groups"),
            tuple(_custom_groups(company)),
        ),
        Standing("group_propagation", _("Reach of prices"), (str(mode),)),
    ]


def _price_lists(company: int) -> Iterable[str]:
    above = Company.objects.above(company).exclude(pk=company).order_by()
    groups = CustomerGroup.objects.filter(company__in=above).exclude(price_list="")
    for group in groups.select_related("company").order_by("pk"):
        yield f"{group.price_list} ({group})"


def _custom_groups(company: int) -> Iterable[str]:
    """How many count in the groups of the company, of those below and those above."""
    above = Company.objects.above(company).order_by()
    under = Company.objects.under(company).order_by()
    of_these = Q(company__in=above) | Q(company__in=under)
    groups = with_members_count(CustomerGroup.objects.custom().filter(of_these))
    for group in groups.select_related("company").order_by("pk")[:MOST_GROUPS]:
        yield f"{group} ({group.company}): {group.members_count}"
