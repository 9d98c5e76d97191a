"""Who ends a right is told which open requests lose all who could decide on them."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from approvals import services
from approvals.models import ApprovalGroup, PurchaseRequest
from companies.imports import Caller, ImportRefused
from companies.models import Company, Contact
from tests.approvals.makers import (
    World,
    make_approval_group,
    make_world,
    person,
    submit,
)
from tests.factories import make_user
from tests.imports import load

pytestmark = pytest.mark.django_db

AREAS = ("companies", "contacts", "limits")
SCOPES = " ".join(f"{area}:read {area}:write" for area in AREAS)


@pytest.fixture
def http(caller: Callable[..., APIClient]) -> APIClient:
    return caller(SCOPES)


def waiting() -> tuple[World, Contact, PurchaseRequest]:
    """A request on which one person, the only member of the group, could decide."""
    world = make_world()
    member = person(world.sub)
    make_approval_group(company=world.sub, members=[member])
    return world, member, submit(world.sub, world.requester)


def version(row: Any) -> dict[str, str]:
    row.refresh_from_db()
    return {"If-Match": f'"{row.version}"'}


def deciders(request: PurchaseRequest) -> set[str]:
    request.refresh_from_db()
    step = services.approvers_of(request)
    assert step is not None
    names = {approver.person.name for approver in step.approvers}
    return names | ({"staff"} if step.staff else set())


def refused(answer: Any, request: PurchaseRequest) -> None:
    assert answer.status_code == 409, answer.content
    assert answer.json()["code"] == "would_strand_requests"
    assert answer.json()["details"] == {"requests": [request.pk], "count": 1}


@pytest.mark.parametrize("how", ["deleted", "ended"])
def test_an_assignment_that_ends_has_to_be_confirmed(http: APIClient, how: str) -> None:
    world, member, request = waiting()
    assignment = member.assignments.get()
    path = f"/api/v1/contact-assignments/{assignment.pk}/"

    def change(query: str = "") -> Any:
        if how == "deleted":
            return http.delete(path + query, headers=version(assignment))
        ended = {"valid_until": "2020-01-01"}
        return http.patch(path + query, ended, headers=version(assignment))

    refused(change(), request)
    assert deciders(request) == {member.name}

    assert change("?confirm=true").status_code in (200, 204)
    assert deciders(request) == {world.boss.name}


def test_a_person_who_is_deactivated_has_to_be_confirmed(http: APIClient) -> None:
    world, member, request = waiting()
    path = f"/api/v1/contacts/{member.pk}/"

    answer = http.patch(path, {"is_active": False}, headers=version(member))
    refused(answer, request)
    assert Contact.objects.get(pk=member.pk).is_active

    answer = http.patch(
        f"{path}?confirm=true", {"is_active": False}, headers=version(member)
    )
    assert answer.status_code == 200, answer.content
    assert deciders(request) == {world.boss.name}


def test_an_erasure_is_never_held_up(http: APIClient) -> None:
    world, member, request = waiting()

    answer = http.post(f"/api/v1/contacts/{member.pk}/erase/", {})

    assert answer.status_code == 200, answer.content
    assert deciders(request) == {world.boss.name}


def test_a_change_that_leaves_somebody_needs_no_confirmation(http: APIClient) -> None:
    world = make_world()
    group = make_approval_group(company=world.sub, members=[world.admin, world.boss])
    submit(world.sub, world.requester)

    answer = http.patch(
        f"/api/v1/approval-groups/{group.pk}/",
        {"members": [world.boss.pk]},
        headers=version(group),
    )

    assert answer.status_code == 200, answer.content


@pytest.mark.parametrize("how", ["emptied", "deleted"])
def test_an_approval_group_that_loses_everybody(http: APIClient, how: str) -> None:
    world = make_world()
    group = make_approval_group(company=world.sub, members=[world.admin])
    request = submit(world.sub, world.requester)
    path = f"/api/v1/approval-groups/{group.pk}/"

    def change(query: str = "") -> Any:
        if how == "deleted":
            return http.delete(path + query, headers=version(group))
        return http.patch(path + query, {"members": []}, headers=version(group))

    refused(change(), request)
    assert list(group.members.all()) == [world.admin]

    assert change("?confirm=true").status_code in (200, 204)
    assert deciders(request) == {world.boss.name}


def test_closing_a_company_where_requests_wait(http: APIClient) -> None:
    world, _member, request = waiting()
    path = f"/api/v1/companies/{world.head.pk}/close/"

    refused(http.post(path, {"reason": "gone"}), request)
    assert Company.objects.get(pk=world.head.pk).status == "ACTIVE"

    answer = http.post(f"{path}?confirm=true", {"reason": "gone"})
    assert answer.status_code == 200, answer.content


@pytest.mark.parametrize("value", ["maybe", "", "1"])
def test_a_confirmation_is_true_or_false(http: APIClient, value: str) -> None:
    world, _member, _request = waiting()

    answer = http.post(
        f"/api/v1/companies/{world.head.pk}/close/?confirm={value}", {"reason": "x"}
    )

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["parameter"] == "confirm"


def test_staff_are_asked_first_and_all_they_typed_is_sent_again(
    client: Client,
) -> None:
    world = make_world()
    group = make_approval_group(company=world.sub, members=[world.admin])
    request = submit(world.sub, world.requester)
    client.force_login(make_user(is_superuser=True))
    path = f"/admin/approvals/approvalgroup/{group.pk}/change/"
    typed = {"name": "Nobody", "code": "", "people": [], "seen_version": 1}

    asked = client.post(path, typed)

    assert asked.status_code == 200
    text = asked.content.decode()
    assert str(request) in text
    assert "would_strand_requests" in text
    assert 'name="name" value="Nobody"' in text
    assert ApprovalGroup.objects.get(pk=group.pk).name != "Nobody"

    done = client.post(path, {**typed, "_confirmed": "1"})

    assert done.status_code == 302
    assert ApprovalGroup.objects.get(pk=group.pk).name == "Nobody"
    assert deciders(request) == {world.boss.name}


def test_the_stranding_of_many_requests_is_found_in_few_queries(
    http: APIClient, django_assert_max_num_queries: Any
) -> None:
    world = make_world()
    group = make_approval_group(company=world.sub, members=[world.admin])
    for _ in range(12):
        submit(world.sub, world.requester)

    with django_assert_max_num_queries(40):
        answer = http.patch(
            f"/api/v1/approval-groups/{group.pk}/",
            {"members": []},
            headers=version(group),
        )

    assert answer.json()["details"]["count"] == 12


def test_an_import_that_strands_requests_has_to_be_confirmed(tmp_path) -> None:
    _world, member, request = waiting()
    file = tmp_path / "people.csv"
    file.write_text(f"email,is_active\n{member.email},no\n")

    with pytest.raises(ImportRefused) as refusal:
        load(file, kind="contacts")

    (fault,) = refusal.value.faults
    assert (fault.record, fault.code) == (1, "would_strand_requests")
    assert deciders(request) == {member.name}
    load(file, kind="contacts", caller=Caller(confirm=True))
    assert deciders(request) != {member.name}
    assert not Contact.objects.get(pk=member.pk).is_active
