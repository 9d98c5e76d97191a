"""What becomes of a request over HTTP: changed, ordered, cancelled, refunded."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from approvals.models import LedgerEntry, LimitCounter, PurchaseRequest
from companies.models import Company
from companies.services import set_status
from config.actors import SYSTEM
from tests.approvals.makers import (
    World,
    make_approval_group,
    make_limit,
    make_rule,
    make_world,
    person,
    submit,
)
from tests.factories import make_company, make_location

pytestmark = pytest.mark.django_db

URL = "/api/v1/purchase-requests/"
CHECK = f"{URL}check/"


@pytest.fixture
def world() -> World:
    """With a month's limit for everybody, so that everything is counted."""
    world = make_world()
    make_limit(
        company=world.head,
        amount="1000",
        period="MONTH",
        binds="ROLES",
        roles=["ADMIN", "BUYER", "REQUESTER"],
        on_exceed="BLOCK",
    )
    return world


def euro(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


def at(version: int) -> dict[str, Any]:
    return {"headers": {"If-Match": f'"{version}"'}}


def places(answer: Any) -> dict[str, str]:
    return {error["pointer"]: error["code"] for error in answer.json()["errors"]}


def counted() -> tuple[str, str]:
    """Reserved and used of the limit."""
    (counter,) = LimitCounter.objects.values_list("reserved", "used")
    return f"{counter[0]:.2f}", f"{counter[1]:.2f}"


def ledger() -> list[Any]:
    return list(LedgerEntry.objects.order_by("pk").values())


# Change


def change(
    api: APIClient,
    request: PurchaseRequest,
    amount: str = "100.00",
    version: int = 1,
    **fields: Any,
) -> Any:
    body = {"contact": request.requester_id, "money": euro(amount)} | fields
    return api.post(f"{URL}{request.pk}/change/", body, **at(version))


@pytest.fixture
def agreed(world: World, api: APIClient) -> PurchaseRequest:
    """A request for two chairs and a lamp, on which the first of two has agreed."""
    group = make_approval_group(
        company=world.sub, members=[world.admin, world.buyer, world.boss]
    )
    make_rule(company=world.sub, steps=[{"approval_group": group, "quorum": 2}])
    request = submit(
        world.sub,
        world.requester,
        items=[
            {"sku": "C", "name": "Chair", "quantity": "2", "amount": "80.00"},
            {"sku": "L", "name": "Lamp", "quantity": "1", "amount": "20.00"},
        ],
    )
    api.post(f"{URL}{request.pk}/approve/", {"contact": world.admin.pk}, **at(1))
    return request


CHAIRS = {"sku": "C", "name": "Chair", "quantity": "2", "amount": "80.00"}


def test_less_of_the_same_keeps_the_approvals(
    api: APIClient, world: World, agreed: PurchaseRequest
) -> None:
    told = change(api, agreed, "80.00", 2, items=[CHAIRS], comment="No lamp.")

    assert told.status_code == 200, told.content
    body = told.json()
    assert (body["status"], body["revision"], body["round"]) == ("PENDING", 2, 1)
    assert (body["money"], body["items"]) == (euro("80.00"), [CHAIRS])
    assert [step["agreed"] for step in body["steps"]] == [1]
    entry = body["history"][-1]
    assert (entry["change"], entry["amount"], entry["comment"]) == (
        "CHANGED",
        "80.00",
        "No lamp.",
    )
    assert counted() == ("80.00", "0.00")
    last = api.post(
        f"{URL}{agreed.pk}/approve/", {"contact": world.buyer.pk}, **at(3)
    ).json()
    assert last["status"] == "APPROVED"
    assert [(d["round"], d["contact"]) for d in last["decisions"]] == [
        (1, world.admin.pk),
        (1, world.buyer.pk),
    ]


@pytest.mark.parametrize(
    ("amount", "items"),
    [
        ("100.01", [CHAIRS | {"amount": "80.01"}, ("Lamp", "20.00")]),
        ("80.00", [CHAIRS | {"name": "Throne"}]),
        ("80.00", [CHAIRS | {"sku": "X"}]),
        ("90.00", [CHAIRS | {"amount": "90.00"}]),
        ("50.00", []),
    ],
    ids=["more", "another thing", "another number", "dearer line", "no lines"],
)
def test_more_or_other_things_need_new_approvals(
    api: APIClient, world: World, agreed: PurchaseRequest, amount: str, items: list
) -> None:
    lines = [
        {"sku": "L", "name": line[0], "quantity": "1", "amount": line[1]}
        if isinstance(line, tuple)
        else line
        for line in items
    ]

    body = change(api, agreed, amount, 2, items=lines).json()

    assert (body["status"], body["revision"], body["round"]) == ("PENDING", 2, 2)
    assert [(s["round"], s["agreed"]) for s in body["steps"]] == [(1, 1), (2, 0)]
    assert counted() == (amount, "0.00")

    def approve(who: Any, version: int) -> Any:
        path = f"{URL}{agreed.pk}/approve/"
        return api.post(path, {"contact": who.pk}, **at(version)).json()

    assert approve(world.buyer, 3)["status"] == "PENDING"  # the old one counts no more
    last = approve(world.admin, 4)  # who may decide anew
    assert last["status"] == "APPROVED"
    assert [(d["round"], d["contact"]) for d in last["decisions"]] == [
        (1, world.admin.pk),
        (2, world.buyer.pk),
        (2, world.admin.pk),
    ]


def test_another_address_needs_new_approvals(
    api: APIClient, world: World, agreed: PurchaseRequest
) -> None:
    place = make_location(company=world.sub, is_shipping=True)

    body = change(api, agreed, "80.00", 2, items=[CHAIRS], shipping_location=place.pk)

    told = body.json()
    assert (told["round"], told["shipping_location"]) == (2, place.pk)


def test_a_change_that_is_blocked_changes_nothing(
    api: APIClient, agreed: PurchaseRequest
) -> None:
    path = f"{URL}{agreed.pk}/"
    before, entries = api.get(path).json(), ledger()

    answer = change(api, agreed, "1000.01", 2)

    assert answer.status_code == 200
    assert list(answer.json()) == ["decision"]
    decision = answer.json()["decision"]
    assert decision["outcome"] == "BLOCKED"
    # Its own reservation does not stand in the way of what is to replace it.
    assert decision["reasons"][0]["limit"]["remaining"] == "1000.00"
    assert (api.get(path).json(), ledger()) == (before, entries)
    assert counted() == ("100.00", "0.00")


def test_a_change_to_what_needs_nobody_is_approved_at_once(
    api: APIClient, world: World
) -> None:
    make_limit(company=world.sub, amount="50")
    request = submit(world.sub, world.buyer)

    body = change(api, request, "50.00").json()

    assert (body["status"], body["decision"]["outcome"]) == ("APPROVED", "ALLOWED")
    assert counted() == ("50.00", "0.00")


def test_only_who_asked_changes_a_request(api: APIClient, world: World) -> None:
    request = submit(world.sub, world.requester)
    entries = ledger()

    for who in (world.admin, world.buyer):
        answer = change(api, request, "50.00", contact=who.pk)
        assert (answer.status_code, answer.json()["code"]) == (403, "not_requester")

    assert PurchaseRequest.objects.get().version == 1
    assert ledger() == entries


def test_only_a_pending_request_is_changed(api: APIClient, world: World) -> None:
    request = submit(world.sub, world.buyer)
    assert request.status == "APPROVED"

    answer = change(api, request, "50.00")

    assert answer.status_code == 409
    assert answer.json()["code"] == "purchase_request_not_pending"


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"contact": None}, "/contact", "null"),
        ({"contact": 2**63}, "/contact", "does_not_exist"),
        ({"money": "100"}, "/money", "invalid"),
        ({"money": euro("0")}, "/money", "amount_not_positive"),
        ({"money": euro("0.001")}, "/money", "too_many_decimals"),
        ({"money": {"amount": "1", "currency": "USD"}}, "/money", "other_currency"),
        ({"items": {}}, "/items", "not_a_list"),
        ({"items": [{"name": "x", "amount": "1"}]}, "/items", "items_do_not_add_up"),
        ({"items": [{"name": "x"}]}, "/items/0/amount", "required"),
        ({"billing_location": 2**63}, "/billing_location", "does_not_exist"),
        ({"billing_location": "above"}, "/billing_location", "location_not_usable"),
        ({"note": 5}, "/note", "invalid"),
        ({"comment": "x" * 2001}, "/comment", "max_length"),
        ({"kind": "CART"}, "/kind", "unknown_field"),
        ({"reference": "A1"}, "/reference", "unknown_field"),
    ],
)
def test_a_wrong_change_is_refused_by_place(
    api: APIClient, world: World, fields: dict[str, Any], pointer: str, code: str
) -> None:
    request = submit(world.sub, world.requester)
    if fields.get("billing_location") == "above":
        place = make_location(company=world.head, is_billing=True)
        fields = {"billing_location": place.pk}
    entries = ledger()

    answer = change(api, request, **fields)

    assert answer.status_code == 400, answer.content
    assert places(answer) == {pointer: code}
    assert PurchaseRequest.objects.get().version == 1
    assert ledger() == entries


