"""Approval rules over HTTP."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from approvals import rulebook
from approvals.api.serializers import ApprovalRuleSerializer
from approvals.api.shapes import APPROVAL_RULE
from approvals.models import ApprovalRule, ApprovalRuleStep
from tests.api_shapes import assert_same_shape
from tests.approvals.makers import (
    World,
    make_approval_group,
    make_rule,
    make_world,
    person,
)
from tests.factories import make_company

pytestmark = pytest.mark.django_db

RULES = "/api/v1/approval-rules/"


@pytest.fixture
def world() -> World:
    return make_world()


def places(answer: Any) -> dict[str, str]:
    return {error["pointer"]: error["code"] for error in answer.json()["errors"]}


def at(version: int) -> dict[str, Any]:
    return {"headers": {"If-Match": f'"{version}"'}}


def valid(world: World, **fields: Any) -> dict[str, Any]:
    steps = [{"role": "ADMIN"}]
    return {"company": world.sub.pk, "name": "Rule", "steps": steps} | fields


def test_what_is_described_is_what_is_read() -> None:
    assert_same_shape(ApprovalRuleSerializer, APPROVAL_RULE)


def test_a_rule_is_made_read_changed_and_deleted(api: APIClient, world: World) -> None:
    group = make_approval_group(company=world.head, members=[world.boss, world.admin])

    made = api.post(
        RULES,
        {
            "company": world.sub.pk,
            "name": "Much money",
            "amount_from": "1250.5",
            "currency": "EUR",
            "roles": ["REQUESTER", "BUYER"],
            "kinds": ["ORDER", "CART"],
            "covers_subsidiaries": True,
            "steps": [{"role": "BUYER"}, {"approval_group": group.pk, "quorum": 2}],
        },
    )
    assert made.status_code == 201, made.content
    body = made.json()
    path = f"{RULES}{body['id']}/"
    assert body == {
        "id": body["id"],
        "company": world.sub.pk,
        "name": "Much money",
        "covers_subsidiaries": True,
        "amount_from": "1250.50",
        "currency": "EUR",
        "roles": ["BUYER", "REQUESTER"],
        "kinds": ["CART", "ORDER"],
        "steps": [
            {"role": "BUYER", "quorum": 1, "approval_group": None},
            {"role": "", "quorum": 2, "approval_group": group.pk},
        ],
        "is_active": True,
        "version": 1,
        "created_at": body["created_at"],
        "updated_at": body["updated_at"],
    }
    assert api.get(path).json() == body

    same = api.put(path, body, **at(1))
    assert (same.status_code, same.json()) == (200, body)
    named = api.patch(path, {"name": "More money"}, **at(1))
    assert (named.json()["version"], named.json()["steps"]) == (2, body["steps"])
    assert named.headers["ETag"] == '"2"'
    fewer = api.patch(path, {"steps": [{"approval_group": group.pk}]}, **at(2))
    assert fewer.json()["steps"] == [
        {"role": "", "quorum": 1, "approval_group": group.pk}
    ]
    idle = api.patch(path, {"is_active": False, "amount_from": None}, **at(3))
    assert (idle.json()["is_active"], idle.json()["amount_from"]) == (False, None)
    put = api.put(path, {"name": "Rule", "steps": [{"role": "ADMIN"}]}, **at(4))
    assert put.status_code == 200, put.content
    assert put.json() == body | {
        "name": "Rule",
        "covers_subsidiaries": False,
        "amount_from": None,
        "currency": "",
        "roles": [],
        "kinds": [],
        "steps": [{"role": "ADMIN", "quorum": 1, "approval_group": None}],
        "version": 5,
        "updated_at": put.json()["updated_at"],
    }

    assert api.delete(path, **at(5)).status_code == 204
    assert api.get(path).status_code == 404
    assert not ApprovalRuleStep.objects.exists()


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"name": ""}, "/name", "blank"),
        ({"name": 5}, "/name", "invalid"),
        ({"name": "x" * 101}, "/name", "max_length"),
        ({"amount_from": 100}, "/amount_from", "invalid"),
        ({"amount_from": "-1"}, "/amount_from", "invalid_amount"),
        (
            {"amount_from": "1.001", "currency": "EUR"},
            "/amount_from",
            "too_many_decimals",
        ),
        (
            {"amount_from": "99999999999999.9999", "currency": "CLF"},
            "/amount_from",
            "too_many_digits",
        ),
        ({"amount_from": "1"}, "", "amount_without_currency"),
        ({"currency": "XXX"}, "/currency", "invalid_choice"),
        ({"currency": 5}, "/currency", "invalid"),
        ({"roles": "BUYER"}, "/roles", "not_a_list"),
        ({"roles": ["KING"]}, "/roles/0", "invalid_choice"),
        ({"kinds": ["GIFT"]}, "/kinds/0", "invalid_choice"),
        ({"kinds": [5]}, "/kinds/0", "invalid_choice"),
        ({"covers_subsidiaries": "yes"}, "/covers_subsidiaries", "invalid"),
        ({"is_active": 1}, "/is_active", "invalid"),
        ({"company": 2**63}, "/company", "does_not_exist"),
        ({"company": "1"}, "/company", "incorrect_type"),
        ({"id": 5}, "/id", "read_only"),
        ({"priority": 5}, "/priority", "unknown_field"),
        ({"steps": None}, "/steps", "null"),
        ({"steps": []}, "/steps", "required"),
        ({"steps": {}}, "/steps", "not_a_list"),
        ({"steps": "ADMIN"}, "/steps", "not_a_list"),
        ({"steps": ["ADMIN"]}, "/steps/0", "invalid"),
        ({"steps": [{"role": "ADMIN"}] * 21}, "/steps", "max_length"),
        ({"steps": [{}]}, "/steps/0", "group_or_role"),
        ({"steps": [{"role": ""}]}, "/steps/0", "group_or_role"),
        ({"steps": [{"role": "REQUESTER"}]}, "/steps/0/role", "invalid_choice"),
        ({"steps": [{"role": ["ADMIN"]}]}, "/steps/0/role", "invalid_choice"),
        ({"steps": [{"role": {}}]}, "/steps/0/role", "invalid_choice"),
        ({"steps": [{"role": "ADMIN", "who": 1}]}, "/steps/0/who", "unknown_field"),
        (
            {"steps": [{"role": "ADMIN"}, {"role": "ADMIN", "quorum": 0}]},
            "/steps/1",
            "quorum_too_low",
        ),
        (
            {"steps": [{"role": "ADMIN", "quorum": -(2**70)}]},
            "/steps/0",
            "quorum_too_low",
        ),
        (
            {"steps": [{"role": "ADMIN", "quorum": 2**70}]},
            "/steps/0",
            "quorum_too_high",
        ),
        ({"steps": [{"role": "ADMIN", "quorum": "1"}]}, "/steps/0/quorum", "invalid"),
        ({"steps": [{"role": "ADMIN", "quorum": True}]}, "/steps/0/quorum", "invalid"),
        ({"steps": [{"role": "ADMIN", "quorum": 1.5}]}, "/steps/0/quorum", "invalid"),
        ({"steps": [{"role": "ADMIN", "quorum": None}]}, "/steps/0/quorum", "null"),
        (
            {"steps": [{"approval_group": "1"}]},
            "/steps/0/approval_group",
            "incorrect_type",
        ),
        (
            {"steps": [{"approval_group": 2**63}]},
            "/steps/0/approval_group",
            "does_not_exist",
        ),
    ],
)
def test_a_wrong_rule_is_refused_by_place(
    api: APIClient, world: World, fields: dict[str, Any], pointer: str, code: str
) -> None:
    answer = api.post(RULES, valid(world, **fields))

    assert answer.status_code == 400, answer.content
    assert places(answer) == {pointer: code}
    assert not ApprovalRule.objects.exists()


@pytest.mark.parametrize("missing", ["company", "name", "steps"])
def test_what_a_rule_must_have(api: APIClient, world: World, missing: str) -> None:
    body = {name: value for name, value in valid(world).items() if name != missing}

    answer = api.post(RULES, body)

    assert (answer.status_code, places(answer)) == (400, {f"/{missing}": "required"})


@pytest.mark.parametrize("body", [[], "x", 5, None])
def test_a_body_that_is_no_object_is_refused(
    api: APIClient, world: World, body: Any
) -> None:
    path = f"{RULES}{make_rule(company=world.sub).pk}/"

    assert api.post(RULES, body, format="json").status_code == 400
    assert api.put(path, body, format="json", **at(1)).status_code == 400


@pytest.mark.parametrize("where", ["sister", "below"])
def test_groups_beside_and_below_cannot_be_asked(
    api: APIClient, world: World, where: str
) -> None:
    company = make_company(parent=world.head if where == "sister" else world.sub)
    group = make_approval_group(company=company, members=[person(company)])
    steps = [{"role": "ADMIN"}, {"approval_group": group.pk}]

    answer = api.post(RULES, valid(world, steps=steps))

    assert (answer.status_code, places(answer)) == (
        400,
        {"/steps/1": "group_not_on_path"},
    )


def test_more_than_a_group_has_cannot_be_asked(api: APIClient, world: World) -> None:
    empty = make_approval_group(company=world.sub)
    one = make_approval_group(company=world.head, members=[world.boss])
    steps = [{"approval_group": empty.pk}, {"approval_group": one.pk, "quorum": 2}]

    answer = api.post(RULES, valid(world, steps=steps))

    assert places(answer) == {
        "/steps/0": "quorum_too_high",
        "/steps/1": "quorum_too_high",
    }


def test_wrong_steps_of_a_change_are_refused_by_place(
    api: APIClient, world: World
) -> None:
    path = f"{RULES}{make_rule(company=world.sub).pk}/"

    for steps, found in (
        ([], {"/steps": "required"}),
        ([{}], {"/steps/0": "group_or_role"}),
        (
            [{"role": "ADMIN"}, {"role": "BUYER", "quorum": 0}],
            {"/steps/1": "quorum_too_low"},
        ),
        ([{"role": "ADMIN", "x": 1}], {"/steps/0/x": "unknown_field"}),
    ):
        for method in (api.patch, api.put):
            answer = method(path, {"name": "Other", "steps": steps}, **at(1))
            assert (answer.status_code, places(answer)) == (400, found)

    assert ApprovalRule.objects.get().version == 1


def test_a_rule_stays_with_its_company(api: APIClient, world: World) -> None:
    path = f"{RULES}{make_rule(company=world.sub).pk}/"

    answer = api.patch(path, {"company": world.head.pk}, **at(1))

    assert places(answer) == {"/company": "read_only"}


def test_too_many_rules(
    api: APIClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rulebook, "MOST_RULES", 1)
    make_rule(company=world.sub)

    answer = api.post(RULES, valid(world))

    assert (answer.status_code, places(answer)) == (400, {"": "too_many_rules"})


def test_a_stale_or_missing_version_is_refused(api: APIClient, world: World) -> None:
    path = f"{RULES}{make_rule(company=world.sub).pk}/"

    for method in (api.put, api.patch, api.delete):
        assert method(path, {}).status_code == 428
        assert method(path, {}, **at(9)).status_code == 412

    assert ApprovalRule.objects.get().version == 1


def test_a_group_that_a_rule_asks_is_in_use(api: APIClient, world: World) -> None:
    group = make_approval_group(company=world.sub, members=[world.admin])
    rule = make_rule(company=world.sub, steps=[{"approval_group": group}])

    answer = api.delete(f"/api/v1/approval-groups/{group.pk}/", **at(1))

    assert (answer.status_code, answer.json()["code"]) == (409, "in_use")
    assert answer.json()["details"] == {"rule": rule.pk}
    assert "Rule" in answer.json()["detail"]


def test_lists_are_filtered_and_take_few_queries(
    api: APIClient, world: World, django_assert_num_queries: Callable
) -> None:
    group = make_approval_group(company=world.head, members=[world.boss])
    step = {"approval_group": group}
    above = make_rule(company=world.head, covers_subsidiaries=True, steps=[step, step])
    own = make_rule(company=world.sub, currency="USD", is_active=False)
    make_rule(company=make_company())

    def found(query: str) -> list[int]:
        answer = api.get(f"{RULES}?{query}")
        assert answer.status_code == 200, answer.content
        return [x["id"] for x in answer.json()["results"]]

    with django_assert_num_queries(4):  # token, company, page, steps
        assert found(f"under={world.head.pk}") == [above.pk, own.pk]
    assert found(f"company={world.sub.pk}") == [own.pk]
    assert found(f"approval_group={group.pk}") == [above.pk]
    assert found("currency=USD") == [own.pk]
    assert found("is_active=false") == [own.pk]
    assert found("covers_subsidiaries=true") == [above.pk]
    assert api.get(f"{RULES}?is_active=no").status_code == 400
    expanded = api.get(f"{RULES}{own.pk}/?expand=company&fields=company").json()
    assert expanded == {
        "company": {
            "id": world.sub.pk,
            "code": world.sub.code,
            "name": world.sub.name,
        }
    }


def test_a_write_takes_few_queries_however_many_steps(
    api: APIClient, world: World, django_assert_max_num_queries: Callable
) -> None:
    group = make_approval_group(company=world.sub, members=[world.admin])
    steps = [{"approval_group": group.pk}] * 20

    with django_assert_max_num_queries(90):  # a step: found, written, its history
        answer = api.post(RULES, valid(world, steps=steps))

    assert answer.status_code == 201


def test_a_client_sees_and_names_only_its_hierarchies(
    caller: Callable[..., APIClient], world: World
) -> None:
    theirs = make_company()
    group = make_approval_group(company=theirs, members=[person(theirs)])
    rule = make_rule(company=theirs)
    http = caller(only=(world.head,))
    path = f"{RULES}{rule.pk}/"

    assert http.get(RULES).json()["results"] == []
    assert http.get(path).status_code == 404
    assert http.patch(path, {"name": "x"}, **at(1)).status_code == 404
    assert http.put(path, {"name": "x"}, **at(1)).status_code == 404
    assert http.delete(path, **at(1)).status_code == 404
    made = http.post(RULES, valid(world, company=theirs.pk))
    assert places(made) == {"/company": "does_not_exist"}
    steps = [{"approval_group": group.pk}]
    asking = http.post(RULES, valid(world, steps=steps))
    assert places(asking) == {"/steps/0/approval_group": "does_not_exist"}
    assert http.get(f"{RULES}?approval_group={group.pk}").status_code == 400
    assert ApprovalRule.objects.get().version == 1


def test_scopes_are_needed(caller: Callable[..., APIClient], world: World) -> None:
    reader, writer = caller("limits:read"), caller("limits:write")

    assert APIClient().get(RULES).status_code == 401
    assert caller("purchases:read purchases:write").get(RULES).status_code == 403
    assert reader.get(RULES).status_code == 200
    assert reader.post(RULES, valid(world)).status_code == 403
    assert writer.get(RULES).status_code == 403
    assert writer.post(RULES, valid(world)).status_code == 201
