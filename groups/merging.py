"""What of a company's groups goes over to the company into which it is merged."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from companies.merging import STAYS, Merging

from .models import AUTOMATIC, CustomerGroup, GroupPropagation

GROUPS = gettext_lazy("Groups")


def move_groups(merging: Merging) -> None:
    """Custom groups move with their members; a price list goes where there is none.

    Who is in an automatic group follows from the assignments, which have moved.
    """
    for group in CustomerGroup.objects.custom().filter(company=merging.company):
        merging.change(group, company=merging.into)
        merging.tell("groups", group, GROUPS)
    ours, theirs = (
        {group.kind: group for group in company.customer_groups.automatic()}
        for company in (merging.company, merging.into)
    )
    for kind in AUTOMATIC:
        one, other = ours.get(kind), theirs.get(kind)
        if one is None or other is None or not one.price_list:
            continue
        if not other.price_list:
            merging.change(other, price_list=one.price_list)
            merging.tell("groups", f"{other}: {one.price_list}", GROUPS)
        elif one.price_list != other.price_list:
            text = _("price list %(price_list)s of %(group)s")
            merging.tell(STAYS, text % {"price_list": one.price_list, "group": one})
    for row in GroupPropagation.objects.filter(company=merging.company):
        text = _("reach of prices: %(mode)s")
        merging.tell(STAYS, text % {"mode": row.get_mode_display()})