# Order, cancel, refund


def test_an_order_uses_what_was_ordered_and_gives_back_the_rest(
    api: APIClient, world: World
) -> None:
    request = submit(world.sub, world.buyer)
    body = {"number": "SO-1", "money": euro("99.50"), "comment": "Discount."}

    told = api.post(f"{URL}{request.pk}/order/", body, **at(1))

    assert told.status_code == 200, told.content
    assert told.headers["ETag"] == '"2"'
    order = told.json()
    assert (order["status"], order["order_number"]) == ("ORDERED", "SO-1")
    assert (order["ordered"], order["refunded"]) == (euro("99.50"), euro("0.00"))
    entry = order["history"][-1]
    assert (entry["change"], entry["amount"], entry["comment"]) == (
        "ORDERED",
        "99.50",
        "Discount.",
    )
    assert entry["actor"].startswith("client:")
    assert counted() == ("0.00", "99.50")


def test_an_order_without_an_amount_is_all_of_it(api: APIClient, world: World) -> None:
    request = submit(world.sub, world.buyer)

    told = api.post(f"{URL}{request.pk}/order/", {"number": "SO-1"}, **at(1)).json()

    assert told["ordered"] == euro("100.00")
    assert counted() == ("0.00", "100.00")


def test_a_cancelled_request_gives_all_back_once(api: APIClient, world: World) -> None:
    request = submit(world.sub, world.buyer)
    path = f"{URL}{request.pk}/cancel/"

    told = api.post(path, {"comment": "Not needed."}, **at(1)).json()
    again = api.post(path, {}, **at(2))

    assert (told["status"], told["history"][-1]["comment"]) == (
        "CANCELLED",
        "Not needed.",
    )
    assert again.status_code == 409
    assert again.json()["code"] == "purchase_request_not_approved"
    assert counted() == ("0.00", "0.00")


