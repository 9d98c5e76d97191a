"""Check, submit and decide over HTTP."""

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from approvals import services
from approvals.api.serializers import BriefRequestSerializer, PurchaseRequestSerializer
from approvals.api.shapes import BRIEF_REQUEST, PURCHASE_REQUEST
from approvals.models import Decision, PurchaseRequest
from companies.models import Company
from companies.services import set_status
from config.actors import SYSTEM
from integrations.rates import forget_portions
from tests.api_shapes import declared, described
from tests.approvals.makers import (
    World,
    make_approval_group,
    make_limit,
    make_world,
    person,
    submit,
)
from tests.clock import Clock
from tests.factories import make_company, make_contact, make_location

pytestmark = pytest.mark.django_db

URL = "/api/v1/purchase-requests/"
CHECK = f"{URL}check/"


@pytest.fixture
def world() -> World:
    return make_world()


def wish(
    world: World, who: str = "buyer", amount: str = "100.00", **fields: Any
) -> dict[str, Any]:
    return {
        "company": world.sub.pk,
        "requester": getattr(world, who).pk,
        "money": {"amount": amount, "currency": "EUR"},
    } | fields


def order(world: World, who: str = "requester", **fields: Any) -> dict[str, Any]:
    return wish(world, who) | {"kind": "CART", "reference": "A1"} | fields


def places(answer: Any) -> dict[str, str]:
    return {error["pointer"]: error["code"] for error in answer.json()["errors"]}


def at(version: int) -> dict[str, str]:
    return {"If-Match": f'"{version}"'}


def test_what_is_described_is_what_is_read() -> None:
    assert described(BriefRequestSerializer()) == declared(BRIEF_REQUEST)
    whole, shape = described(PurchaseRequestSerializer()), declared(PURCHASE_REQUEST)
    assert whole.keys() == shape.keys()
    for part in ("steps", "decisions", "history"):
        assert whole[part] == shape[part]


def test_a_check_says_why_and_who_could_act(api: APIClient, world: World) -> None:
    limit = make_limit(company=world.head, amount="50")
    group = make_approval_group(company=world.head, members=[world.boss])

    answer = api.post(CHECK, wish(world))

    facts = {
        "id": limit.pk,
        "name": "",
        "company": world.head.pk,
        "company_name": "Acme SE",
        "scope": "HIERARCHY",
        "period": "PURCHASE",
        "period_start": None,
        "period_end": None,
        "amount": "50.00",
        "unlimited": False,
        "used": "0.00",
        "reserved": "0.00",
        "remaining": "50.00",
        "currency": "EUR",
        "on_exceed": "APPROVE",
        "binds": "ALL",
        "roles": [],
        "contact": None,
        "applies": True,
        "bites": True,
    }
    held = world.buyer.assignments.get()
    assert answer.status_code == 200
    assert answer.json() == {
        "outcome": "APPROVAL_REQUIRED",
        "reasons": [
            {
                "code": "limit_exceeded",
                "message": "100.00 EUR exceeds the limit of Acme SE for each purchase, "
                "50.00 EUR, by 50.00 EUR.",
                "limit": facts,
                "rule": None,
            }
        ],
        "considered": {
            "limits": [facts],
            "rules": [],
            "role": {
                "role": "BUYER",
                "company": world.sub.pk,
                "through": f"assignment {held.pk}",
            },
        },
        "steps": [
            {
                "position": 1,
                "quorum": 1,
                "company": world.head.pk,
                "approval_groups": [group.pk],
                "roles": [],
                "rules": [],
                "staff": False,
                "approvers": [
                    {
                        "contact": world.boss.pk,
                        "name": world.boss.name,
                        "through": f"approval group {group.pk} of Acme SE",
                        "on_behalf_of": None,
                    }
                ],
            }
        ],
    }
    assert not PurchaseRequest.objects.exists()


