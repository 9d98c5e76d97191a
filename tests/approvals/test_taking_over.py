"""The seller's staff take requests over, and decline several at once."""

import pytest

from approvals import services
from approvals.errors import NotEligible, RequestNotPending, SelfApproval
from approvals.models import PurchaseRequest
from config.actors import SYSTEM, Actor
from config.errors import StaleVersion
from integrations.models import Event
from tests.approvals.makers import (
    acting,
    make_approval_group,
    make_rule,
    make_world,
    person,
    submit,
)
from tests.factories import make_company, make_user
from tests.staff import act, page_of, said, staff

pytestmark = pytest.mark.django_db
TAKES = "take_over_purchaserequest"
STAFF = ("view_purchaserequest", "decide_purchaserequest", TAKES)
LIST = "/admin/approvals/purchaserequest/"


@pytest.fixture
def world():
    return make_world()


def boss(*permissions: str) -> Actor:
    return Actor.staff(make_user(permissions=permissions).pk)


def take_over(request: PurchaseRequest, actor: Actor) -> PurchaseRequest:
    return services.take_over_request(
        request, actor=actor, expected_version=request.version, reason="They are away"
    )


def test_staff_decide_what_they_have_taken_over(world):
    # given
    request = submit(world.sub, world.requester)
    clerk = boss(TAKES, "decide_purchaserequest")
    with pytest.raises(NotEligible):
        services.approve_request(request, actor=clerk, expected_version=1)
    # when
    taken = take_over(request, clerk)
    done = services.approve_request(taken, actor=clerk, expected_version=2)
    # then
    assert done.status == "APPROVED"
    assert done.decisions.get().staff_id == clerk.staff_id
    entry = request.history.get(change="TAKEN")
    assert (entry.actor, entry.comment) == (str(clerk), "They are away")
    assert Event.objects.filter(type="purchase_request.taken").count() == 1


def test_the_approvers_keep_their_right(world):
    # given
    request = take_over(submit(world.sub, world.requester), boss(TAKES))
    # when
    done = services.approve_request(
        request, actor=acting(world.admin), expected_version=2
    )
    # then
    assert done.status == "APPROVED"


def test_only_the_open_step_is_taken_over(world):
    # given
    groups = [
        make_approval_group(company=world.head, members=[person(world.head)])
        for _ in range(2)
    ]
    make_rule(company=world.head, steps=[{"approval_group": one} for one in groups])
    request = submit(world.head, person(world.head, "REQUESTER"))
    clerk = boss(TAKES, "decide_purchaserequest")
    # when
    request = take_over(request, clerk)
    request = services.approve_request(request, actor=clerk, expected_version=2)
    # then
    assert (request.status, request.taken_over_at) == ("PENDING", None)
    with pytest.raises(NotEligible):
        services.approve_request(
            request,
            actor=boss("decide_purchaserequest"),
            expected_version=request.version,
        )


def test_who_may_not_and_what_is_over_is_refused(world):
    # given
    request = submit(world.sub, world.requester)
    # then
    for actor in (boss("decide_purchaserequest"), SYSTEM, acting(world.admin)):
        with pytest.raises(NotEligible):
            take_over(request, actor)
    with pytest.raises(StaleVersion):
        services.take_over_request(
            request, actor=boss(TAKES), expected_version=7, reason="x"
        )
    services.decline_request(request, actor=acting(world.admin), expected_version=1)
    with pytest.raises(RequestNotPending):
        take_over(request, boss(TAKES))
    assert not request.history.filter(change="TAKEN").exists()


def test_nobody_takes_over_to_approve_their_own_request(world):
    # given
    request = submit(world.sub, world.requester)
    same = make_user(
        email=world.requester.email, permissions=(TAKES, "decide_purchaserequest")
    )
    # when
    request = take_over(request, Actor.staff(same.pk))
    # then
    with pytest.raises(SelfApproval):
        services.approve_request(
            request, actor=Actor.staff(same.pk), expected_version=2
        )


def test_the_page_asks_for_a_reason(world):
    # given
    request = submit(world.sub, world.requester)
    client = staff(*STAFF)
    # when
    offered = client.get(page_of(request)).context_data["offered_actions"]
    refused = act(client, request, "take_over", seen_version=1, reason=" ")
    request.refresh_from_db()
    assert request.taken_over_at is None
    done = act(client, request, "take_over", seen_version=1, reason="Away")
    # then
    assert [action["name"] for action in offered] == ["take_over"]
    assert b"kz-error" in refused.content
    assert "staff can decide now" in said(done)[0]
    now = client.get(page_of(request))
    assert [one["name"] for one in now.context_data["offered_actions"]] == [
        "approve",
        "decline",
    ]
    assert b"Taken over by the seller" in now.content


def test_several_are_declined_with_one_reason_and_refusals_are_said():
    # given
    company = make_company(name="Alone")
    buyer = person(company, "REQUESTER")
    mine = [submit(company, buyer) for _ in range(2)]
    world = make_world()
    theirs = submit(world.sub, world.requester)
    client = staff(*STAFF)
    chosen = {
        "action": "decline_all",
        "_selected_action": [request.pk for request in [*mine, theirs]],
    }
    # when
    asked = client.post(LIST, chosen)
    seen = asked.context_data["form"].initial["seen_versions"]
    services.withdraw_request(mine[1], actor=acting(buyer), expected_version=1)
    answer = chosen | {"_answered": "1", "seen_versions": seen}
    empty = client.post(LIST, answer | {"comment": ""})
    assert b"kz-error" in empty.content
    done = client.post(LIST, answer | {"comment": "End of the year"})
    # then
    assert done.status_code == 302
    texts = said(done)
    assert [text.rpartition("(")[2].rstrip(")") for text in texts[1:]] == [
        "purchase_request_not_pending",
        "not_eligible",
    ]
    found = PurchaseRequest.objects.order_by("pk").values_list("status", flat=True)
    assert list(found) == ["DECLINED", "WITHDRAWN", "PENDING"]
    assert mine[0].decisions.get().comment == "End of the year"


@pytest.mark.parametrize("seen", ["", "x", "1:2:3", "1"])
def test_rows_without_their_versions_are_not_declined(seen: str):
    # given
    company = make_company()
    request = submit(company, person(company, "REQUESTER"))
    # when
    answer = staff(*STAFF).post(
        LIST,
        {
            "action": "decline_all",
            "_selected_action": [request.pk],
            "_answered": "1",
            "seen_versions": seen,
            "comment": "x",
        },
    )
    # then
    assert answer.status_code == 200
    request.refresh_from_db()
    assert request.status == "PENDING"