def test_an_order_is_refunded_in_parts_and_never_more(
    api: APIClient, world: World
) -> None:
    request = submit(world.sub, world.buyer)
    api.post(f"{URL}{request.pk}/order/", {"number": "SO-1"}, **at(1))
    path = f"{URL}{request.pk}/refund/"

    api.post(path, {"money": euro("30.00")}, **at(2))
    too_much = api.post(path, {"money": euro("70.01")}, **at(3))
    rest = api.post(path, {"money": euro("70.00"), "comment": "All."}, **at(3))

    assert (too_much.status_code, too_much.json()["code"]) == (409, "more_than_ordered")
    assert (rest.json()["status"], rest.json()["refunded"]) == (
        "ORDERED",
        euro("100.00"),
    )
    assert counted() == ("0.00", "0.00")


def test_more_than_was_approved_is_not_ordered(api: APIClient, world: World) -> None:
    request = submit(world.sub, world.buyer)
    entries = ledger()

    answer = api.post(
        f"{URL}{request.pk}/order/",
        {"number": "SO-1", "money": euro("100.01")},
        **at(1),
    )

    assert (answer.status_code, answer.json()["code"]) == (409, "more_than_approved")
    assert ledger() == entries


def test_nothing_is_ordered_while_on_hold_but_cancelled(
    api: APIClient, world: World
) -> None:
    request = submit(world.sub, world.buyer)
    set_status(world.head, Company.Status.ON_HOLD, actor=SYSTEM, reason="")

    order = api.post(f"{URL}{request.pk}/order/", {"number": "SO-1"}, **at(1))
    cancel = api.post(f"{URL}{request.pk}/cancel/", {}, **at(1))

    assert (order.status_code, order.json()["code"]) == (409, "company_not_active")
    assert (cancel.status_code, cancel.json()["status"]) == (200, "CANCELLED")


BODIES: dict[str, dict[str, Any]] = {
    "order": {"number": "SO-1"},
    "cancel": {},
    "refund": {"money": euro("1.00")},
    "change": {"money": euro("1.00")},
}


@pytest.mark.parametrize(
    ("action", "fields", "pointer", "code"),
    [
        ("order", {"number": None}, "/number", "null"),
        ("order", {"number": ""}, "/number", "blank"),
        ("order", {"number": "\u200b"}, "/number", "blank"),
        ("order", {"number": 5}, "/number", "invalid"),
        ("order", {"number": "x" * 65}, "/number", "max_length"),
        ("order", {"money": euro("0")}, "/money", "amount_not_positive"),
        ("order", {"money": euro("1.001")}, "/money", "too_many_decimals"),
        (
            "order",
            {"money": {"amount": "1", "currency": "USD"}},
            "/money",
            "other_currency",
        ),
        ("order", {"contact": 1}, "/contact", "unknown_field"),
        ("cancel", {"comment": 5}, "/comment", "invalid"),
        ("cancel", {"comment": "x" * 2001}, "/comment", "max_length"),
        ("cancel", {"reason": "x"}, "/reason", "unknown_field"),
        ("refund", {"money": None}, "/money", "null"),
        ("refund", {"money": {"amount": "1"}}, "/money", "invalid"),
        ("refund", {"money": euro("0.00")}, "/money", "amount_not_positive"),
        (
            "refund",
            {"money": {"amount": "1", "currency": "USD"}},
            "/money",
            "other_currency",
        ),
    ],
)
def test_wrong_input_of_an_action_is_refused_by_place(
    api: APIClient,
    world: World,
    action: str,
    fields: dict[str, Any],
    pointer: str,
    code: str,
) -> None:
    request, version = submit(world.sub, world.buyer), 1
    if action == "refund":
        api.post(f"{URL}{request.pk}/order/", {"number": "SO-1"}, **at(1))
        version = 2
    entries = ledger()

    answer = api.post(
        f"{URL}{request.pk}/{action}/", BODIES[action] | fields, **at(version)
    )

    assert answer.status_code == 400, answer.content
    assert places(answer) == {pointer: code}
    assert PurchaseRequest.objects.get().version == version
    assert ledger() == entries


