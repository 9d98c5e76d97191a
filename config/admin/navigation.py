"""The sidebar and the first page: what staff do where, for those who may see it."""

from typing import Any

from django.apps import apps
from django.contrib import admin
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
            ("companies.duplicates", _("Possible duplicates"), "content_copy"),
            ("companies.import", _("Imports"), "upload_file"),
            ("groups.customergroup", _("Customer groups"), "groups"),
            ("groups.grouppropagation", _("Reach of prices"), "swap_vert"),
        ],
    ),
    (
        _("Purchases"),
        [
            ("approvals.purchaserequest", _("Purchase requests"), "shopping_cart"),
            ("approvals.may_they_buy", _("May they buy?"), "help"),
            ("approvals.purchaselimit", _("Purchase limits"), "speed"),
            ("approvals.approvalrule", _("Approval rules"), "rule"),
            ("approvals.approvalgroup", _("Approval groups"), "how_to_reg"),
            ("approvals.standin", _("Stand-ins"), "swap_horiz"),
            ("approvals.ledgerentry", _("Ledger"), "receipt_long"),
        ],
    ),
    (
        _("Systems"),
        [
            ("integrations.apiclient", _("API clients"), "key"),
            ("integrations.event", _("Events"), "bolt"),
            ("integrations.webhookendpoint", _("Webhook endpoints"), "webhook"),
            ("integrations.webhookdelivery", _("Webhook deliveries"), "outbox"),
            ("auth.user", _("Staff"), "manage_accounts"),
            ("auth.group", _("Staff roles"), "shield_person"),
        ],
    ),
]

ABOUT = {
    "companies.company": _("Hierarchies, legal information, status, moves"),
    "companies.contact": _("People, and the companies they work for"),
    "companies.contactassignment": _("Who has which role in which company"),
    "companies.location": _("Addresses for billing and shipping"),
    "companies.companylink": _("Owners, payers and franchises beside the tree"),
    "companies.duplicates": _("Companies that may have been entered twice"),
    "companies.import": _("Files in, with a preview of what would change"),
    "groups.customergroup": _("Who gets which price list"),
    "groups.grouppropagation": _("Whether groups count for companies above or below"),
    "approvals.purchaserequest": _("What waits for approval, and what was decided"),
    "approvals.purchaselimit": _("How much may be bought, where and by whom"),
    "approvals.may_they_buy": _("What the shop would be told, and why"),
    "approvals.approvalrule": _("When approval is needed, by whom, in which steps"),
    "approvals.approvalgroup": _("People who approve for a company"),
    "approvals.standin": _("Who decides for somebody, and until when"),
    "approvals.ledgerentry": _("Every movement of money on limits"),
    "integrations.apiclient": _("Systems that may use the API, and their scopes"),
    "integrations.event": _("What other systems are told"),
    "integrations.webhookendpoint": _("Where events are sent"),
    "integrations.webhookdelivery": _("What was sent, when, and what was answered"),
    "auth.user": _("People who may log in here"),
    "auth.group": _("Rights that several of them share"),
}

# Pages that are no list of a model: their address, and the right they need.
PAGES = {
    "companies.duplicates": (
        "admin:companies_company_duplicates",
        "companies.view_company",
    ),
    "approvals.may_they_buy": (
        "admin:approvals_may_they_buy",
        "approvals.view_purchaserequest",
    ),
}


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    navigation, here = [], _page_of(request)
    for title, pages in SECTIONS:
        items = [
            {
                "title": name,
                "icon": icon,
                "link": _list_of(label),
                "active": label == here,
                "about": ABOUT.get(label, ""),
            }
            for label, name, icon in pages
            if _may_see(request, label) and _list_of(label)
        ]
        if items:
            separator = bool(navigation)
            section = {"title": title, "separator": separator, "items": items}
            navigation.append(section)
    return navigation


def _page_of(request: HttpRequest) -> str:
    """The label of the page: of addresses that begin alike, the longest."""
    labels = [label for _title, pages in SECTIONS for label, _name, _icon in pages]
    links = {label: _list_of(label) for label in labels}
    found = [label for label in labels if request.path.startswith(links[label] or "?")]
    return max(found, key=lambda label: len(links[label] or ""), default="")


def _list_of(label: str) -> str | None:
    changelist = f"admin:{label.replace('.', '_')}_changelist"
    try:
        return reverse(PAGES[label][0] if label in PAGES else changelist)
    except NoReverseMatch:
        return None


def _may_see(request: HttpRequest, label: str) -> bool:
    if label in PAGES:
        return request.user.has_perm(PAGES[label][1])
    page = admin.site.get_model_admin(apps.get_model(label))
    return page.has_view_permission(request)
