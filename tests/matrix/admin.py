"""The table of the console: who may open which page, and press which button.

V Viewer, K Key account manager, C Credit controller, A Administrator, S superuser; each
may what stands for one before. N: nobody, superusers included.
"""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import Group, User

from approvals.models import LedgerEntry
from companies.imports import jobs, kind_of
from companies.models import Company, Contact, ImportMapping, KeyAccount
from groups.models import GroupPropagation
from integrations.models import Event, WebhookDelivery
from integrations.sequencing import sequence_events
from integrations.webhooks.fanout import fan_out
from tests.approvals.makers import make_limit, submit
from tests.factories import make_client, make_location, make_user
from tests.integrations.webhooks.makers import make_endpoint
from tests.matrix.world import make_hierarchy

ORDER = "VKCASN"
ROLES = {
    "V": "Viewer",
    "K": "Key account manager",
    "C": "Credit controller",
    "A": "Administrator",
}

# Of each model: who sees it, exports it, adds to it, changes and deletes a row.
MODELS = {
    "companies.company": "VKKKC",
    "companies.contact": "VKKKN",
    "companies.contactassignment": "VKKKK",
    "companies.location": "VKKKK",
    "companies.companylink": "VKKKK",
    "companies.import": "KKKNN",  # who has sent it goes on with it: see IMPORT
    "companies.importmapping": "KKNNK",
    "groups.customergroup": "VKKKK",
    "groups.grouppropagation": "VKKKK",
    "approvals.approvalgroup": "VKCCC",
    "approvals.purchaselimit": "VKCCC",
    "approvals.ledgerentry": "VKNNN",
    "approvals.purchaserequest": "VKNNN",
    "approvals.approvalrule": "VKCCC",
    "approvals.standin": "VKCCC",
    "integrations.apiclient": "AAAAA",
    "integrations.event": "VKNNN",
    "integrations.webhookendpoint": "CCCCC",
    "integrations.webhookdelivery": "CCNNN",
    "auth.user": "AAAAS",
    "auth.group": "AASSS",
}
# Rows of these belong to no hierarchy: who looks after some only does not see any.
OF_NO_HIERARCHY = {
    "companies.importmapping",
    "integrations.apiclient",
    "integrations.webhookendpoint",
    "integrations.webhookdelivery",
    "auth.user",
    "auth.group",
}

# Other pages: who opens them by GET, who sends something to them by POST. They look at
# an object of the model, if one is named.
PAGES = {
    "companies_company_subsidiaries": "VV",
    "companies_company_export_hierarchy": "KK",
    "companies_company_duplicates": "VV",
    "companies_company_duplicates_hint": "VV",
    "companies_company_structure": "VV",
    "companies_company_chart": "VV",
    "companies_company_chart_companies": "VV",
    "companies_company_chart_numbers": "VV",
    "approvals_may_they_buy": "VV",
    "auth_user_password_change": "AA",
}
# For whoever is staff; what they show is the person's own, or asks for other rights.
EVERYBODY = {
    "index",
    "app_list",
    "search",
    "password_change",
    "password_change_done",
    "jsi18n",
    "logout",
    "second_factor",
    "second_factor_set_up",
    "second_factor_codes",
}
# Asked for in tests of their own.
APART = {"login", "autocomplete", "view_on_site"}

# Buttons on the page of an object.
ACTIONS = {
    "companies.company": {
        "invite": "K",
        "move": "C",
        "activate": "C",
        "hold": "C",
        "close": "C",
        "merge": "C",
        "unmerge": "C",
    },
    "companies.contact": {"erase": "C"},
    "approvals.purchaselimit": {"correct": "C"},
    "approvals.purchaserequest": {
        "approve": "C",
        "decline": "C",
        "take_over": "C",
        "order": "C",
        "cancel": "C",
        "refund": "C",
    },
    "auth.user": {"reset_second_factor": "A", "unlock": "A"},
    "integrations.apiclient": {"rotate": "A", "revoke": "A"},
    "integrations.webhookendpoint": {
        "test": "C",
        "pause": "C",
        "resume": "C",
        "rotate": "C",
        "replay": "C",
    },
    "integrations.webhookdelivery": {"replay": "C"},
}
# Actions of a list, for the rows that are chosen in it.
LISTED = {"approvals.purchaserequest": {"decline_all": "C"}}


@dataclass
class Console:
    """Two customers with one thing of each kind; names of the second are canaries."""

    own: dict[str, Any]
    foreign: dict[str, Any]

    def look_after_own(self, user: User) -> None:
        head = Company.objects.get(pk=self.own["head"])
        KeyAccount.objects.create(staff=user, company=head)


def make_console(canary: str) -> Console:
    made = []
    for name in ("own", canary):
        hierarchy = make_hierarchy(name)
        head, sub = hierarchy.head, hierarchy.sub
        limit = make_limit(company=sub, name=name, amount="100000", period="MONTH")
        submit(sub, Contact.objects.get(pk=hierarchy.ids["contact"]), note=name)
        client = make_client(hierarchies=(head,), scopes="events:read webhooks:write")
        type(client).objects.filter(pk=client.pk).update(name=name)
        endpoint = make_endpoint(f"https://{name}.example/", client=client)
        make_location(company=head, name=name)
        sequence_events()
        fan_out()
        colleague = make_user(username=name, first_name=name)
        job = jobs.receive_import(
            kind_of("companies"),
            [f"code,name\n{name}x,{name}\n".encode()],
            name=f"{name}.csv",
            staff=colleague,
            wait=True,
        )
        ids = hierarchy.ids
        made.append(
            {
                **ids,
                "companies.company": ids["sub"],
                "companies.contact": ids["contact"],
                "companies.contactassignment": ids["assignment"],
                "companies.location": ids["location"],
                "companies.companylink": ids["link"],
                "companies.import": job.pk,
                "companies.importmapping": ImportMapping.objects.create(
                    kind="companies", name=name
                ).pk,
                "groups.customergroup": ids["group"],
                "groups.grouppropagation": GroupPropagation.objects.get(
                    company=head
                ).pk,
                "approvals.approvalgroup": ids["approvers"],
                "approvals.purchaselimit": ids["limit"],
                "approvals.ledgerentry": LedgerEntry.objects.get(limit=limit).pk,
                "approvals.purchaserequest": ids["request"],
                "approvals.approvalrule": ids["rule"],
                "approvals.standin": ids["stand_in"],
                "integrations.apiclient": client.pk,
                "integrations.event": Event.objects.filter(stream=ids["sub"])
                .earliest("pk")
                .pk,
                "integrations.webhookendpoint": endpoint.pk,
                "auth.user": colleague.pk,
                "auth.group": Group.objects.create(name=name).pk,
            }
        )
    for ids in made:
        sent = WebhookDelivery.objects.filter(
            endpoint=ids["integrations.webhookendpoint"]
        )
        ids["integrations.webhookdelivery"] = sent.earliest("pk").pk
    return Console(*made)
