"""Stand-ins over HTTP."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from approvals.api.serializers import StandInSerializer
from approvals.api.shapes import STAND_IN
from approvals.models import StandIn
from tests.api_shapes import assert_same_shape
from tests.approvals.makers import World, make_stand_in, make_world, person, submit
from tests.factories import make_company

pytestmark = pytest.mark.django_db

STAND_INS = "/api/v1/stand-ins/"


@pytest.fixture
def world() -> World:
    return make_world()


def places(answer: Any) -> dict[str, str]:
    return {error["pointer"]: error["code"] for error in answer.json()["errors"]}


def at(version: int) -> dict[str, Any]:
    return {"headers": {"If-Match": f'"{version}"'}}


def day(distance: int) -> str:
    return (timezone.localdate() + timedelta(days=distance)).isoformat()


def valid(world: World, **fields: Any) -> dict[str, Any]:
    return {
        "company": world.sub.pk,
        "contact": world.admin.pk,
        "stand_in": world.buyer.pk,
        "valid_until": day(7),
    } | fields


def test_what_is_described_is_what_is_read() -> None:
    assert_same_shape(StandInSerializer, STAND_IN)


def test_a_stand_in_is_named_read_changed_and_ended(
    api: APIClient, world: World
) -> None:
    made = api.post(STAND_INS, valid(world, amount="500", currency="EUR"))
    assert made.status_code == 201, made.content
    body = made.json()
    path = f"{STAND_INS}{body['id']}/"
    assert body == {
        "id": body["id"],
        "company": world.sub.pk,
        "contact": world.admin.pk,
        "stand_in": world.buyer.pk,
        "valid_from": day(0),
        "valid_until": day(7),
        "amount": "500.00",
        "currency": "EUR",
        "version": 1,
        "created_at": body["created_at"],
        "updated_at": body["updated_at"],
    }
    assert api.get(path).json() == body

    longer = api.patch(path, body | {"valid_until": day(9)}, **at(1))
    assert (longer.status_code, longer.json()["valid_until"]) == (200, day(9))
    any_amount = api.patch(path, {"amount": None, "currency": ""}, **at(2))
    assert (any_amount.json()["amount"], any_amount.json()["currency"]) == (None, "")
    assert any_amount.headers["ETag"] == '"3"'

    assert api.delete(path, **at(3)).status_code == 204
    assert api.get(path).status_code == 404


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"valid_until": None}, "/valid_until", "null"),
        ({"valid_until": "soon"}, "/valid_until", "invalid"),
        ({"valid_until": 5}, "/valid_until", "invalid"),
        ({"valid_until": "2026-02-30"}, "/valid_until", "invalid"),
        ({"valid_until": "2020-01-01"}, "", "dates_not_in_order"),
        ({"amount": 5, "currency": "EUR"}, "/amount", "invalid"),
        ({"amount": "1e2", "currency": "EUR"}, "/amount", "invalid_amount"),
        ({"amount": "1.001", "currency": "EUR"}, "/amount", "too_many_decimals"),
        ({"amount": "5"}, "", "amount_without_currency"),
        ({"currency": "EUR"}, "", "amount_without_currency"),
        ({"amount": "0", "currency": "EUR"}, "", "amount_without_currency"),
        ({"currency": "XXX"}, "/currency", "invalid_choice"),
        ({"stand_in": "own"}, "", "own_stand_in"),
        ({"stand_in": "stranger"}, "/stand_in", "not_in_hierarchy"),
        ({"contact": 2**63}, "/contact", "does_not_exist"),
        ({"stand_in": "7"}, "/stand_in", "incorrect_type"),
        ({"company": True}, "/company", "incorrect_type"),
        ({"version": 3}, "/version", "read_only"),
        ({"role": "ADMIN"}, "/role", "unknown_field"),
    ],
)
def test_a_wrong_stand_in_is_refused_by_place(
    api: APIClient, world: World, fields: dict[str, Any], pointer: str, code: str
) -> None:
    people = {"own": world.admin.pk, "stranger": person(make_company()).pk}
    named = fields.get("stand_in")
    if named in people:
        fields = fields | {"stand_in": people[named]}

    answer = api.post(STAND_INS, valid(world, **fields))

    assert answer.status_code == 400, answer.content
    assert places(answer) == {pointer: code}
    assert not StandIn.objects.exists()


@pytest.mark.parametrize("missing", ["company", "contact", "stand_in", "valid_until"])
def test_what_a_stand_in_must_have(api: APIClient, world: World, missing: str) -> None:
    body = {name: value for name, value in valid(world).items() if name != missing}

    answer = api.post(STAND_INS, body)

    assert (answer.status_code, places(answer)) == (400, {f"/{missing}": "required"})


@pytest.fixture
def named(world: World) -> StandIn:
    return make_stand_in(company=world.sub, contact=world.admin, stand_in=world.buyer)


@pytest.mark.parametrize("field", ["company", "contact", "stand_in"])
def test_company_and_people_stay(
    api: APIClient, world: World, named: StandIn, field: str
) -> None:
    other = world.head if field == "company" else world.boss

    answer = api.patch(f"{STAND_INS}{named.pk}/", {field: other.pk}, **at(1))

    assert (answer.status_code, places(answer)) == (400, {f"/{field}": "read_only"})


def test_a_stale_or_missing_version_is_refused(api: APIClient, named: StandIn) -> None:
    path = f"{STAND_INS}{named.pk}/"

    for method in (api.patch, api.delete):
        assert method(path, {}).status_code == 428
        assert method(path, {}, **at(9)).status_code == 412
    assert api.put(path, {}, **at(1)).status_code == 405

    assert StandIn.objects.get().version == 1


def test_a_stand_in_decides_and_the_answer_says_for_whom(
    api: APIClient, world: World
) -> None:
    deputy = person(world.sub)
    make_stand_in(company=world.sub, contact=world.admin, stand_in=deputy)
    request = submit(world.sub, world.requester)
    path = f"/api/v1/purchase-requests/{request.pk}/"
    could = api.get(f"{path}approvers/").json()["step"]["approvers"]

    told = api.post(f"{path}approve/", {"contact": deputy.pk}, **at(1)).json()

    held = world.admin.assignments.get()
    through = f"assignment {held.pk} of Acme Deutschland"
    standing_in = f"standing in for contact {world.admin.pk}, {through}"
    assert could[-1] == {
        "contact": deputy.pk,
        "name": deputy.name,
        "through": standing_in,
        "on_behalf_of": world.admin.pk,
    }
    assert told["status"] == "APPROVED"
    (decision,) = told["decisions"]
    assert (decision["contact"], decision["on_behalf_of"], decision["through"]) == (
        deputy.pk,
        world.admin.pk,
        standing_in,
    )
    assert told["history"][-1]["on_behalf_of"] == world.admin.pk


def test_lists_are_filtered_and_take_few_queries(
    api: APIClient, world: World, named: StandIn, django_assert_num_queries: Callable
) -> None:
    today = timezone.localdate()
    over = make_stand_in(
        company=world.head,
        contact=world.boss,
        stand_in=world.admin,
        valid_from=today - timedelta(days=9),
        valid_until=today - timedelta(days=1),
    )

    def found(query: str) -> list[int]:
        answer = api.get(f"{STAND_INS}?{query}")
        assert answer.status_code == 200, answer.content
        return [x["id"] for x in answer.json()["results"]]

    with django_assert_num_queries(3):  # token, company, page
        assert found(f"under={world.head.pk}") == [named.pk, over.pk]
    with django_assert_num_queries(2):
        assert found("in_force=true") == [named.pk]
    assert found("in_force=false") == [over.pk]
    assert found(f"contact={world.admin.pk}") == [named.pk]
    assert found(f"stand_in={world.admin.pk}") == [over.pk]
    assert found(f"company={world.sub.pk}") == [named.pk]
    assert found("ordering=valid_until") == [over.pk, named.pk]
    assert api.get(f"{STAND_INS}?in_force=1").status_code == 400


def test_a_client_sees_and_names_only_its_hierarchies(
    caller: Callable[..., APIClient], world: World, named: StandIn
) -> None:
    ours = make_company()
    own = person(ours, "ADMIN")
    http = caller(only=(ours,))
    path = f"{STAND_INS}{named.pk}/"

    assert http.get(STAND_INS).json()["results"] == []
    assert http.get(path).status_code == 404
    assert http.patch(path, {"valid_until": day(1)}, **at(1)).status_code == 404
    assert http.delete(path, **at(1)).status_code == 404
    foreign = http.post(STAND_INS, valid(world))
    assert places(foreign) == {
        "/company": "does_not_exist",
        "/contact": "does_not_exist",
        "/stand_in": "does_not_exist",
    }
    mixed = http.post(STAND_INS, valid(world, company=ours.pk, contact=own.pk))
    assert places(mixed) == {"/stand_in": "does_not_exist"}


def test_scopes_are_needed(caller: Callable[..., APIClient], world: World) -> None:
    reader, writer = caller("limits:read"), caller("limits:write contacts:read")

    assert APIClient().get(STAND_INS).status_code == 401
    assert caller("approvals:decide").get(STAND_INS).status_code == 403
    assert reader.get(STAND_INS).status_code == 200
    assert reader.post(STAND_INS, valid(world)).status_code == 403
    assert writer.get(STAND_INS).status_code == 403
    assert writer.post(STAND_INS, valid(world)).status_code == 201
