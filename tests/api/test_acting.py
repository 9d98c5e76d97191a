"""A shop acts for people: with their rights, read afresh, and nothing else."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from approvals.models import PurchaseRequest, StandIn
from companies.models import Contact, ContactAssignment, Location
from companies.services import set_status
from config.actors import SYSTEM
from groups.models import CustomerGroup
from tests.approvals.makers import (
    World,
    make_approval_group,
    make_limit,
    make_world,
    person,
    submit,
)
from tests.factories import (
    make_client,
    make_company,
    make_contact,
    make_location,
    make_token,
)
from tests.http import KeyedClient

pytestmark = pytest.mark.django_db

MONEY = {"amount": "100.00", "currency": "EUR"}


@dataclass
class Shop:
    """Calls the API for people."""

    http: KeyedClient

    def call(
        self, method: str, who: Any, where: Any, path: str, body: Any = None, **options
    ) -> Any:
        version = options.get("version")
        headers = {} if version is None else {"If-Match": f'"{version}"'}
        url = f"/api/v1/as/{who.pk}/in/{where.pk}/{path}"
        if method in ("get", "delete"):
            return getattr(self.http, method)(url, headers=headers)
        return getattr(self.http, method)(url, body, headers=headers)

    def get(self, *args: Any) -> Any:
        answer = self.call("get", *args)
        assert answer.status_code == 200, answer.content
        return answer.json()


@pytest.fixture
def shop(db: None) -> Shop:
    return Shop(KeyedClient(token=make_token(make_client(scopes="act", sees_all=True))))


@pytest.fixture
def world(db: None) -> World:
    return make_world()


def code_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


# --- Who one is


def test_a_person_is_told_what_they_may_do(shop: Shop, world: World) -> None:
    # given
    make_limit(company=world.head, amount="500", period="MONTH", time_zone="UTC")
    make_limit(company=world.sub, amount="9", binds="CONTACT", contact=world.admin)
    buyers = CustomerGroup.objects.get(company=world.sub, kind="BUYERS")
    CustomerGroup.objects.filter(pk=buyers.pk).update(price_list="GOLD")
    # when
    me = shop.get(world.buyer, world.sub, "me/")
    # then
    assert me["contact"]["email"] == world.buyer.email
    assert me["company"] == {
        "id": world.sub.pk,
        "code": world.sub.code,
        "name": "Acme Deutschland",
        "currency": "",
        "effective_status": "ACTIVE",
    }
    assert me["role"] == "BUYER"
    assert me["may"] == ["check", "submit", "name_stand_in"]
    assert [limit["remaining"] for limit in me["limits"]] == ["500.00"]
    assert me["price_lists"] == [{"code": "GOLD", "group": buyers.pk}]
    # and others
    admin = shop.get(world.admin, world.sub, "me/")
    assert [limit["amount"] for limit in admin["limits"]] == ["9.00"]
    assert admin["may"][-3:] == [
        "manage_people",
        "manage_locations",
        "see_all_requests",
    ]
    assert shop.get(world.requester, world.sub, "me/")["may"] == ["check", "submit"]


def test_the_strongest_role_that_reaches_the_company_counts(
    shop: Shop, world: World
) -> None:
    # given
    above = person(world.head, "ADMIN", covers_subsidiaries=True)
    person(world.sub, "REQUESTER", contact=above)
    # then
    assert shop.get(above, world.sub, "me/")["role"] == "ADMIN"
    assert len(shop.get(above, world.sub, "me/")["assignments"]) == 2
    assert shop.call("get", world.boss, world.sub, "me/").status_code == 404


def test_rights_are_read_afresh(shop: Shop, world: World) -> None:
    # given
    mine = ContactAssignment.objects.get(contact=world.buyer)
    assert shop.get(world.buyer, world.sub, "me/")["role"] == "BUYER"
    # when
    mine.role = "REQUESTER"
    mine.by(SYSTEM).save()
    # then
    assert shop.get(world.buyer, world.sub, "me/")["role"] == "REQUESTER"
    # when it ended yesterday
    mine.valid_until = timezone.localdate() - timedelta(days=1)
    mine.by(SYSTEM).save()
    # then
    ended = shop.call("get", world.buyer, world.sub, "me/")
    absent = shop.call("get", Contact(pk=10**9), world.sub, "me/")
    assert ended.status_code == absent.status_code == 404
    same = {"request_id": ""}
    assert ended.json() | same == absent.json() | same


def test_a_client_acts_within_its_hierarchies_only(world: World) -> None:
    client = make_client(scopes="act", hierarchies=(make_company(),))
    shop = Shop(KeyedClient(token=make_token(client)))
    assert shop.call("get", world.buyer, world.sub, "me/").status_code == 404


def test_acting_needs_its_scope(api: KeyedClient, world: World) -> None:
    answer = Shop(api).call("get", world.buyer, world.sub, "me/")
    assert code_of(answer) == (403, "insufficient_scope")


@pytest.fixture
def api(db: None) -> KeyedClient:
    scopes = "companies:read contacts:read purchases:read purchases:write"
    return KeyedClient(token=make_token(make_client(scopes=scopes, sees_all=True)))


# --- People


def test_an_admin_invites_somebody_new(shop: Shop, world: World) -> None:
    # when
    body = {"email": "New@example.com", "last_name": "New", "role": "BUYER"}
    answer = shop.call("post", world.admin, world.sub, "people/", body)
    # then
    assert answer.status_code == 201, answer.content
    shown = answer.json()
    assert (shown["role"], shown["inherited"], shown["in_force"]) == (
        "BUYER",
        False,
        True,
    )
    contact = Contact.objects.get(pk=shown["contact"]["id"])
    assert (contact.email, contact.last_name) == ("New@example.com", "New")
    actor = contact.history.values_list("history_user_id", flat=True).get()
    assert actor.endswith(f"/contact:{world.admin.pk}")
    assert shop.get(contact, world.sub, "me/")["role"] == "BUYER"


def test_who_is_known_elsewhere_gets_the_same_answer_and_keeps_the_data(
    shop: Shop, world: World
) -> None:
    # given
    known = person(make_company(), "ADMIN", contact=make_contact(last_name="Known"))
    body = {"email": known.email.upper(), "last_name": "Guess", "role": "REQUESTER"}
    # when
    answer = shop.call("post", world.admin, world.sub, "people/", body)
    # then
    assert answer.status_code == 201
    known.refresh_from_db()
    assert known.last_name == "Known"
    assert known.assignments.count() == 2
    # when again
    again = shop.call("post", world.admin, world.sub, "people/", body)
    # then
    assert again.status_code == 400
    (error,) = again.json()["errors"]
    assert (error["pointer"], error["code"]) == ("/email", "already_assigned")


def test_nobody_gives_a_wider_reach_than_they_have(shop: Shop, world: World) -> None:
    # given
    body = {"email": "n@example.com", "role": "ADMIN", "covers_subsidiaries": True}
    # when
    narrow = shop.call("post", world.admin, world.sub, "people/", body)
    # then
    assert code_of(narrow) == (403, "beyond_reach")
    assert not Contact.objects.filter(email="n@example.com").exists()
    # when
    above = person(world.head, "ADMIN", covers_subsidiaries=True)
    wide = shop.call("post", above, world.sub, "people/", body)
    # then
    assert wide.status_code == 201


def test_an_admin_changes_roles_of_others_not_their_own(
    shop: Shop, world: World
) -> None:
    path = f"people/{world.buyer.pk}/assignment/"
    own = f"people/{world.admin.pk}/assignment/"
    # when
    read = shop.call("get", world.admin, world.sub, path)
    changed = shop.call(
        "patch", world.admin, world.sub, path, {"role": "REQUESTER"}, version=1
    )
    stale = shop.call(
        "patch", world.admin, world.sub, path, {"role": "ADMIN"}, version=1
    )
    mine = shop.call("patch", world.admin, world.sub, own, {"role": ""}, version=1)
    gone = shop.call("delete", world.admin, world.sub, own, version=1)
    # then
    assert read["ETag"] == '"1"'
    assert (changed.status_code, changed.json()["role"]) == (200, "REQUESTER")
    assert changed["ETag"] == '"2"'
    assert code_of(stale) == (412, "stale_version")
    assert code_of(mine) == code_of(gone) == (403, "own_role")
    assert world.admin.assignments.get().role == "ADMIN"


def test_a_role_from_above_is_changed_above(shop: Shop, world: World) -> None:
    # given
    above = person(world.head, "BUYER", covers_subsidiaries=True)
    path = f"people/{above.pk}/assignment/"
    # when
    answer = shop.call("delete", world.admin, world.sub, path, version=1)
    # then
    assert code_of(answer) == (403, "assigned_above")
    assert above.assignments.exists()


def test_the_last_admin_stays(shop: Shop, world: World) -> None:
    # given
    outer = person(world.head, "ADMIN", covers_subsidiaries=True)
    lone = make_company(parent=world.head)
    admin, _buyer = person(lone, "ADMIN"), person(lone, "BUYER")
    ContactAssignment.objects.filter(contact=world.boss).delete()
    path = f"people/{admin.pk}/assignment/"
    # when an admin above who covers subsidiaries is left
    answer = shop.call("delete", outer, lone, path, version=1)
    # then
    assert answer.status_code == 204
    assert not admin.assignments.exists()


def test_others_see_and_change_nobody_else(shop: Shop, world: World) -> None:
    # when
    people = shop.get(world.buyer, world.sub, "people/")["results"]
    all_people = shop.get(world.admin, world.sub, "people/")["results"]
    # then
    assert [one["contact"]["id"] for one in people] == [world.buyer.pk]
    assert {one["contact"]["id"] for one in all_people} == {
        world.admin.pk,
        world.buyer.pk,
        world.requester.pk,
    }
    # when
    path = f"people/{world.requester.pk}/"
    hidden = shop.call("get", world.buyer, world.sub, path)
    body = {"email": "x@example.com"}
    invited = shop.call("post", world.buyer, world.sub, "people/", body)
    own = f"people/{world.buyer.pk}/assignment/"
    mine = shop.call("patch", world.buyer, world.sub, own, {"role": "ADMIN"}, version=1)
    # then
    assert hidden.status_code == 404
    assert code_of(invited) == code_of(mine) == (403, "needs_role")
    assert invited.json()["details"] == {"role": "ADMIN"}


def test_names_are_changed_by_oneself_or_an_admin_who_answers_for_the_person(
    shop: Shop, world: World
) -> None:
    mine, theirs = f"people/{world.buyer.pk}/", f"people/{world.requester.pk}/"
    body = {"last_name": "New", "phone": "+49 30 1234"}
    # when
    own = shop.call("patch", world.buyer, world.sub, mine, body, version=1)
    by_admin = shop.call("patch", world.admin, world.sub, theirs, body, version=1)
    # then
    assert own.status_code == by_admin.status_code == 200, own.content
    assert own.json()["phone"] == "+49 30 1234"
    assert own["ETag"] == '"2"'
    # when the person works elsewhere, too
    person(world.head, "", contact=world.requester)
    refused = shop.call(
        "patch", world.admin, world.sub, theirs, {"last_name": "Bad"}, version=2
    )
    email = shop.call(
        "patch", world.buyer, world.sub, mine, {"email": "e@example.com"}, version=2
    )
    # then
    assert code_of(refused) == (403, "managed_by_seller")
    assert email.json()["errors"][0]["code"] == "read_only"
    world.requester.refresh_from_db()
    assert world.requester.last_name == "New"


# --- Locations


def test_admins_keep_the_locations_of_their_company(shop: Shop, world: World) -> None:
    # given
    shared = make_location(company=world.head, name="Shared", is_shared=True)
    make_location(company=world.head, name="Private")
    # when
    made = shop.call("post", world.admin, world.sub, "locations/", {"type": "STORE"})
    # then
    assert made.status_code == 201, made.content
    assert made.json()["company"] == world.sub.pk
    seen = shop.get(world.buyer, world.sub, "locations/")["results"]
    assert [one["id"] for one in seen] == [shared.pk, made.json()["id"]]
    # when
    own, above = f"locations/{made.json()['id']}/", f"locations/{shared.pk}/"
    named = {"name": "New"}
    by_buyer = shop.call("patch", world.buyer, world.sub, own, named, version=1)
    by_admin = shop.call("patch", world.admin, world.sub, own, named, version=1)
    not_mine = shop.call("patch", world.admin, world.sub, above, named, version=1)
    moved = shop.call(
        "post",
        world.admin,
        world.sub,
        "locations/",
        {"type": "STORE", "company": world.head.pk},
    )
    # then
    assert code_of(by_buyer) == (403, "needs_role")
    assert (by_admin.status_code, by_admin.json()["name"]) == (200, "New")
    assert code_of(not_mine) == (403, "shared_from_above")
    assert moved.json()["errors"][0]["code"] == "read_only"
    assert Location.objects.count() == 3
    # when
    gone = shop.call("delete", world.admin, world.sub, own, version=2)
    # then
    assert gone.status_code == 204


# --- Purchases


def order_of(**fields: Any) -> dict[str, Any]:
    return {"kind": "CART", "reference": "A1", "money": MONEY} | fields


def test_a_purchase_is_asked_submitted_approved_and_ordered(
    shop: Shop, world: World
) -> None:
    path = "purchase-requests/"
    # when
    check = shop.call(
        "post", world.requester, world.sub, f"{path}check/", {"money": MONEY}
    )
    made = shop.call("post", world.requester, world.sub, path, order_of())
    # then
    assert check.json()["outcome"] == "APPROVAL_REQUIRED"
    assert made.status_code == 201, made.content
    request = made.json()
    assert (request["requester"], request["company"]) == (
        world.requester.pk,
        world.sub.pk,
    )
    # when
    waiting = shop.get(world.buyer, world.sub, "inbox/")
    own = f"{path}{request['id']}/"
    mine = shop.call(
        "post", world.requester, world.sub, f"{own}approve/", {}, version=1
    )
    agreed = shop.call("post", world.buyer, world.sub, f"{own}approve/", {}, version=1)
    # then
    assert [one["id"] for one in waiting["results"]] == [request["id"]]
    assert waiting["next"] is None
    assert code_of(mine) == (403, "self_approval")
    assert (agreed.status_code, agreed.json()["status"]) == (200, "APPROVED")
    assert shop.get(world.buyer, world.sub, "inbox/")["results"] == []
    # when
    by_buyer = shop.call(
        "post", world.buyer, world.sub, f"{own}order/", {"number": "1"}, version=2
    )
    ordered = shop.call(
        "post", world.requester, world.sub, f"{own}order/", {"number": "1"}, version=2
    )
    # then
    assert code_of(by_buyer) == (403, "not_requester")
    assert (ordered.status_code, ordered.json()["status"]) == (200, "ORDERED")
    stored = PurchaseRequest.objects.get()
    actors = stored.history.order_by("pk").values_list("actor", flat=True)
    assert [actor.partition("/")[2] for actor in actors] == [
        f"contact:{one.pk}" for one in (world.requester, world.buyer, world.requester)
    ]


def test_each_sees_what_concerns_them(shop: Shop, world: World) -> None:
    # given
    colleague = person(world.sub, "REQUESTER")
    request = submit(world.sub, world.requester)
    path = f"purchase-requests/{request.pk}/"

    def seen_by(who: Contact, where: Any = world.sub) -> tuple[int, int]:
        one = shop.call("get", who, where, path).status_code
        listed = shop.get(who, where, "purchase-requests/")["results"]
        return one, len(listed)

    # then
    assert seen_by(world.requester) == (200, 1)
    assert seen_by(world.admin) == (200, 1)
    assert seen_by(world.buyer) == (200, 0)  # may decide on it
    assert seen_by(colleague) == (404, 0)
    assert seen_by(world.boss, world.head) == (404, 0)
    # when the buyer has decided
    shop.call("post", world.buyer, world.sub, f"{path}decline/", {}, version=1)
    # then
    assert seen_by(world.buyer) == (200, 1)


def test_what_went_up_waits_for_those_above(shop: Shop, world: World) -> None:
    # given
    make_limit(company=world.sub, amount="50")
    member = person(make_company(parent=world.head))
    make_approval_group(company=world.head, members=[member])
    request = submit(world.sub, world.buyer)
    where = member.assignments.get().company
    # when
    waiting = shop.get(member, where, "inbox/")["results"]
    path = f"purchase-requests/{request.pk}/"
    agreed = shop.call("post", member, where, f"{path}approve/", {}, version=1)
    # then
    assert [one["id"] for one in waiting] == [request.pk]
    assert agreed.status_code == 200, agreed.content
    assert agreed.json()["status"] == "APPROVED"


def test_the_inbox_comes_in_pages(shop: Shop, world: World) -> None:
    # given
    requests = [submit(world.sub, world.requester).pk for _ in range(5)]
    # when
    first = shop.get(world.buyer, world.sub, "inbox/?page_size=2")
    second = shop.get(world.buyer, world.sub, f"inbox/?page_size=2&after={requests[1]}")
    last = shop.get(world.buyer, world.sub, f"inbox/?page_size=2&after={requests[3]}")
    # then
    assert [one["id"] for one in first["results"]] == requests[:2]
    assert f"after={requests[1]}&" in first["next"]
    assert [one["id"] for one in second["results"]] == requests[2:4]
    assert [one["id"] for one in last["results"]] == requests[4:]
    assert last["next"] is None


def test_nobody_names_a_location_that_they_do_not_know(
    shop: Shop, world: World
) -> None:
    # given
    foreign = make_location(company=make_company(), is_billing=True)
    sister = make_location(company=make_company(parent=world.head), is_billing=True)
    errors = []
    for pk in (foreign.pk, sister.pk, 10**9):
        body = order_of(billing_location=pk)
        path = "purchase-requests/"
        answer = shop.call("post", world.buyer, world.sub, path, body)
        assert answer.status_code == 400
        (error,) = answer.json()["errors"]
        errors.append((error["pointer"], error["code"]))
    # then
    assert set(errors) == {("/billing_location", "does_not_exist")}
    assert not PurchaseRequest.objects.exists()


def test_on_hold_it_is_blocked_and_said_why(shop: Shop, world: World) -> None:
    # given
    set_status(world.head, "ON_HOLD", actor=SYSTEM, reason="Unpaid")
    # when
    answer = shop.call("post", world.buyer, world.sub, "purchase-requests/", order_of())
    # then
    assert answer.status_code == 200
    assert answer.json()["decision"]["outcome"] == "BLOCKED"
    me = shop.get(world.buyer, world.sub, "me/")
    assert me["company"]["effective_status"] == "ON_HOLD"


# --- Stand-ins and prices


def test_a_person_names_and_ends_a_stand_in(shop: Shop, world: World) -> None:
    # given
    until = str(timezone.localdate() + timedelta(days=7))
    body = {"stand_in": world.admin.pk, "valid_until": until}
    # when
    named = shop.call("post", world.buyer, world.sub, "stand-ins/", body)
    stranger = shop.call(
        "post",
        world.buyer,
        world.sub,
        "stand-ins/",
        body | {"stand_in": person(make_company()).pk},
    )
    by_requester = shop.call("post", world.requester, world.sub, "stand-ins/", body)
    # then
    assert named.status_code == 201, named.content
    assert stranger.json()["errors"][0]["code"] == "does_not_exist"
    assert code_of(by_requester) == (403, "needs_role")
    stored = StandIn.objects.get()
    assert (stored.contact, stored.company) == (world.buyer, world.sub)
    # when
    path = f"stand-ins/{stored.pk}/"
    foreign = shop.call("delete", world.admin, world.sub, path, version=1)
    ended = shop.call("delete", world.buyer, world.sub, path, version=1)
    # then
    assert foreign.status_code == 404
    assert ended.status_code == 204


def test_prices_are_those_of_the_person(shop: Shop, world: World) -> None:
    # when
    answer = shop.get(world.buyer, world.sub, "pricing-context/")
    # then
    assert (answer["contact"], answer["company"]) == (world.buyer.pk, world.sub.pk)
    kinds = [group["kind"] for group in answer["groups"]]
    assert kinds[:2] == ["BUYERS", "CONTACTS"]


# --- Costs


@pytest.mark.parametrize(
    ("path", "most"),
    [("me/", 12), ("people/", 4), ("locations/", 4), ("purchase-requests/", 4)],
)
def test_a_call_costs_a_known_number_of_statements(
    shop: Shop,
    world: World,
    path: str,
    most: int,
    django_assert_num_queries: Callable[..., Any],
) -> None:
    shop.get(world.buyer, world.sub, path)
    with django_assert_num_queries(most):
        shop.get(world.buyer, world.sub, path)