def test_a_denial_is_an_answer(api: APIClient, world: World) -> None:
    outcomes = {}
    for name, contact in (
        ("assigned without role", person(world.sub)),
        ("not assigned", make_contact()),
        ("inactive", person(world.sub, "BUYER")),
    ):
        if name == "inactive":
            contact.is_active = False
            contact.save()
        answer = api.post(CHECK, wish(world) | {"requester": contact.pk})
        assert answer.status_code == 200
        body = answer.json()
        outcomes[name] = (body["outcome"], body["reasons"][0]["code"])

    assert outcomes == {
        "assigned without role": ("BLOCKED", "no_buying_role"),
        "not assigned": ("BLOCKED", "not_assigned"),
        "inactive": ("BLOCKED", "contact_not_active"),
    }


def test_a_submit_that_waits_and_what_is_read_of_it(
    api: APIClient, world: World
) -> None:
    place = make_location(company=world.sub, is_shipping=True)
    items = [{"sku": "S1", "name": "Chair", "quantity": "2", "amount": "100.00"}]

    answer = api.post(
        URL, order(world, items=items, shipping_location=place.pk, note="Soon")
    )

    assert answer.status_code == 201, answer.content
    assert answer.headers["ETag"] == '"1"'
    body = answer.json()
    assert body["status"] == "PENDING"
    assert body["money"] == {"amount": "100.00", "currency": "EUR"}
    assert body["items"] == items
    assert body["shipping_location"] == place.pk
    assert body["decision"]["outcome"] == "APPROVAL_REQUIRED"
    assert body["decision"]["reasons"][0]["code"] == "requester_needs_approval"
    assert {a["contact"] for a in body["decision"]["steps"][0]["approvers"]} == {
        world.admin.pk,
        world.buyer.pk,
    }
    assert body["steps"] == [
        {
            "round": 1,
            "position": 1,
            "quorum": 1,
            "agreed": 0,
            "company": world.sub.pk,
            "approval_groups": [],
            "roles": ["ADMIN", "BUYER"],
        }
    ]
    assert [entry["change"] for entry in body["history"]] == ["SUBMITTED"]
    assert body["history"][0]["actor"].endswith(f"/contact:{world.requester.pk}")
    assert api.get(f"{URL}{body['id']}/").json() == body


def test_a_stored_decision_reads_like_a_fresh_one(api: APIClient, world: World) -> None:
    make_limit(company=world.head, amount="50")
    make_limit(company=world.sub, amount="10", on_exceed="WARN")
    make_approval_group(company=world.head, members=[world.boss])
    fresh = api.post(CHECK, wish(world)).json()

    stored = api.post(URL, order(world, "buyer")).json()["decision"]

    assert stored == fresh


def test_a_submit_that_is_blocked_stores_nothing(api: APIClient, world: World) -> None:
    make_limit(company=world.head, amount="10", on_exceed="BLOCK")

    answer = api.post(URL, order(world))

    assert answer.status_code == 200
    assert answer.json()["decision"]["outcome"] == "BLOCKED"
    assert list(answer.json()) == ["decision"]
    assert not PurchaseRequest.objects.exists()


def test_a_submit_within_the_limits_is_approved_at_once(
    api: APIClient, world: World
) -> None:
    answer = api.post(URL, order(world, "buyer"))

    assert (answer.status_code, answer.json()["status"]) == (201, "APPROVED")


def test_a_person_asks_for_so_many_purchases_in_a_minute(
    api: APIClient, world: World, settings: Any
) -> None:
    # given
    forget_portions()
    settings.SUBMITS_PER_MINUTE = 2
    clock = Clock(timezone.now().replace(second=30))
    with clock.stopped():
        for number in range(2):
            api.post(URL, order(world, "buyer", reference=f"A{number}"))

        # when
        refused = api.post(URL, order(world, "buyer", reference="A3"))

        # then
        assert (refused.status_code, refused["Retry-After"]) == (429, "30")
        assert refused.json()["code"] == "rate_limited"
        assert PurchaseRequest.objects.count() == 2
        assert not PurchaseRequest.objects.filter(reference="A3").exists()
        other = api.post(URL, order(world, "requester", reference="A3"))
        assert other.status_code == 201
        assert api.post(CHECK, wish(world)).status_code == 200


