"""What is asked of purchases in every state, and what the answer is: over HTTP."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from approvals import services
from approvals.models import (
    ApprovalPolicy,
    Decision,
    LedgerEntry,
    PurchaseLimit,
    PurchaseRequest,
    RequestHistory,
)
from companies.models import Company
from companies.services import set_status
from config.actors import SYSTEM
from integrations.models import Event
from tests.approvals.makers import (
    World,
    acting,
    euros,
    make_limit,
    make_rule,
    make_world,
    person,
    submit,
)
from tests.factories import make_company, make_contact

pytestmark = pytest.mark.django_db

REQUESTS, LIMITS = "/api/v1/purchase-requests/", "/api/v1/purchase-limits/"


@pytest.fixture
def world() -> World:
    return make_world()


def stored() -> list[Any]:
    models = (PurchaseRequest, Decision, RequestHistory, LedgerEntry, Event)
    return [list(model.objects.order_by("pk").values()) for model in models]


# What may be done in which state

NOT_PENDING = "purchase_request_not_pending"
NOT_APPROVED = "purchase_request_not_approved"
NOT_ORDERED = "purchase_request_not_ordered"
ACTIONS = {
    "approve": (NOT_PENDING, "PENDING"),
    "decline": (NOT_PENDING, "PENDING"),
    "withdraw": (NOT_PENDING, "PENDING"),
    "change": (NOT_PENDING, "PENDING"),
    "order": (NOT_APPROVED, "APPROVED"),
    "cancel": (NOT_APPROVED, "APPROVED"),
    "refund": (NOT_ORDERED, "ORDERED"),
}
STATES = [
    "PENDING",
    "APPROVED",
    "DECLINED",
    "WITHDRAWN",
    "EXPIRED",
    "ORDERED",
    "CANCELLED",
]


def in_state(world: World, state: str) -> PurchaseRequest:
    make_limit(company=world.head, amount="1000", period="MONTH")
    request = submit(world.sub, world.requester)
    by: dict[str, Any] = {"actor": acting(world.admin), "expected_version": 1}
    own = by | {"actor": acting(world.requester)}
    then = {"actor": SYSTEM, "expected_version": 2}
    match state:
        case "DECLINED":
            return services.decline_request(request, **by)
        case "WITHDRAWN":
            return services.withdraw_request(request, **own)
        case "EXPIRED":
            PurchaseRequest.objects.update(expires_at=request.submitted_at)
            assert services.expire_request(request, actor=SYSTEM)
        case "APPROVED" | "ORDERED" | "CANCELLED":
            request = services.approve_request(request, **by)
            if state == "ORDERED":
                services.order_request(request, number="SO-1", **then)
            if state == "CANCELLED":
                services.cancel_request(request, **then)
    request.refresh_from_db()
    return request


@pytest.mark.parametrize("state", STATES)
def test_each_action_belongs_to_one_state(
    api: APIClient, world: World, state: str
) -> None:
    request = in_state(world, state)
    assert request.status == state
    money = {"amount": "90.00", "currency": "EUR"}
    bodies: dict[str, dict[str, Any]] = {
        "approve": {"contact": world.buyer.pk},
        "decline": {"contact": world.buyer.pk},
        "withdraw": {"contact": world.requester.pk},
        "change": {"contact": world.requester.pk, "money": money},
        "order": {"number": "SO-2"},
        "cancel": {},
        "refund": {"money": money},
    }
    before = stored()

    for action, (code, where) in ACTIONS.items():
        if where == state:
            continue
        answer = api.post(
            f"{REQUESTS}{request.pk}/{action}/",
            bodies[action],
            headers={"If-Match": f'"{request.version}"'},
        )
        assert (answer.status_code, answer.json()["code"]) == (409, code), action
        assert answer.json()["details"]["status"] == state

    assert stored() == before


@pytest.mark.parametrize(
    ("action", "money", "status", "code"),
    [
        ("order", "100.00", 200, None),
        ("order", "99.99", 200, None),
        ("order", "100.01", 409, "more_than_approved"),
        ("refund", "100.00", 200, None),
        ("refund", "100.01", 409, "more_than_ordered"),
    ],
)
def test_never_more_than_there_was(
    api: APIClient, world: World, action: str, money: str, status: int, code: str | None
) -> None:
    request = in_state(world, "APPROVED" if action == "order" else "ORDERED")
    before = stored()

    answer = api.post(
        f"{REQUESTS}{request.pk}/{action}/",
        {"money": {"amount": money, "currency": "EUR"}}
        | ({"number": "SO-1"} if action == "order" else {}),
        headers={"If-Match": f'"{request.version}"'},
    )

    assert (answer.status_code, answer.json().get("code")) == (status, code)
    assert (stored() == before) == (status != 200)


# Who may buy what


def not_assigned(world: World) -> Any:
    return make_contact()


def assigned_elsewhere(world: World) -> Any:
    return person(make_company(parent=world.head), "ADMIN")


def without_role(world: World) -> Any:
    return person(world.sub)


def deactivated(world: World) -> Any:
    contact = person(world.sub, "BUYER")
    contact.is_active = False
    contact.save()
    return contact


def put(status: str, which: str) -> Callable[[World], Any]:
    def prepare(world: World) -> Any:
        company = Company.objects.get(pk=getattr(world, which).pk)
        set_status(company, Company.Status[status], actor=SYSTEM, reason="")
        return world.buyer

    return prepare


def limited(**fields: Any) -> Callable[[World], Any]:
    def prepare(world: World) -> Any:
        make_limit(company=world.head, **fields)
        return world.buyer

    return prepare


def ruled(**fields: Any) -> Callable[[World], Any]:
    def prepare(world: World) -> Any:
        if "amount_from" in fields:
            amount = euros(fields["amount_from"]).amount
            fields.update(amount_from=amount, currency="EUR")
        make_rule(company=world.head, covers_subsidiaries=True, **fields)
        return world.buyer

    return prepare


ALLOWED, APPROVAL, BLOCKED = "ALLOWED", "APPROVAL_REQUIRED", "BLOCKED"
CASES: dict[str, tuple[Callable[[World], Any], str, str]] = {
    "not assigned": (not_assigned, BLOCKED, "not_assigned"),
    "assigned to a sister": (assigned_elsewhere, BLOCKED, "not_assigned"),
    "without a buying role": (without_role, BLOCKED, "no_buying_role"),
    "deactivated": (deactivated, BLOCKED, "contact_not_active"),
    "on hold": (put("ON_HOLD", "sub"), BLOCKED, "company_not_active"),
    "head on hold": (put("ON_HOLD", "head"), BLOCKED, "company_not_active"),
    "closed": (put("CLOSED", "sub"), BLOCKED, "company_not_active"),
    "no limit": (lambda world: world.buyer, ALLOWED, "within_limits"),
    "exactly the limit": (limited(amount="100"), ALLOWED, "within_limits"),
    "a cent more": (limited(amount="99.99"), APPROVAL, "limit_exceeded"),
    "a cent more than a month's": (
        limited(amount="99.99", period="MONTH"),
        APPROVAL,
        "limit_exceeded",
    ),
    "limit 0": (limited(amount="0"), APPROVAL, "limit_exceeded"),
    "limit 0, blocking": (
        limited(amount="0", on_exceed="BLOCK"),
        BLOCKED,
        "limit_exceeded",
    ),
    "other currency": (
        limited(amount="9999", currency="USD"),
        APPROVAL,
        "currency_without_limit",
    ),
    "unlimited": (limited(unlimited=True), ALLOWED, "within_limits"),
    "a rule from exactly that": (ruled(amount_from="100"), APPROVAL, "rule_matched"),
    "a rule from a cent more": (ruled(amount_from="100.01"), ALLOWED, "within_limits"),
    "a rule for quotes": (ruled(kinds=["QUOTE"]), ALLOWED, "within_limits"),
    "a rule for admins": (ruled(roles=["ADMIN"]), ALLOWED, "within_limits"),
    "an admin": (lambda world: world.admin, ALLOWED, "admin_unlimited"),
    "a requester": (
        lambda world: world.requester,
        APPROVAL,
        "requester_needs_approval",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_check_and_a_submit_answer_the_same(
    api: APIClient, world: World, name: str
) -> None:
    prepare, outcome, reason = CASES[name]
    body = {
        "company": world.sub.pk,
        "requester": prepare(world).pk,
        "money": {"amount": "100.00", "currency": "EUR"},
        "kind": "CART",
    }

    checked = api.post(f"{REQUESTS}check/", body)
    assert not PurchaseRequest.objects.exists()
    sent = api.post(REQUESTS, body | {"reference": "A1"})

    decision = checked.json()
    assert checked.status_code == 200
    assert (decision["outcome"], decision["reasons"][0]["code"]) == (outcome, reason)
    assert sent.status_code == (200 if outcome == BLOCKED else 201), sent.content
    assert sent.json()["decision"] == decision
    kept = PurchaseRequest.objects.values_list("status", flat=True)
    assert (
        list(kept)
        == {ALLOWED: ["APPROVED"], APPROVAL: ["PENDING"], BLOCKED: []}[outcome]
    )


# Limits, further


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"alert_percents": [101]}, "/alert_percents", "percents"),
        ({"alert_percents": [-1]}, "/alert_percents", "percents"),
        ({"alert_percents": [0]}, "/alert_percents", "percents"),
        ({"alert_percents": ["80"]}, "/alert_percents/0", "invalid"),
        ({"alert_percents": [80.5]}, "/alert_percents/0", "invalid"),
        (
            {"alert_percents": [80], "period": "PURCHASE"},
            "/alert_percents",
            "percents_without_period",
        ),
        ({"time_zone": "Mars/Phobos"}, "/time_zone", "unknown_time_zone"),
        ({"time_zone": "../etc/passwd"}, "/time_zone", "unknown_time_zone"),
        ({"period": "DECADE"}, "/period", "invalid_choice"),
        ({"binds": "CONTACT", "contact": "stranger"}, "/contact", "not_in_hierarchy"),
        ({"amount": "1000000000000000"}, "/amount", "invalid_amount"),
    ],
)
def test_a_wrong_limit_of_a_period_is_refused_by_place(
    api: APIClient, fields: dict[str, Any], pointer: str, code: str
) -> None:
    if fields.get("contact") == "stranger":
        fields = fields | {"contact": person(make_company()).pk}
    body = {
        "company": make_company().pk,
        "amount": "100",
        "currency": "EUR",
        "period": "MONTH",
    }

    answer = api.post(LIMITS, body | fields)

    assert answer.status_code == 400, answer.content
    (error,) = answer.json()["errors"]
    assert (error["pointer"], error["code"]) == (pointer, code)
    assert not PurchaseLimit.objects.exists()


# What only the seller's staff settle


def test_no_client_allows_self_approval(
    caller: Callable[..., APIClient], world: World
) -> None:
    areas = ("companies", "limits", "purchases", "contacts")
    scopes = " ".join(f"{area}:read {area}:write" for area in areas)
    http = caller(f"{scopes} approvals:decide")
    rule = make_rule(company=world.sub)

    for path in (f"companies/{world.sub.pk}/", f"approval-rules/{rule.pk}/"):
        answer = http.patch(
            f"/api/v1/{path}",
            {"allow_self_approval": True},
            headers={"If-Match": '"1"'},
        )
        assert answer.status_code == 400
        (error,) = answer.json()["errors"]
        assert error["code"] == "unknown_field"

    assert not any("polic" in path for path in http.get("/api/v1/").json().values())
    assert not ApprovalPolicy.objects.exists()


def test_self_approval_over_http_where_staff_allow_it(
    api: APIClient, world: World
) -> None:
    make_limit(company=world.sub, amount="1", binds="ROLES", roles=["ADMIN"])
    request = submit(world.sub, world.admin)
    path = f"{REQUESTS}{request.pk}/approve/"
    own, first = {"contact": world.admin.pk}, {"If-Match": '"1"'}

    refused = api.post(path, own, headers=first)
    ApprovalPolicy.objects.create(company=world.sub, allow_self_approval=True)
    allowed = api.post(path, own, headers=first)

    assert (refused.status_code, refused.json()["code"]) == (403, "self_approval")
    assert (allowed.status_code, allowed.json()["status"]) == (200, "APPROVED")