@pytest.mark.parametrize("action", BODIES)
def test_an_action_needs_the_version_that_was_read(
    api: APIClient, world: World, action: str
) -> None:
    who = world.requester if action == "change" else world.buyer
    request, version = submit(world.sub, who), 1
    if action == "refund":
        api.post(f"{URL}{request.pk}/order/", {"number": "SO-1"}, **at(1))
        version = 2
    body = BODIES[action] | ({"contact": who.pk} if action == "change" else {})
    path = f"{URL}{request.pk}/{action}/"

    assert api.post(path, body).status_code == 428
    stale = api.post(path, body, **at(9))
    assert (stale.status_code, stale.json()["details"]) == (412, {"version": version})
    assert api.post(path, body, **at(version)).status_code == 200


@pytest.mark.parametrize("action", BODIES)
def test_requests_of_other_hierarchies_do_not_exist(
    caller: Callable[..., APIClient], world: World, action: str
) -> None:
    ours = make_company()
    own, request = person(ours, "BUYER"), submit(world.sub, world.requester)
    body = BODIES[action] | ({"contact": own.pk} if action == "change" else {})

    answer = caller(only=(ours,)).post(f"{URL}{request.pk}/{action}/", body, **at(1))

    assert answer.status_code == 404


@pytest.mark.parametrize("action", BODIES)
def test_each_action_has_its_scope(
    caller: Callable[..., APIClient], action: str
) -> None:
    path = f"{URL}1/{action}/"

    assert caller("purchases:write").post(path, {}).status_code == 404
    refused = caller("purchases:read approvals:decide").post(path, {})
    assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")
    assert APIClient().post(path, {}).status_code == 401


# A check for another moment


def test_a_check_tells_what_the_answer_would_be_then(
    api: APIClient, world: World
) -> None:
    submit(world.sub, world.buyer, "950.00")
    wish = {
        "company": world.sub.pk,
        "requester": world.buyer.pk,
        "money": euro("100.00"),
    }
    later = (timezone.now() + timedelta(days=40)).isoformat()

    now = api.post(CHECK, wish).json()
    then = api.post(CHECK, wish | {"at": later}).json()

    assert (now["outcome"], then["outcome"]) == ("BLOCKED", "ALLOWED")
    assert then["considered"]["limits"][0]["remaining"] == "1000.00"


@pytest.mark.parametrize(
    ("moment", "code"),
    [
        ("tomorrow", "invalid"),
        ("", "invalid"),
        (5, "invalid"),
        (True, "invalid"),
        ([], "invalid"),
        (None, "null"),
        ("2026-11-24", "invalid"),
        ("2026-11-24T10:00:00", "invalid"),
        ("2026-13-24T10:00:00Z", "invalid"),
        ("0001-01-01T00:00:00+14:00", "invalid"),
        ("9999-12-31T23:59:59-14:00", "invalid"),
        ("2000-01-01T00:00:00Z", "min_value"),
        ("2100-01-01T00:00:00Z", "max_value"),
    ],
)
def test_a_wrong_moment_is_refused(
    api: APIClient, world: World, moment: Any, code: str
) -> None:
    wish = {
        "company": world.sub.pk,
        "requester": world.buyer.pk,
        "money": euro("1.00"),
        "at": moment,
    }

    answer = api.post(CHECK, wish)

    assert (answer.status_code, places(answer)) == (400, {"/at": code})


def test_a_submit_is_for_now(api: APIClient, world: World) -> None:
    answer = api.post(
        URL,
        {
            "company": world.sub.pk,
            "requester": world.buyer.pk,
            "money": euro("1.00"),
            "kind": "CART",
            "reference": "A1",
            "at": "2026-11-24T10:00:00Z",
        },
    )

    assert places(answer) == {"/at": "unknown_field"}