def test_a_reference_in_use_names_the_first(api: APIClient, world: World) -> None:
    first = api.post(URL, order(world)).json()["id"]

    answer = api.post(URL, order(world, "buyer"))

    assert answer.status_code == 409
    assert answer.json()["code"] == "open_request_exists"
    assert answer.json()["details"] == {"request": first}


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"money": {"amount": 100, "currency": "EUR"}}, "/money", "invalid"),
        ({"money": {"amount": "100"}}, "/money", "invalid"),
        (
            {"money": {"amount": "0.001", "currency": "EUR"}},
            "/money",
            "too_many_decimals",
        ),
        (
            {"money": {"amount": "0", "currency": "EUR"}},
            "/money",
            "amount_not_positive",
        ),
        (
            {"money": {"amount": "1", "currency": "XXX"}},
            "/money",
            "unknown_currency",
        ),
        ({"kind": "GIFT"}, "/kind", "invalid_choice"),
        ({"reference": ""}, "/reference", "blank"),
        ({"reference": "\u200b"}, "/reference", "blank"),
        ({"reference": "x" * 65}, "/reference", "max_length"),
        ({"status": "APPROVED"}, "/status", "unknown_field"),
        ({"company": 0}, "/company", "does_not_exist"),
        ({"requester": "5"}, "/requester", "incorrect_type"),
        ({"items": {}}, "/items", "not_a_list"),
        ({"items": [{"name": "x"}]}, "/items/0/amount", "required"),
        (
            {"items": [{"name": "x", "amount": "99.99"}]},
            "/items",
            "items_do_not_add_up",
        ),
        (
            {"items": [{"name": "x", "amount": "100.00", "price": "1"}]},
            "/items/0/price",
            "unknown_field",
        ),
        ({"billing_location": 999999}, "/billing_location", "does_not_exist"),
        ({"note": "x" * 2001}, "/note", "max_length"),
    ],
)
def test_a_wrong_submit_is_refused_by_place(
    api: APIClient, world: World, fields: dict[str, Any], pointer: str, code: str
) -> None:
    answer = api.post(URL, order(world) | fields)

    assert answer.status_code == 400, answer.content
    assert places(answer) == {pointer: code}
    assert not PurchaseRequest.objects.exists()


def test_a_location_of_another_company_is_refused(api: APIClient, world: World) -> None:
    place = make_location(company=world.head, is_billing=True)

    answer = api.post(URL, order(world, billing_location=place.pk))

    assert places(answer) == {"/billing_location": "location_not_usable"}


def test_approve_decline_and_withdraw(api: APIClient, world: World) -> None:
    for action, who, status, verdicts in (
        ("approve", world.admin, "APPROVED", ["APPROVE"]),
        ("decline", world.buyer, "DECLINED", ["DECLINE"]),
        ("withdraw", world.requester, "WITHDRAWN", []),
    ):
        request = submit(world.sub, world.requester)
        path = f"{URL}{request.pk}/{action}/"
        body = {"contact": who.pk, "comment": "As said."}

        assert api.post(path, body).status_code == 428
        stale = api.post(path, body, headers=at(7))
        assert (stale.status_code, stale.json()["details"]) == (412, {"version": 1})
        answer = api.post(path, body, headers=at(1))

        assert answer.status_code == 200, answer.content
        told = answer.json()
        assert (told["status"], told["version"]) == (status, 2)
        assert [d["verdict"] for d in told["decisions"]] == verdicts
        assert told["history"][-1]["comment"] == "As said."
        again = api.post(path, body, headers=at(2))
        assert again.status_code == 409
        assert again.json()["code"] == "purchase_request_not_pending"


def test_a_decision_says_through_what(api: APIClient, world: World) -> None:
    group = make_approval_group(company=world.head, members=[world.boss])
    request = submit(world.sub, world.requester)

    told = api.post(
        f"{URL}{request.pk}/approve/", {"contact": world.boss.pk}, headers=at(1)
    ).json()

    (decision,) = told["decisions"]
    assert decision["through"] == f"approval group {group.pk} of Acme SE"
    assert (decision["contact"], decision["step"], decision["staff"]) == (
        world.boss.pk,
        1,
        None,
    )
    assert told["steps"][0]["agreed"] == 1


