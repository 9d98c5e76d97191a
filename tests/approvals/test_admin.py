from decimal import Decimal

import pytest

from approvals.models import ApprovalGroup, PurchaseLimit, PurchaseRequest
from tests.approvals.makers import (
    make_approval_group,
    make_limit,
    make_world,
    person,
    submit,
)
from tests.factories import make_company, make_contact
from tests.staff import act, page_of, said, save, staff, superuser

pytestmark = pytest.mark.django_db

DECIDES = ("view_purchaserequest", "decide_purchaserequest")
ADD_LIMIT = "/admin/approvals/purchaselimit/add/"
ADD_GROUP = "/admin/approvals/approvalgroup/add/"


def for_staff() -> PurchaseRequest:
    """A request that nobody at the company can decide."""
    company = make_company(name="Solo")
    return submit(company, person(company, "REQUESTER"))


def names_of(response) -> list[str]:
    return [action["name"] for action in response.context_data["offered_actions"]]


@pytest.mark.parametrize(
    ("action", "status"), [("approve", "APPROVED"), ("decline", "DECLINED")]
)
def test_staff_decide_where_nobody_else_can(action, status):
    # given
    request = for_staff()
    client = staff(*DECIDES)

    # when
    offered = names_of(client.get(page_of(request)))
    asked = act(client, request, action)
    act(client, request, action, seen_version=request.version, comment="As agreed")

    # then
    assert offered == ["approve", "decline"]
    assert 'name="comment"' in asked.content.decode()
    request.refresh_from_db()
    assert request.status == status
    decision = request.decisions.get()
    assert (decision.staff, decision.comment) == (client.user, "As agreed")
    page = client.get(page_of(request)).content.decode()
    assert "As agreed" in page
    assert f"staff:{client.user.pk}" in page
    assert f"<td>{request.requester}</td><td>Submitted</td>" in page


def test_staff_do_not_decide_for_the_people_of_a_company():
    # given
    world = make_world()
    request = submit(world.sub, world.requester)
    client = staff(*DECIDES)

    # when
    offered = names_of(client.get(page_of(request)))
    response = act(client, request, "approve", seen_version=request.version)

    # then
    assert offered == []
    assert "(not_eligible)" in said(response)[0]
    request.refresh_from_db()
    assert request.status == "PENDING"


def test_a_decision_on_an_old_version_is_refused():
    # given
    request = for_staff()

    # when
    response = act(staff(*DECIDES), request, "approve", seen_version=99)

    # then
    assert "(stale_version)" in said(response)[0]
    request.refresh_from_db()
    assert request.status == "PENDING"


def test_a_decision_is_made_once():
    # given
    request = for_staff()
    client = staff(*DECIDES)
    answer = {"seen_version": request.version, "comment": ""}
    act(client, request, "approve", **answer)

    # when
    response = act(client, request, "decline", **answer)

    # then
    assert "(purchase_request_not_pending)" in said(response)[-1]
    request.refresh_from_db()
    assert request.status == "APPROVED"


@pytest.mark.parametrize("action", ["approve", "decline"])
def test_deciding_needs_its_own_right(action):
    # given
    request = for_staff()
    client = staff("view_purchaserequest", "change_purchaserequest")

    # when
    act(client, request, action, seen_version=request.version)

    # then
    assert "offered_actions" not in client.get(page_of(request)).context_data
    request.refresh_from_db()
    assert request.status == "PENDING"


def test_the_page_of_a_request_says_why_and_what_and_who():
    # given
    world = make_world()
    make_limit(company=world.head, amount="50", name="Group cap")
    items = [{"name": "<i>Drill</i>", "amount": "100.00"}]
    request = submit(world.sub, world.buyer, items=items)

    # when
    page = superuser().get(page_of(request)).content.decode()

    # then
    assert "100.00 EUR exceeds the limit of Acme SE" in page
    assert "&lt;i&gt;Drill&lt;/i&gt;" in page
    assert "Waits for:" in page
    assert world.admin.name in page


def test_the_page_of_a_request_costs_few_queries(django_assert_max_num_queries):
    # given
    world = make_world()
    request = submit(world.sub, world.requester)
    client = superuser()

    # then
    with django_assert_max_num_queries(40):
        client.get(page_of(request))


