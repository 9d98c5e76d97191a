"""What leaves of groups with the companies that have them."""

from companies.exports import Part
from config.spreadsheets import Columns

from .models import CustomerGroup, GroupMember, GroupPropagation

GROUPS: Columns = {
    "company_code": "company__code",
    "kind": "kind",
    "code": "code",
    "name": "name",
    "price_list": "price_list",
}
MEMBERS: Columns = {"group_code": "group__code", "email": "contact__email"}
PROPAGATION: Columns = {"company_code": "company__code", "mode": "mode"}
PARTS = (
    Part(
        "customer-groups",
        GROUPS,
        lambda of: CustomerGroup.objects.filter(company__in=of),
    ),
    Part(
        "customer-group-members",
        MEMBERS,
        lambda of: GroupMember.objects.filter(group__company__in=of),
    ),
    Part(
        "group-propagation",
        PROPAGATION,
        lambda of: GroupPropagation.objects.filter(company__in=of),
    ),
)