@pytest.mark.parametrize(
    ("action", "who", "status", "code"),
    [
        ("approve", "requester", 403, "self_approval"),
        ("decline", "requester", 403, "self_approval"),
        ("approve", "boss", 403, "not_eligible"),
        ("withdraw", "admin", 403, "not_requester"),
    ],
)
def test_who_may_not_decide_is_refused(
    api: APIClient, world: World, action: str, who: str, status: int, code: str
) -> None:
    request = submit(world.sub, world.requester)

    answer = api.post(
        f"{URL}{request.pk}/{action}/",
        {"contact": getattr(world, who).pk},
        headers=at(1),
    )

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert PurchaseRequest.objects.get().version == 1
    assert not Decision.objects.exists()


def test_nothing_is_decided_while_on_hold(api: APIClient, world: World) -> None:
    request = submit(world.sub, world.requester)
    set_status(world.head, Company.Status.ON_HOLD, actor=SYSTEM, reason="")

    answer = api.post(
        f"{URL}{request.pk}/approve/", {"contact": world.admin.pk}, headers=at(1)
    )

    assert (answer.status_code, answer.json()["code"]) == (409, "company_not_active")


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({}, "/contact", "required"),
        ({"contact": 999999}, "/contact", "does_not_exist"),
        ({"contact": "x"}, "/contact", "incorrect_type"),
        ({"amount": "1"}, "/amount", "unknown_field"),
        ({"comment": "x" * 2001}, "/comment", "max_length"),
    ],
)
def test_a_wrong_decision_is_refused_by_place(
    api: APIClient, world: World, body: dict[str, Any], pointer: str, code: str
) -> None:
    request = submit(world.sub, world.requester)
    valid = {} if pointer == "/contact" else {"contact": world.admin.pk}

    answer = api.post(f"{URL}{request.pk}/approve/", valid | body, headers=at(1))

    assert (answer.status_code, places(answer)[pointer]) == (400, code)
    assert PurchaseRequest.objects.get().status == "PENDING"


def test_who_can_decide_now(api: APIClient, world: World) -> None:
    request = submit(world.sub, world.requester)
    path = f"{URL}{request.pk}/approvers/"

    now = api.get(path).json()["step"]
    assert {a["contact"] for a in now["approvers"]} == {
        world.admin.pk,
        world.buyer.pk,
    }
    assert now["staff"] is False
    for assignment in world.sub.assignments.exclude(contact=world.requester):
        assignment.contact.is_active = False
        type(assignment).objects.filter(pk=assignment.pk).update(role="")
    above = api.get(path).json()["step"]
    assert [a["contact"] for a in above["approvers"]] == [world.boss.pk]
    world.head.assignments.update(role="")
    top = api.get(path).json()["step"]
    assert (top["approvers"], top["staff"]) == ([], True)


def test_nobody_is_asked_for_an_ended_request(api: APIClient, world: World) -> None:
    request = submit(world.sub, world.buyer)

    assert api.get(f"{URL}{request.pk}/approvers/").json() == {"step": None}


def test_lists_are_filtered(api: APIClient, world: World) -> None:
    pending = submit(world.sub, world.requester, reference="P")
    approved = submit(world.sub, world.buyer, kind="QUOTE")
    of_head = submit(world.head, world.boss)
    submit(make_company(), person(Company.objects.last(), "ADMIN"))

    def found(query: str) -> list[int]:
        answer = api.get(f"{URL}?{query}")
        assert answer.status_code == 200, answer.content
        return [x["id"] for x in answer.json()["results"]]

    day = "2020-01-01T00:00:00Z"
    assert found(f"under={world.head.pk}") == [of_head.pk, approved.pk, pending.pk]
    assert found(f"company={world.sub.pk}") == [approved.pk, pending.pk]
    assert found(f"requester={world.boss.pk}") == [of_head.pk]
    assert found("status=PENDING") == [pending.pk]
    assert found("kind=QUOTE") == [approved.pk]
    assert found("reference=P") == [pending.pk]
    services.order_request(approved, number="SO-1", actor=SYSTEM, expected_version=1)
    assert found("order_number=SO-1") == [approved.pk]
    assert found("order_number=so") == []
    assert found(f"created_before={day}") == []
    assert len(found(f"created_after={day}")) == 4
    assert api.get(f"{URL}?snapshot=1").status_code == 400


