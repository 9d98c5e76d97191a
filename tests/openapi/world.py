"""The customer of whom the examples tell: Acme, with the ids that they name.

Tables are numbered from fixed beginnings, so that ids are the same on each database.
"""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Model

from approvals import services
from approvals.models import (
    ApprovalGroup,
    ApprovalRule,
    PurchaseLimit,
    PurchaseRequest,
    StandIn,
)
from companies.imports import jobs, kind_of
from companies.merging import merge_companies
from companies.models import (
    Company,
    CompanyLink,
    Contact,
    ContactAssignment,
    Import,
    Location,
)
from config.actors import SYSTEM
from groups.models import CustomerGroup
from groups.services import set_propagation
from integrations.models import (
    ApiClient,
    WebhookDelivery,
    WebhookEndpoint,
)
from integrations.sequencing import sequence_events
from integrations.webhooks.fanout import fan_out
from tests.approvals.makers import (
    acting,
    make_approval_group,
    make_limit,
    make_rule,
    make_stand_in,
    person,
    submit,
)
from tests.factories import (
    make_client,
    make_company,
    make_contact,
    make_link,
    make_location,
    make_token,
)
from tests.http import KeyedClient
from tests.integrations.webhooks.makers import make_endpoint

FIRST = {
    Company: 1001,
    Location: 2001,
    Contact: 3001,
    ContactAssignment: 4001,
    CompanyLink: 4501,
    CustomerGroup: 5001,
    PurchaseLimit: 6001,
    ApprovalGroup: 6501,
    ApprovalRule: 7001,
    StandIn: 7501,
    PurchaseRequest: 8001,
    Import: 9001,
    WebhookEndpoint: 9501,
    WebhookDelivery: 9601,
}
ALL = (
    "companies:read companies:write companies:move contacts:read contacts:write "
    "groups:read groups:write limits:read limits:write purchases:read purchases:write "
    "approvals:decide imports:write events:read webhooks:write"
)
PEOPLE = (
    ("Anna", "Albers", "ADMIN"),
    ("Ben", "Bauer", "BUYER"),
    ("Rosa", "Ritter", "REQUESTER"),
)


@dataclass
class Acme:
    head: Company
    sub: Company
    integrator: ApiClient
    shop: ApiClient
    admin: Contact
    buyer: Contact
    callers: dict[str, KeyedClient] = field(default_factory=dict)

    def caller(self, path: str) -> KeyedClient:
        """Who calls such a path: the shop for people, the integrator for itself."""
        return self.callers["shop" if "/as/" in path else "integrator"]


def number_from(model: type[Model], first: int) -> None:
    """The next row of the model gets this id."""
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # Not by ALTER TABLE, whose lock would keep the workers of imports out.
            sequence = "pg_get_serial_sequence(%s, 'id')"
            cursor.execute(f"SELECT setval({sequence}, %s, false)", [table, first])
            return
        cursor.execute("DELETE FROM sqlite_sequence WHERE name = %s", [table])
        cursor.execute(
            "INSERT INTO sqlite_sequence VALUES (%s, %s)", [table, first - 1]
        )


def make_acme() -> Acme:
    for model, first in FIRST.items():
        number_from(model, first)
    head = make_company(name="Acme SE", code="acme", country="DE", currency="EUR")
    sub = make_company(name="Acme Deutschland", parent=head, code="acme-de")
    depot = make_company(name="Acme Depot", parent=sub, code="acme-depot")
    france = make_company(name="Acme France", parent=head, code="acme-fr")
    make_company(name="Acme Labs", parent=head, code="acme-labs")  # of no use yet
    twin = make_company(name="Acme Frankreich", parent=head, code="acme-frankreich")
    merge_companies(twin, france, actor=SYSTEM, reason="Entered twice")
    admin, buyer, requester = (
        person(
            sub,
            role,
            contact=make_contact(
                first_name=first, last_name=last, email=f"{first}@acme.example".lower()
            ),
        )
        for first, last, role in PEOPLE
    )
    boss = make_contact(
        first_name="Clara", last_name="Conti", email="clara@acme.example"
    )
    person(head, "ADMIN", contact=boss, covers_subsidiaries=True)
    make_contact(first_name="Paul", last_name="Probst", email="paul@acme.example")
    make_location(
        company=sub,
        name="Werk Hamburg",
        type="PLANT",
        city="Hamburg",
        country="DE",
        is_billing=True,
        is_shipping=True,
    )
    make_link(company=head, other=france, percent=Decimal("60.00"))
    group = CustomerGroup.objects.create(
        kind="CUSTOM", name="Project prices", company=head, price_list="PROJECT"
    )
    group.memberships.create(contact=buyer)
    set_propagation(head, "UPWARD", actor=SYSTEM, expected_version=0)
    make_limit(company=sub, name="Month", amount="5000", period="MONTH")
    make_limit(company=sub, name="Week", amount="2000", period="WEEK", is_active=False)
    make_approval_group(company=france, members=[boss], name="Board", code="board")
    make_rule(
        company=head,
        name="Large purchases",
        covers_subsidiaries=True,
        amount_from=Decimal(1000),
        currency="EUR",
    )
    make_stand_in(
        company=sub, contact=buyer, stand_in=admin, valid_until=date(2099, 12, 31)
    )
    _make_requests(sub, requester, admin)
    integrator = make_client(sees_all=True, scopes=ALL)
    shop = make_client(hierarchies=(head,), scopes="act")
    _make_import(integrator)
    _make_deliveries(integrator, depot)
    clients = {"integrator": integrator, "shop": shop}
    return Acme(
        head=head,
        sub=sub,
        integrator=integrator,
        shop=shop,
        admin=admin,
        buyer=buyer,
        callers={
            name: KeyedClient(token=make_token(client))
            for name, client in clients.items()
        },
    )


def _make_requests(sub: Company, requester: Contact, admin: Contact) -> None:
    """One that waits, one that is approved, one that is ordered."""
    lines: Any = [{"sku": "B-7", "name": "Bolts", "quantity": "10", "amount": "100.00"}]
    submit(sub, requester, reference="cart-1", items=lines)
    submit(sub, admin, reference="cart-2")
    bought = submit(sub, admin, reference="cart-3")
    services.order_request(
        bought, number="SO-1001", actor=acting(admin), expected_version=1
    )


def _make_import(client: ApiClient) -> None:
    jobs.work_on(
        jobs.receive_import(
            kind_of("companies"),
            [b"code,name,parent_code\nacme-it,Acme Italia,acme\n"],
            name="companies.csv",
            client=client,
            may_move=True,
        ).pk
    )


def _make_deliveries(client: ApiClient, depot: Company) -> None:
    """One that is delivered."""
    make_endpoint("https://shop.example/konzern", client=client)
    make_location(company=depot, name="Halle 3")
    sequence_events()
    fan_out()
    delivery = WebhookDelivery.objects.earliest("pk")
    WebhookDelivery.objects.filter(pk=delivery.pk).update(
        status=WebhookDelivery.Status.DELIVERED, attempts=1, response_status=204
    )
