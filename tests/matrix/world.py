"""A customer with people of every kind, two others with canaries, and who calls."""

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.db import connection
from django.utils import timezone

from approvals.models import PurchaseRequest
from companies.imports import jobs, kind_of
from companies.models import Company, Contact
from config.actors import SYSTEM
from groups.models import CustomerGroup
from groups.services import set_propagation
from integrations.models import ApiClient, WebhookDelivery, WebhookEndpoint
from integrations.sequencing import sequence_events
from integrations.webhooks.endpoints import create_endpoint
from integrations.webhooks.fanout import fan_out
from tests.approvals.makers import (
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

CANARY = "canary"
ABSENT = 10**12
MALFORMED = ("0", "-1", "1.0", "abc", "+1", "9" * 19)
ALL = (
    "companies:read companies:write companies:move contacts:read contacts:write "
    "groups:read groups:write limits:read limits:write purchases:read purchases:write "
    "approvals:decide imports:write events:read webhooks:write"
)
INSIDE = ("CN", "RQ", "BY", "AD", "AP", "AU")  # with an assignment that reaches
OUTSIDE = ("SI", "OT", "OF", "OE")  # sister, other hierarchy, deactivated, ended


@dataclass
class Hierarchy:
    """Head, subsidiary, what is below and beside it, and one thing of each kind."""

    head: Company
    sub: Company
    leaf: Company
    sister: Company
    ids: dict[str, int] = field(default_factory=dict)


@dataclass
class World:
    own: Hierarchy
    foreign: Hierarchy
    people: dict[str, Contact]
    callers: dict[str, KeyedClient] = field(default_factory=dict)
    clients: dict[str, Any] = field(default_factory=dict)

    def caller(self, scopes: str, *, sees: str = "own") -> KeyedClient:
        """A client with these scopes that sees one of the hierarchies."""
        name = f"{sees} {scopes}"
        if name not in self.callers:
            kind = f"{sees} act" if scopes == "act" else sees
            if kind not in self.clients:
                head = getattr(self, sees).head
                allowed = "act" if scopes == "act" else ALL
                self.clients[kind] = make_client(hierarchies=(head,), scopes=allowed)
            client = self.clients[kind]
            self.callers[name] = KeyedClient(token=make_token(client, scopes=scopes))
        return self.callers[name]


def make_hierarchy(name: str) -> Hierarchy:
    head = make_company(name=name, code=f"{name}-head")
    sub = make_company(name=name, parent=head, code=f"{name}-sub")
    leaf = make_company(name=name, parent=sub)
    found = Hierarchy(head, sub, leaf, make_company(name=name, parent=head))
    contact = make_contact(email=f"{name}@example.com", last_name=name)
    assignment = person(sub, "BUYER", contact=contact).assignments.get()
    admin = person(sub, "ADMIN", contact=make_contact(last_name=name))
    requester = person(sub, "REQUESTER", contact=make_contact(last_name=name))
    group = CustomerGroup.objects.create(kind="CUSTOM", name=name, company=head)
    approvers = make_approval_group(
        company=found.sister, members=[admin], name=name, code=name
    )
    found.ids = {
        "head": head.pk,
        "sub": sub.pk,
        "leaf": leaf.pk,
        "sister": found.sister.pk,
        "contact": contact.pk,
        "admin": admin.pk,
        "requester": requester.pk,
        "stranger": make_contact(last_name=name).pk,
        "assignment": assignment.pk,
        "location": make_location(
            company=sub, name=name, is_billing=True, latitude=52.5, longitude=13.4
        ).pk,
        "link": make_link(company=head, other=leaf).pk,
        "group": group.pk,
        "automatic": CustomerGroup.objects.get(company=sub, kind="BUYERS").pk,
        "limit": make_limit(company=sub, name=name, amount="100000").pk,
        "approvers": approvers.pk,
        "rule": make_rule(company=leaf, name=name, steps=[{"role": "ADMIN"}]).pk,
        "stand_in": make_stand_in(company=leaf, contact=contact, stand_in=admin).pk,
        "request": submit(sub, requester, note=name).pk,
    }
    group.memberships.create(contact=contact)
    set_propagation(head, "DOWNWARD", actor=SYSTEM, expected_version=0)
    return found


def make_world() -> World:
    own, foreign = make_hierarchy("own"), make_hierarchy(CANARY)
    sub = own.sub
    yesterday = timezone.localdate() - timedelta(days=1)
    people = {
        "CN": person(sub),
        "RQ": Contact.objects.get(pk=own.ids["requester"]),
        "BY": Contact.objects.get(pk=own.ids["contact"]),
        "AD": Contact.objects.get(pk=own.ids["admin"]),
        "AP": person(sub),
        "AU": person(own.head, "ADMIN", covers_subsidiaries=True),
        "SI": person(own.sister, "BUYER"),
        "OT": Contact.objects.get(pk=foreign.ids["admin"]),
        "OF": person(sub, "BUYER", contact=make_contact(is_active=False)),
        "OE": person(sub, "BUYER", valid_until=yesterday),
    }
    make_approval_group(company=own.sister, members=[people["AP"]], name="Other")
    stand_in = make_stand_in(company=sub, contact=people["BY"], stand_in=people["AP"])
    own.ids["own_stand_in"] = stand_in.pk
    world = World(own, foreign, people)
    for name in ("own", "foreign"):
        world.caller(ALL, sees=name)
        job = jobs.receive_import(
            kind_of("companies"),
            [f"code,name\n{CANARY},{CANARY}\n".encode()],
            name=f"{CANARY if name == 'foreign' else name}.csv",
            client=world.clients[name],
            may_move=True,
        )
        getattr(world, name).ids["import"] = job.pk
        active = make_endpoint("https://shop.example/", client=world.clients[name])
        make_location(company=getattr(world, name).head)
        sequence_events()
        fan_out()
        waiting = WebhookEndpoint(
            client=world.clients[name], url=f"https://{name}.example/"
        )
        create_endpoint(waiting, actor=SYSTEM)
        deliveries = WebhookDelivery.objects.filter(endpoint=active)
        getattr(world, name).ids |= {
            "endpoint": waiting.pk,
            "delivery": deliveries.earliest("pk").pk,
        }
    above = make_location(company=own.head, name=CANARY, is_billing=True)
    beside = make_location(company=own.sister, name=CANARY, is_billing=True)
    boss = person(own.head, "ADMIN", contact=make_contact(last_name=CANARY))
    buyer = person(own.sister, "ADMIN", contact=make_contact(last_name=CANARY))
    own.ids |= {
        "above_location": above.pk,
        "sister_location": beside.pk,
        "above_contact": boss.pk,
        "sister_contact": buyer.pk,
        "above_request": submit(own.head, boss, note=CANARY).pk,
        "sister_request": submit(own.sister, buyer, note=CANARY).pk,
        "above_stand_in": make_stand_in(
            company=own.head, contact=boss, stand_in=people["AU"]
        ).pk,
        "sister_stand_in": make_stand_in(
            company=own.sister, contact=buyer, stand_in=boss
        ).pk,
    }
    assert PurchaseRequest.objects.get(pk=own.ids["request"]).status == "PENDING"
    return world


def our_tables() -> list[str]:
    apps_of_ours = ("companies", "groups", "approvals", "integrations")
    return sorted(
        model._meta.db_table
        for model in apps.get_models()
        if model._meta.app_label in apps_of_ours and model is not ApiClient
    )


def fingerprint(*more: str) -> str:
    """Of all rows of all our tables: equal only if nothing has changed."""
    digest = hashlib.sha256()
    with connection.cursor() as cursor:
        for table in (*our_tables(), *more):
            cursor.execute(f"SELECT * FROM {table} ORDER BY 1")
            digest.update(repr(cursor.fetchall()).encode())
    return digest.hexdigest()