def test_lists_and_single_requests_take_few_queries(
    api: APIClient, world: World, django_assert_num_queries: Callable
) -> None:
    request = submit(world.sub, world.requester)
    for _ in range(3):
        submit(world.sub, world.requester)

    with django_assert_num_queries(2):
        assert len(api.get(URL).json()["results"]) == 4
    with django_assert_num_queries(7):
        api.get(f"{URL}{request.pk}/")
    with django_assert_num_queries(3):
        api.get(f"{URL}?count=true")


def test_a_check_over_http_takes_few_queries(
    api: APIClient, world: World, django_assert_num_queries: Callable
) -> None:
    make_limit(company=world.head, amount="1")

    with django_assert_num_queries(6):  # 3 of them: token, company, person
        api.post(CHECK, wish(world))
    with django_assert_num_queries(6):  # nobody has to be looked for
        api.post(CHECK, wish(world, amount="0.50"))


def test_a_client_sees_and_moves_only_requests_of_its_hierarchies(
    caller: Callable[..., APIClient], world: World
) -> None:
    ours = make_company()
    own = person(ours, "BUYER")
    request = submit(world.sub, world.requester)
    http = caller(only=(ours,))

    assert http.get(URL).json()["results"] == []
    for path in ("", "approvers/"):
        assert http.get(f"{URL}{request.pk}/{path}").status_code == 404
    for action in ("approve", "decline", "withdraw"):
        answer = http.post(
            f"{URL}{request.pk}/{action}/", {"contact": own.pk}, headers=at(1)
        )
        assert answer.status_code == 404
    foreign = {"company": world.sub.pk, "requester": world.buyer.pk}
    refused = http.post(CHECK, wish(world) | foreign)
    assert places(refused) == {
        "/company": "does_not_exist",
        "/requester": "does_not_exist",
    }
    mine = submit(ours, person(ours, "REQUESTER"))
    by_stranger = http.post(
        f"{URL}{mine.pk}/approve/", {"contact": world.admin.pk}, headers=at(1)
    )
    assert places(by_stranger) == {"/contact": "does_not_exist"}


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("get", "", "purchases:read"),
        ("get", "1/", "purchases:read"),
        ("get", "1/approvers/", "purchases:read"),
        ("post", "", "purchases:write"),
        ("post", "1/withdraw/", "purchases:write"),
        ("post", "1/approve/", "approvals:decide"),
        ("post", "1/decline/", "approvals:decide"),
    ],
)
def test_each_action_has_its_scope(
    caller: Callable[..., APIClient], method: str, path: str, scope: str
) -> None:
    scopes = {"purchases:read", "purchases:write", "approvals:decide"}

    allowed = getattr(caller(scope), method)(URL + path)
    refused = getattr(caller(" ".join(scopes - {scope})), method)(URL + path)
    anonymous = getattr(APIClient(), method)(URL + path)

    assert allowed.status_code in (200, 400, 404)
    assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")
    assert anonymous.status_code == 401


def test_reading_or_submitting_is_enough_for_a_check(
    caller: Callable[..., APIClient], world: World
) -> None:
    assert caller("purchases:read").post(CHECK, wish(world)).status_code == 200
    assert caller("purchases:write").post(CHECK, wish(world)).status_code == 200
    assert caller("approvals:decide").post(CHECK, wish(world)).status_code == 403
    assert APIClient().post(CHECK, wish(world)).status_code == 401


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_a_request_is_never_edited_or_deleted(
    api: APIClient, world: World, method: str
) -> None:
    request = submit(world.sub, world.requester)

    answer = getattr(api, method)(f"{URL}{request.pk}/", {}, headers=at(1))

    assert answer.status_code == 405
    assert PurchaseRequest.objects.get().version == 1
