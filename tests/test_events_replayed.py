"""Whatever path makes a change: the events, replayed, give what is stored.

A model that knows nothing but `GET events/` is filled from empty, and must then have
the very ids that the database has, each in the version that it has there.
"""

from collections import defaultdict
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from django.core.management import call_command
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from approvals.models import ApprovalGroup, ApprovalRule, PurchaseLimit
from companies import services
from companies.merging import merge_companies
from companies.models import (
    Company,
    CompanyLink,
    CompanyMerge,
    Contact,
    ContactAssignment,
    Location,
)
from config.actors import SYSTEM
from config.errors import DomainError
from groups.models import CustomerGroup, GroupMember
from integrations.event_types import EVENT_TYPES
from integrations.models import Event
from integrations.recording import event_noun
from tests.factories import make_client, make_token, numbers
from tests.http import KeyedClient
from tests.imports import load
from tests.staff import page_of, save, superuser

SCOPES = (
    "companies:read companies:write companies:move contacts:read contacts:write "
    "groups:read groups:write limits:read limits:write events:read"
)
# Automatic groups come and go with their company, which is what is told.
TOLD = {
    Company: lambda: Company.objects.all(),
    CompanyLink: lambda: CompanyLink.objects.all(),
    CompanyMerge: lambda: CompanyMerge.objects.all(),
    Location: lambda: Location.objects.all(),
    Contact: lambda: Contact.objects.all(),
    ContactAssignment: lambda: ContactAssignment.objects.all(),
    CustomerGroup: lambda: CustomerGroup.objects.custom(),
    PurchaseLimit: lambda: PurchaseLimit.objects.all(),
    ApprovalGroup: lambda: ApprovalGroup.objects.all(),
    ApprovalRule: lambda: ApprovalRule.objects.all(),
}
# These are told of what is beside them, too: of members, and of what is used.
UNCOUNTED = {CustomerGroup, PurchaseLimit}


class World:
    """The callers by whose hands everything happens, and the things they take."""

    def __init__(self) -> None:
        client = make_client(scopes=SCOPES, sees_all=True)
        self.api = KeyedClient(token=make_token(client))
        self.staff = superuser()

    def pick(self, model: type, number: int):
        """One of those that are there, or none if there are none."""
        rows = model.objects.order_by("pk")
        count = rows.count()
        return rows[number % count] if count else None

    def call(self, method: str, path: str, body=None, row=None):
        """As a client does that has just read `row`; refused or not."""
        headers = {"If-Match": f'"{row.version}"'} if row is not None else {}
        send = getattr(self.api, method)
        answer = send(f"/api/v1/{path}", body, headers=headers)
        assert answer.status_code < 500, answer.content
        return answer


def code() -> str:
    return f"code-{next(numbers)}"


# --- by the API


def create_company(world: World, n: int) -> None:
    parent = world.pick(Company, n) if n % 3 else None
    body = {"name": "x", "code": code(), "parent": parent and parent.pk}
    world.call("post", "companies/", body)


def upsert_company(world: World, n: int) -> None:
    company = world.pick(Company, n)
    known = company.code if company and n % 2 else code()
    world.call("put", f"companies/by-code/{known}/", {"name": f"name {n}"})


def patch_company(world: World, n: int) -> None:
    if company := world.pick(Company, n):
        path = f"companies/{company.pk}/"
        world.call("patch", path, {"website": f"https://{n}.example"}, company)
        # Once more with the version of before: refused, so nothing is told.
        world.call("patch", path, {"name": "stale"}, company)