def test_a_limit_is_made_by_staff():
    # given
    company = make_company()
    client = superuser()

    # when
    save(
        client,
        f"{ADD_LIMIT}?company={company.pk}",
        amount="1250.50",
        currency="EUR",
        binds="ROLES",
        roles=["BUYER", "REQUESTER"],
    )

    # then
    limit = PurchaseLimit.objects.get()
    assert (limit.amount, limit.roles) == (Decimal("1250.50"), ["BUYER", "REQUESTER"])
    assert limit.history.get().history_user_id == f"staff:{client.user.pk}"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "Give an amount, or unlimited"),
        ({"amount": "5", "unlimited": "on"}, "Give an amount, or unlimited"),
        ({"amount": "1.005"}, "amount"),
        ({"amount": "-1"}, "The amount cannot be negative."),
        ({"amount": "5", "binds": "ROLES"}, "Name roles if the limit binds roles"),
        ({"amount": "5", "binds": "CONTACT"}, "Name the contact"),
    ],
)
def test_a_limit_that_cannot_be_meant_is_refused(fields, message):
    # given
    company = make_company()

    # when
    url = f"{ADD_LIMIT}?company={company.pk}"
    response = save(superuser(), url, currency="EUR", **fields)

    # then
    assert response.status_code == 200
    assert message in response.content.decode()
    assert not PurchaseLimit.objects.exists()


def test_an_unchanged_limit_stays_as_it_is():
    # given
    limit = make_limit(amount="5000", binds="ROLES", roles=["BUYER"])

    # when
    values = {"roles": ["BUYER"]}
    response = save(superuser(), page_of(limit), **values)

    # then
    assert response.status_code == 302
    limit.refresh_from_db()
    assert (limit.amount, limit.version) == (Decimal(5000), 1)


def test_the_page_of_a_company_shows_the_limits_that_bind_it():
    # given
    world = make_world()
    make_limit(company=world.head, name="From above")
    make_limit(company=world.head, name="Of the head only", scope="COMPANY")
    make_limit(company=world.sub, name="Its own", amount="0")
    make_approval_group(company=world.head, name="Purchasing")

    # when
    page = superuser().get(page_of(world.sub)).content.decode()
    without = staff("view_company").get(page_of(world.sub)).content.decode()

    # then
    assert "From above" in page
    assert "Its own" in page
    assert "Purchasing" in page
    assert "Of the head only" not in page
    assert "From above" not in without


def test_an_approval_group_is_made_and_changed_as_a_whole():
    # given
    world = make_world()
    client = superuser()
    url = f"{ADD_GROUP}?company={world.head.pk}"

    # when
    save(client, url, name="Board", people=[world.boss.pk, world.admin.pk])
    group = ApprovalGroup.objects.get()
    save(client, page_of(group), people=[world.admin.pk], name="New board")

    # then
    group.refresh_from_db()
    assert group.name == "New board"
    assert list(group.members.all()) == [world.admin]
    assert group.history.first().history_user_id == f"staff:{client.user.pk}"


def test_a_stranger_is_refused_at_the_members():
    # given
    world, stranger = make_world(), make_contact()
    url = f"{ADD_GROUP}?company={world.head.pk}"

    # when
    response = save(superuser(), url, name="Board", people=[stranger.pk])

    # then
    assert response.status_code == 200
    assert "Not assigned in this hierarchy" in response.content.decode()
    assert not ApprovalGroup.objects.exists()


def test_a_stale_approval_group_is_not_overwritten():
    # given
    world = make_world()
    group = make_approval_group(company=world.head, members=[world.boss], name="Was")

    # when
    values = {"people": [world.admin.pk], "name": "Mine", "seen_version": 7}
    response = save(superuser(), page_of(group), **values)

    # then
    assert "(stale_version)" in response.content.decode()
    group.refresh_from_db()
    assert (group.name, list(group.members.all())) == ("Was", [world.boss])


def test_an_approval_group_is_deleted():
    # given
    world = make_world()
    group = make_approval_group(company=world.head, members=[world.boss])

    # when
    superuser().post(page_of(group, "delete"), {"post": "yes"})

    # then
    assert not ApprovalGroup.objects.exists()
