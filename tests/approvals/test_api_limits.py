"""Limits and approval groups over HTTP."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from approvals.api.serializers import (
    ApprovalGroupSerializer,
    PurchaseLimitSerializer,
)
from approvals.api.shapes import APPROVAL_GROUP, PURCHASE_LIMIT
from approvals.models import ApprovalGroup, PurchaseLimit
from tests.api_shapes import assert_same_shape
from tests.approvals.makers import make_approval_group, make_limit, person
from tests.factories import make_company, make_contact

pytestmark = pytest.mark.django_db

LIMITS, GROUPS = "/api/v1/purchase-limits/", "/api/v1/approval-groups/"


def places(answer: Any) -> dict[str, str]:
    return {error["pointer"]: error["code"] for error in answer.json()["errors"]}


@pytest.mark.parametrize(
    ("serializer", "shape"),
    [
        (PurchaseLimitSerializer, PURCHASE_LIMIT),
        (ApprovalGroupSerializer, APPROVAL_GROUP),
    ],
)
def test_what_is_described_is_what_is_read(serializer: Any, shape: Any) -> None:
    assert_same_shape(serializer, shape)


def test_a_limit_is_made_read_changed_and_deleted(api: APIClient) -> None:
    company = make_company()

    made = api.post(
        LIMITS,
        {
            "company": company.pk,
            "amount": "1250.5",
            "currency": "EUR",
            "binds": "ROLES",
            "roles": ["REQUESTER", "BUYER"],
        },
    )
    assert made.status_code == 201, made.content
    body = made.json()
    path = f"{LIMITS}{body['id']}/"
    assert body == {
        "id": body["id"],
        "company": company.pk,
        "name": "",
        "amount": "1250.50",
        "unlimited": False,
        "currency": "EUR",
        "period": "PURCHASE",
        "time_zone": "",
        "scope": "HIERARCHY",
        "binds": "ROLES",
        "roles": ["BUYER", "REQUESTER"],
        "contact": None,
        "on_exceed": "APPROVE",
        "alert_percents": [],
        "is_active": True,
        "note": "",
        "version": 1,
        "created_at": body["created_at"],
        "updated_at": body["updated_at"],
    }
    assert api.get(path).json() == body

    changed = api.patch(
        path, {"amount": None, "unlimited": True}, headers={"If-Match": '"1"'}
    )
    assert changed.status_code == 200, changed.content
    assert changed.json()["amount"] is None
    assert changed.headers["ETag"] == '"2"'

    assert api.delete(path, headers={"If-Match": '"2"'}).status_code == 204
    assert api.get(path).status_code == 404


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"amount": 100}, "/amount", "invalid"),
        ({"amount": "-1"}, "/amount", "invalid_amount"),
        ({"amount": "1e2"}, "/amount", "invalid_amount"),
        ({"amount": "1_000"}, "/amount", "invalid_amount"),
        ({"amount": "\u0661"}, "/amount", "invalid_amount"),
        ({"amount": "1.001"}, "/amount", "too_many_decimals"),
        ({"amount": None}, "", "amount_or_unlimited"),
        ({"unlimited": True}, "", "amount_or_unlimited"),
        ({"currency": "eur"}, "/currency", "invalid_choice"),
        ({"currency": "XXX"}, "/currency", "invalid_choice"),
        ({"currency": 5}, "/currency", "invalid"),
        ({"period": "MONTHS"}, "/period", "invalid_choice"),
        ({"roles": ["BUYER"]}, "/roles", "roles_if_bound"),
        ({"roles": "BUYER", "binds": "ROLES"}, "/roles", "not_a_list"),
        ({"roles": ["KING"], "binds": "ROLES"}, "/roles/0", "invalid_choice"),
        ({"binds": "CONTACT"}, "", "contact_if_bound"),
        ({"company": 2**63}, "/company", "does_not_exist"),
        ({"company": "1"}, "/company", "incorrect_type"),
        ({"id": 5}, "/id", "read_only"),
        ({"used": "5"}, "/used", "unknown_field"),
        ({"note": "x" * 2001}, "/note", "max_length"),
    ],
)
def test_a_wrong_limit_is_refused_by_place(
    api: APIClient, fields: dict[str, Any], pointer: str, code: str
) -> None:
    body = {"company": make_company().pk, "amount": "1", "currency": "EUR"} | fields

    answer = api.post(LIMITS, body)

    assert answer.status_code == 400, answer.content
    assert places(answer) == {pointer: code}
    assert not PurchaseLimit.objects.exists()


def test_a_limit_equal_to_another_is_refused(api: APIClient) -> None:
    limit = make_limit()

    answer = api.post(
        LIMITS, {"company": limit.company_id, "amount": "7", "currency": "EUR"}
    )

    assert (answer.status_code, places(answer)) == (400, {"": "equal_limit"})


def test_a_stale_or_missing_version_is_refused(api: APIClient) -> None:
    path = f"{LIMITS}{make_limit().pk}/"

    for method in (api.put, api.patch, api.delete):
        assert method(path, {}).status_code == 428
        assert method(path, {}, headers={"If-Match": '"9"'}).status_code == 412

    assert PurchaseLimit.objects.get().version == 1


def test_lists_are_filtered_and_take_few_queries(
    api: APIClient, django_assert_num_queries: Callable
) -> None:
    head = make_company()
    sub = make_company(parent=head)
    own, below = make_limit(company=head), make_limit(company=sub, currency="USD")
    make_limit()

    with django_assert_num_queries(3):
        under = api.get(f"{LIMITS}?under={head.pk}").json()
    with django_assert_num_queries(2):
        dollars = api.get(f"{LIMITS}?currency=USD").json()
    exactly = api.get(f"{LIMITS}?company={head.pk}&expand=company").json()

    assert [x["id"] for x in under["results"]] == [own.pk, below.pk]
    assert [x["id"] for x in dollars["results"]] == [below.pk]
    assert exactly["results"][0]["company"] == {
        "id": head.pk,
        "code": head.code,
        "name": head.name,
    }


def test_effective_limits_say_where_they_come_from(
    api: APIClient, django_assert_num_queries: Callable
) -> None:
    head = make_company(name="Acme SE")
    sub = make_company(parent=head)
    own = make_limit(company=sub, amount="50", scope="COMPANY")
    above = make_limit(company=head, amount="1000")
    make_limit(company=head, amount="9", scope="COMPANY")

    with django_assert_num_queries(4):
        answer = api.get(f"/api/v1/companies/{sub.pk}/limits/")

    found = answer.json()["results"]
    assert [x["id"] for x in found] == [above.pk, own.pk]
    assert found[0]["company_name"] == "Acme SE"
    assert (found[0]["amount"], found[0]["used"], found[0]["remaining"]) == (
        "1000.00",
        "0.00",
        "1000.00",
    )


def test_a_group_is_made_read_changed_and_deleted(api: APIClient) -> None:
    head = make_company()
    first, second = person(head), person(make_company(parent=head))

    made = api.post(
        GROUPS, {"company": head.pk, "name": "Board", "members": [second.pk, first.pk]}
    )
    assert made.status_code == 201, made.content
    body = made.json()
    path = f"{GROUPS}{body['id']}/"
    assert body["members"] == [first.pk, second.pk]
    assert api.get(path).json() == body

    named = api.patch(path, {"name": "Top"}, headers={"If-Match": '"1"'})
    assert named.json()["members"] == [first.pk, second.pk]
    left = api.patch(path, {"members": [second.pk]}, headers={"If-Match": '"2"'})
    assert (left.json()["members"], left.json()["version"]) == ([second.pk], 3)
    emptied = api.put(path, {"name": "Top"}, headers={"If-Match": '"3"'})
    assert (emptied.status_code, emptied.json()["members"]) == (200, [])
    assert api.delete(path, headers={"If-Match": '"4"'}).status_code == 204
    assert not ApprovalGroup.objects.exists()


@pytest.mark.parametrize(
    ("members", "pointer", "code"),
    [
        ("5", "/members", "not_a_list"),
        ([1.5], "/members", "not_a_list"),
        ([True], "/members", "not_a_list"),
        ([2**63], "/members/0", "does_not_exist"),
        (["stranger"], "/members", "not_in_hierarchy"),
    ],
)
def test_wrong_members_are_refused_by_place(
    api: APIClient, members: Any, pointer: str, code: str
) -> None:
    company = make_company()
    if members == ["stranger"]:
        members = [make_contact().pk]

    answer = api.post(
        GROUPS, {"company": company.pk, "name": "Board", "members": members}
    )

    assert (answer.status_code, places(answer)) == (400, {pointer: code})
    assert not ApprovalGroup.objects.exists()


def test_groups_are_found_by_member(
    api: APIClient, django_assert_num_queries: Callable
) -> None:
    head = make_company()
    member = person(head)
    group = make_approval_group(company=head, members=[member, person(head)])
    make_approval_group(company=head)

    with django_assert_num_queries(4):
        found = api.get(f"{GROUPS}?member={member.pk}").json()["results"]

    assert [x["id"] for x in found] == [group.pk]
    assert len(found[0]["members"]) == 2


def test_a_client_sees_and_changes_only_its_hierarchies(
    caller: Callable[..., APIClient],
) -> None:
    ours, theirs = make_company(), make_company()
    limit, group = make_limit(company=theirs), make_approval_group(company=theirs)
    http = caller(only=(ours,))
    foreign = person(theirs)
    writes = {"headers": {"If-Match": '"1"'}}

    for path in (f"{LIMITS}{limit.pk}/", f"{GROUPS}{group.pk}/"):
        assert http.get(path).status_code == 404
        assert http.patch(path, {"name": "x"}, **writes).status_code == 404
        assert http.delete(path, **writes).status_code == 404
    assert http.get(LIMITS).json()["results"] == []
    assert http.get(GROUPS).json()["results"] == []
    assert http.get(f"/api/v1/companies/{theirs.pk}/limits/").status_code == 404
    made = http.post(LIMITS, {"company": theirs.pk, "amount": "1", "currency": "EUR"})
    assert places(made) == {"/company": "does_not_exist"}
    named = http.post(
        GROUPS, {"company": ours.pk, "name": "x", "members": [foreign.pk]}
    )
    assert places(named) == {"/members/0": "does_not_exist"}
    assert http.get(f"{LIMITS}?under={theirs.pk}").status_code == 400


@pytest.mark.parametrize("path", [LIMITS, GROUPS])
def test_scopes_are_needed(caller: Callable[..., APIClient], path: str) -> None:
    reader, writer = caller("limits:read"), caller("limits:write")

    assert APIClient().get(path).status_code == 401
    assert caller("purchases:read").get(path).status_code == 403
    assert reader.get(path).status_code == 200
    assert reader.post(path, {}).status_code == 403
    assert writer.get(path).status_code == 403
    assert writer.post(path, {}).status_code == 400