def move_company(world: World, n: int) -> None:
    company, parent = world.pick(Company, n), world.pick(Company, n // 7)
    if company:
        target = None if n % 3 == 1 else parent.pk
        world.call("post", f"companies/{company.pk}/move/", {"parent": target})


def hold_company(world: World, n: int) -> None:
    if company := world.pick(Company, n):
        verb = ("hold", "activate", "close")[n % 3]
        world.call("post", f"companies/{company.pk}/{verb}/", {"reason": "x"})


def delete_company(world: World, n: int) -> None:
    """One that nobody ever used, and one that others may have used."""
    body = {"name": "x", "code": code()}
    made = world.call("post", "companies/", body).json()["id"]
    world.call("post", "locations/", {"company": made})
    unused = Company.objects.get(pk=made)
    answer = world.call("delete", f"companies/{made}/", row=unused)
    assert answer.status_code == 204
    if company := world.pick(Company, n):
        world.call("delete", f"companies/{company.pk}/", row=company)


def create_location(world: World, n: int) -> None:
    if company := world.pick(Company, n):
        flags = {"is_billing": True, "is_default_billing": n % 2 == 0}
        for more in (flags, {}):
            world.call("post", "locations/", {"company": company.pk} | more)


def delete_location(world: World, n: int) -> None:
    if location := world.pick(Location, n):
        world.call("delete", f"locations/{location.pk}/", row=location)


def assign_contact(world: World, n: int) -> None:
    company = world.pick(Company, n)
    body = {"email": f"{code()}@example.com"}
    contact = world.call("post", "contacts/", body).json()
    if company:
        kind = "PRIMARY" if n % 2 else "CONTACT"
        body = {"contact": contact["id"], "company": company.pk, "type": kind}
        world.call("post", "contact-assignments/", body)


def end_assignment(world: World, n: int) -> None:
    if row := world.pick(ContactAssignment, n):
        world.call("delete", f"contact-assignments/{row.pk}/", row=row)


def link_companies(world: World, n: int) -> None:
    company, other = world.pick(Company, n), world.pick(Company, n + 1)
    if company:
        body = {"company": company.pk, "other": other.pk, "kind": "OWNS"}
        world.call("post", "company-links/", body)


def make_group(world: World, n: int) -> None:
    company, contact = world.pick(Company, n), world.pick(Contact, n)
    body = {"name": code(), "company": company and company.pk}
    made = world.call("post", "customer-groups/", body)
    if made.status_code == 201 and contact:
        path = f"customer-groups/{made.json()['id']}/members/"
        world.call("post", path, {"contact": contact.pk})


def delete_group(world: World, n: int) -> None:
    custom = CustomerGroup.objects.custom().order_by("pk").last()
    for group in (custom, world.pick(CustomerGroup, n)):  # automatic: refused
        if group:
            world.call("delete", f"customer-groups/{group.pk}/", row=group)


def price_group(world: World, n: int) -> None:
    if group := world.pick(CustomerGroup, n):
        path = f"customer-groups/{group.pk}/"
        world.call("patch", path, {"price_list": f"list-{n}"}, group)


def make_limit(world: World, n: int) -> None:
    if company := world.pick(Company, n):
        body = {"company": company.pk, "amount": "100.00", "currency": "EUR"}
        world.call("post", "purchase-limits/", body | {"period": "MONTH"})


# --- by staff


def add_by_form(world: World, n: int) -> None:
    parent = world.pick(Company, n) if n % 2 else None
    url = "/admin/companies/company/add/"
    url += f"?parent={parent.pk}" if parent else ""
    save(world.staff, url, name="x", code=code())


def change_by_form(world: World, n: int) -> None:
    if company := world.pick(Company, n):
        save(world.staff, page_of(company), name=f"name {n % 3}")


def delete_by_form(world: World, n: int) -> None:
    if location := world.pick(Location, n):
        world.staff.post(page_of(location, "delete"), {"post": "yes"})


# --- by files


def import_file(world: World, n: int) -> None:
    with TemporaryDirectory() as folder:
        load(_file(folder, world, n))


def import_by_command(world: World, n: int) -> None:
    with TemporaryDirectory() as folder:
        path = _file(folder, world, n)
        call_command("import_data", "companies", str(path), stdout=StringIO())


def _file(folder: str, world: World, n: int) -> Path:
    """A new hierarchy, and another name for somebody who is there."""
    top, path = code(), Path(folder, "companies.csv")
    lines = ["code,name,parent_code", f"{top},x,", f"{code()},x,{top}"]
    company = world.pick(Company, n)
    if company and not company.merges.standing():
        above = company.parent.code if company.parent else ""
        lines.append(f"{company.code},name {n},{above}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


# --- by services


def merge(world: World, n: int) -> None:
    company, into = world.pick(Company, n), world.pick(Company, n + 1)
    if company and company != into:
        refusable(lambda: merge_companies(company, into, actor=SYSTEM, reason="x"))


def erase(world: World, n: int) -> None:
    if contact := world.pick(Contact, n):
        refusable(lambda: services.erase_contact(contact, actor=SYSTEM))


def move_by_service(world: World, n: int) -> None:
    company, parent = world.pick(Company, n), world.pick(Company, n // 3)
    if company:
        target = None if n % 3 == 1 else parent
        refusable(lambda: services.move_company(company, target, actor=SYSTEM))


def fail_in_the_end(world: World, n: int) -> None:
    """A change that is rolled back is not told."""

    @transaction.atomic
    def fail() -> None:
        create_location(world, n)
        add_by_form(world, n)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()


def refusable(change: Callable[[], object]) -> None:
    try:
        with transaction.atomic():
            change()
    except DomainError:
        pass


PATHS = [
    *(create_company, upsert_company, patch_company, move_company, hold_company),
    *(delete_company, create_location, delete_location),
    *(assign_contact, end_assignment, link_companies, make_group, delete_group),
    *(price_group, make_limit, add_by_form, change_by_form, delete_by_form),
    *(import_file, import_by_command, merge, erase, move_by_service, fail_in_the_end),
]


# --- the proof


def read_all(api: APIClient) -> list[dict]:
    found: list[dict] = []
    while True:
        after = found[-1]["position"] if found else 0
        answer = api.get(f"/api/v1/events/?after={after}&page_size=50").json()
        if not answer["results"]:
            return found
        found += answer["results"]


class Replica:
    """What somebody knows who was told everything, and nothing else."""

    def __init__(self, events: list[dict]) -> None:
        self.known: dict[str, dict[int, int]] = defaultdict(dict)
        self.numbers: dict[int | None, int] = defaultdict(int)
        for event in events:
            self.hear(event)

    def hear(self, event: dict) -> None:
        assert event["type"] in EVENT_TYPES
        assert event["number"] == self.numbers[event["company"]] + 1
        self.numbers[event["company"]] += 1
        noun, change = event["type"].split(".")
        things, subject = self.known[noun], event["subject"]
        if change == "created":
            assert subject not in things, event
            things[subject] = 1
        elif change == "deleted":
            del things[subject]
        elif noun != "customer_group" or subject in things:  # automatic ones: see TOLD
            things[subject] += 1


def check(world: World) -> None:
    replica = Replica(read_all(world.api))
    for model, rows in TOLD.items():
        stored = dict(rows().order_by().values_list("pk", "version"))
        known = replica.known[event_noun(model)]
        if model in UNCOUNTED:
            assert known.keys() == stored.keys(), model
        else:
            assert known == stored, model


def run(steps) -> None:
    with transaction.atomic():
        world = World()
        for path, number in steps:
            path(world, number)
        check(world)
        transaction.set_rollback(True)


STEPS = st.lists(
    st.tuples(st.sampled_from(PATHS), st.integers(0, 1000)), min_size=1, max_size=12
)
HOW = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture],
}


@settings(max_examples=15, **HOW)
@given(steps=STEPS)
def test_the_events_replayed_give_what_is_stored(db, steps):
    run(steps)


@pytest.mark.long
@settings(max_examples=300, **HOW)
@given(steps=STEPS)
def test_the_events_replayed_give_what_is_stored_in_many_ways(db, steps):
    run(steps)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.__name__)
def test_each_path_is_told(db, path):
    """After a start that has something of everything."""
    start = [
        *((create_company, n) for n in (0, 1, 2)),
        *((assign_contact, n) for n in (0, 1)),
        *((create_location, n) for n in (0, 1)),
        *((make_group, 0), (make_limit, 1)),
    ]
    with transaction.atomic():
        world = World()
        for step, n in start:
            step(world, n)
        before = Event.objects.count()
        for n in range(4):
            path(world, n)
        told = Event.objects.count() - before
        assert (told > 0) is (path is not fail_in_the_end)
        check(world)
        transaction.set_rollback(True)


def test_an_event_that_is_missing_is_seen(db):
    world = World()
    for _ in range(2):
        create_company(world, 0)
    company = Company.objects.first()
    assert GroupMember.objects.count() == 0

    Company.objects.filter(pk=company.pk).update(version=2)  # past all that tells

    with pytest.raises(AssertionError):
        check(world)
