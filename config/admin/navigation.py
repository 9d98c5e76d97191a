"""The sidebar: pages by what staff do with them, each for those who may see it."""

from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _

SECTIONS = [
    (
        _("Customers"),
        [
            ("companies.company", _("Companies"), "account_tree"),
            ("companies.contact", _("Contacts"), "person"),
            ("companies.contactassignment", _("Assignments"), "badge"),
            ("companies.location", _("Locations"), "location_on"),
            ("companies.companylink", _("Links"), "link"),
            ("groups.customergroup", _("Customer groups"), "groups"),
            ("groups.grouppropagation", _("Reach of prices"), "swap_vert"),
        ],
    ),
    (
        _("Purchases"),
        [
            ("approvals.purchaserequest", _("Purchase requests"), "shopping_cart"),
            ("approvals.purchaselimit", _("Purchase limits"), "speed"),
            ("approvals.approvalgroup", _("Approval groups"), "how_to_reg"),
        ],
    ),
    (
        _("Systems"),
        [
            ("integrations.apiclient", _("API clients"), "key"),
            ("integrations.event", _("Events"), "bolt"),
            ("auth.user", _("Staff"), "manage_accounts"),
            ("auth.group", _("Staff roles"), "shield_person"),
        ],
    ),
]


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    navigation = []
    for title, pages in SECTIONS:
        items = [
            {"title": name, "icon": icon, "link": _list_of(label)}
            for label, name, icon in pages
            if _may_see(request, label) and _list_of(label)
        ]
        if items:
            navigation.append({"title": title, "separator": True, "items": items})
    return navigation


def _list_of(label: str) -> str | None:
    try:
        return reverse(f"admin:{label.replace('.', '_')}_changelist")
    except NoReverseMatch:
        return None


def _may_see(request: HttpRequest, label: str) -> bool:
    app, model = label.split(".")
    may = request.user.has_perm
    return may(f"{app}.view_{model}") or may(f"{app}.change_{model}")
