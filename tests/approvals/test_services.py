from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from approvals import services
from approvals.answers import answer
from approvals.errors import (
    AlreadyDecided,
    CompanyNotActive,
    NotEligible,
    NotRequester,
    OpenRequestExists,
    RequestNotPending,
    SelfApproval,
)
from approvals.models import (
    ApprovalStep,
    Decision,
    PurchaseLimit,
    PurchaseRequest,
    RequestHistory,
)
from approvals.rules import Purchase
from approvals.snapshot import hash_of
from companies.models import Company, ContactAssignment
from companies.services import erase_contact, move_company, set_status
from config.actors import SYSTEM, Actor
from config.errors import StaleVersion
from config.money import Money
from integrations.models import Event
from tests.approvals.makers import (
    acting,
    euros,
    make_approval_group,
    make_limit,
    make_world,
    person,
    submit,
)
from tests.factories import (
    make_chain,
    make_company,
    make_contact,
    make_location,
    make_user,
)

pytestmark = pytest.mark.django_db


def stored() -> list[int]:
    """How many rows there are of all that a purchase writes."""
    models = (PurchaseRequest, ApprovalStep, Decision, RequestHistory, Event)
    return [model.objects.count() for model in models]


def approvers(request: PurchaseRequest) -> dict[int, str]:
    step = services.approvers_of(request)
    return {a.person.id: str(a.through) for a in step.approvers}


# Check


def test_a_check_names_the_limit_that_bites_and_who_could_approve() -> None:
    world = make_world()
    make_limit(company=world.head, amount="1000")

    decision = services.check_purchase(
        company=world.sub, requester=world.buyer, money=euros("1250.50")
    )

    purchase = Purchase(amount=Decimal("1250.50"), currency="EUR")
    told = answer(decision, purchase)
    assert told["outcome"] == "APPROVAL_REQUIRED"
    assert told["reasons"][0]["message"] == (
        "1,250.50 EUR exceeds the limit of Acme SE for each purchase, 1,000.00 EUR, "
        "by 250.50 EUR."
    )
    assert told["considered"]["role"]["role"] == "BUYER"
    (step,) = told["steps"]
    assert [a["contact"] for a in step["approvers"]] == [world.admin.pk]
    assert step["approvers"][0]["name"] == world.admin.name


def test_a_check_changes_nothing() -> None:
    world = make_world()
    make_limit(company=world.head, amount="10")
    before = stored()

    services.check_purchase(
        company=world.sub, requester=world.requester, money=euros("100")
    )

    assert stored() == before


def test_a_limit_of_the_company_alone_does_not_reach_down() -> None:
    world = make_world()
    make_limit(company=world.head, amount="1", scope="COMPANY")

    below = services.check_purchase(
        company=world.sub, requester=world.buyer, money=euros("100")
    )
    head_buyer = person(world.head, "BUYER")
    itself = services.check_purchase(
        company=world.head, requester=head_buyer, money=euros("100")
    )

    assert (below.outcome, itself.outcome) == ("ALLOWED", "APPROVAL_REQUIRED")


def test_limits_of_sisters_and_subsidiaries_do_not_count() -> None:
    world = make_world()
    sister = make_company(parent=world.head)
    make_limit(company=sister, amount="1", on_exceed="BLOCK")
    make_limit(company=world.sub, amount="1", on_exceed="BLOCK")
    buyer = person(world.head, "BUYER")

    decision = services.check_purchase(
        company=world.head, requester=buyer, money=euros("100")
    )

    assert decision.outcome == "ALLOWED"
    assert decision.limits == ()


def test_rights_count_from_the_first_day_to_the_last() -> None:
    world = make_world()
    today = timezone.localdate()
    ended = person(world.sub, "BUYER", valid_until=today - timedelta(days=1))
    coming = person(world.sub, "BUYER", valid_from=today + timedelta(days=1))
    current = person(world.sub, "BUYER", valid_from=today, valid_until=today)

    outcomes = [
        services.check_purchase(
            company=world.sub, requester=who, money=euros("1")
        ).outcome
        for who in (ended, coming, current)
    ]

    assert outcomes == ["BLOCKED", "BLOCKED", "ALLOWED"]


def test_group_members_decide_only_while_active_and_assigned() -> None:
    world = make_world()
    gone, inactive, fine = (person(world.head) for _ in range(3))
    make_approval_group(company=world.head, members=[gone, inactive, fine])
    gone.assignments.get().delete()
    inactive.is_active = False
    inactive.save()

    decision = services.check_purchase(
        company=world.sub, requester=world.requester, money=euros("1")
    )

    assert [a.person.id for a in decision.steps[0].approvers] == [fine.pk]


@pytest.mark.parametrize("others", [0, 30])
def test_a_check_takes_few_queries_however_many_companies(others: int) -> None:
    world = make_world()
    make_limit(company=world.head, amount="1")
    make_approval_group(company=world.head, members=[world.boss])
    for _ in range(others):
        make_limit(company=make_company(parent=world.head))

    with CaptureQueriesContext(connection) as queries:
        decision = services.check_purchase(
            company=world.sub, requester=world.buyer, money=euros("100")
        )

    assert decision.outcome == "APPROVAL_REQUIRED"
    assert len(queries) == 4


def test_a_deep_hierarchy_takes_no_more_queries() -> None:
    chain = make_chain(17)
    buyer = person(chain[-1], "BUYER")
    for company in chain:
        make_limit(company=company, amount="1")

    with CaptureQueriesContext(connection) as queries:
        decision = services.check_purchase(
            company=chain[-1], requester=buyer, money=euros("100")
        )

    assert len(decision.reasons) == 17
    assert len(queries) == 3  # no approval group: nobody to ask for


# Submit


def test_a_purchase_within_the_limits_is_approved_at_once() -> None:
    world = make_world()
    make_limit(company=world.head, amount="1000")

    request = submit(world.sub, world.buyer, "1000.00")

    assert request.status == "APPROVED"
    assert request.decided_at == request.submitted_at
    assert request.expires_at - request.submitted_at == timedelta(days=30)
    assert not request.steps.exists()
    assert not request.decisions.exists()
    (entry,) = request.history.all()
    assert (entry.change, entry.status) == ("SUBMITTED", "APPROVED")
    event = Event.objects.last()
    assert (event.type, event.subject_id) == ("purchase_request.approved", request.pk)


def test_a_purchase_that_needs_somebody_waits() -> None:
    world = make_world()

    request = submit(world.sub, world.requester)

    assert (request.status, request.version) == ("PENDING", 1)
    assert request.expires_at - request.submitted_at == timedelta(days=14)
    (step,) = request.steps.all()
    assert (step.company, step.roles, step.quorum) == (
        world.sub,
        ["ADMIN", "BUYER"],
        1,
    )
    (entry,) = request.history.all()
    assert (entry.change, entry.actor) == (
        "SUBMITTED",
        f"client:1/contact:{world.requester.pk}",
    )
    assert Event.objects.last().type == "purchase_request.submitted"


def test_a_blocked_purchase_is_an_answer_and_stores_nothing() -> None:
    world = make_world()
    make_limit(company=world.head, amount="10", on_exceed="BLOCK")
    before = stored()

    decision, request = services.submit_request(
        company=world.sub,
        requester=world.buyer,
        kind="CART",
        reference="A",
        money=euros("100"),
        actor=acting(world.buyer),
    )

    assert (decision.outcome, request) == ("BLOCKED", None)
    assert stored() == before


def test_the_snapshot_is_frozen_under_its_hash() -> None:
    world = make_world()
    make_limit(company=world.head, amount="10", name="Small things")
    place = make_location(
        company=world.head, is_shared=True, is_billing=True, city="München"
    )
    items = [{"name": "Chairs", "amount": "60.00"}, {"name": "Lamp", "amount": "40.00"}]

    request = submit(world.sub, world.buyer, items=items, billing_location=place)

    request = PurchaseRequest.objects.get(pk=request.pk)
    snapshot = request.snapshot
    assert request.snapshot_hash == hash_of(snapshot)
    assert snapshot["items"] == items
    assert snapshot["amount"] == "100.00"
    assert snapshot["billing_address"]["city"] == "München"
    assert snapshot["company"]["path"] == [world.head.pk, world.sub.pk]
    (limit,) = snapshot["decision"]["considered"]["limits"]
    assert (limit["amount"], limit["bites"]) == ("10.00", True)
    (step,) = snapshot["decision"]["steps"]
    assert [a["contact"] for a in step["approvers"]] == [world.admin.pk]


def test_no_person_is_named_in_what_is_hashed() -> None:
    world = make_world()
    world.admin.first_name = "Ernestine"
    world.admin.last_name = "Vogelsang"
    world.admin.save()

    request = submit(world.sub, world.requester, note="Ask Ernestine")

    assert "Ernestine" not in str(request.snapshot)
    assert world.requester.name not in str(request.snapshot)


def test_an_open_reference_is_taken_and_the_first_is_named() -> None:
    world = make_world()
    first = submit(world.sub, world.requester, reference="A1")
    before = stored()

    with pytest.raises(OpenRequestExists) as refused:
        submit(world.sub, world.buyer, reference="A1")

    assert refused.value.details == {"request": first.pk}
    assert stored() == before


def test_an_approved_request_still_holds_its_reference() -> None:
    world = make_world()
    submit(world.sub, world.buyer, reference="A1")

    with pytest.raises(OpenRequestExists):
        submit(world.sub, world.buyer, reference="A1")


def test_other_kinds_companies_and_ended_requests_leave_the_reference_free() -> None:
    world = make_world()
    first = submit(world.sub, world.requester, reference="A1")
    services.withdraw_request(first, actor=acting(world.requester), expected_version=1)

    submit(world.sub, world.requester, reference="A1")
    submit(world.sub, world.requester, reference="A1", kind="QUOTE")
    submit(world.head, world.boss, reference="A1")

    assert PurchaseRequest.objects.count() == 4


@pytest.mark.parametrize(
    ("fields", "place", "code"),
    [
        ({"reference": ""}, "reference", "blank"),
        ({"reference": "x" * 65}, "reference", "max_length"),
        ({"kind": "GIFT"}, "kind", "invalid_choice"),
        ({"money": euros("0")}, "money", "amount_not_positive"),
        (
            {"items": [{"name": "Lamp", "amount": "99.99"}]},
            "items",
            "items_do_not_add_up",
        ),
        ({"items": [{"name": "Lamp", "amount": "1e2"}]}, "items", "invalid_amount"),
        (
            {"items": [{"name": "Lamp", "amount": "99.999"}]},
            "items",
            "too_many_decimals",
        ),
    ],
)
def test_wrong_input_is_refused_at_its_field(
    fields: dict, place: str, code: str
) -> None:
    world = make_world()
    before = stored()

    with pytest.raises(ValidationError) as refused:
        submit(world.sub, world.buyer, **fields)

    (error,) = refused.value.error_dict[place]
    assert error.code == code
    assert stored() == before


def test_only_usable_locations_are_taken() -> None:
    world = make_world()
    usable = {"is_billing": True}
    wrong = [
        make_location(company=world.head, **usable),  # not shared
        make_location(company=make_company(parent=world.head), **usable),
        make_location(company=make_company(), is_shared=True, **usable),
        make_location(company=world.sub, is_shipping=True),
        make_location(company=world.sub, is_active=False, **usable),
    ]

    for place in wrong:
        with pytest.raises(ValidationError) as refused:
            submit(world.sub, world.buyer, billing_location=place)
        (error,) = refused.value.error_dict["billing_location"]
        assert error.code == "location_not_usable"

    assert not PurchaseRequest.objects.exists()


@pytest.mark.parametrize("others", [0, 30])
def test_a_submit_takes_few_queries_however_many_companies(others: int) -> None:
    world = make_world()
    make_limit(company=world.head, amount="1")
    make_approval_group(company=world.head, members=[world.boss])
    place = make_location(company=world.sub, is_billing=True)
    for _ in range(others):
        make_limit(company=make_company(parent=world.head))

    with CaptureQueriesContext(connection) as queries:
        submit(world.sub, world.buyer, billing_location=place)

    # The test's own transaction makes the service's one a savepoint: two more.
    own = [q for q in queries if "SAVEPOINT" not in q["sql"]]
    # One of them notes the mails to those who can decide.
    assert len(own) == 14


# Decide


def test_an_admin_approves() -> None:
    world = make_world()
    request = submit(world.sub, world.requester)

    approved = services.approve_request(
        request, actor=acting(world.admin), expected_version=1, comment="Fine."
    )

    assert (approved.status, approved.version) == ("APPROVED", 2)
    approved.refresh_from_db()
    assert (approved.status, approved.version) == ("APPROVED", 2)
    assert approved.expires_at - approved.decided_at == timedelta(days=30)
    (decision,) = approved.decisions.all()
    assert (decision.verdict, decision.contact, decision.request_version) == (
        "APPROVE",
        world.admin,
        1,
    )
    held = ContactAssignment.objects.get(contact=world.admin)
    assert decision.through["text"] == f"assignment {held.pk} of Acme Deutschland"
    entry = approved.history.last()
    assert (entry.change, entry.status, entry.comment, entry.version) == (
        "APPROVED",
        "APPROVED",
        "Fine.",
        2,
    )
    assert Event.objects.last().type == "purchase_request.approved"


def test_one_decline_ends_it() -> None:
    world = make_world()
    request = submit(world.sub, world.requester)

    declined = services.decline_request(
        request, actor=acting(world.buyer), expected_version=1, comment="Too dear."
    )

    assert declined.status == "DECLINED"
    assert declined.decisions.get().verdict == "DECLINE"
    assert Event.objects.last().type == "purchase_request.declined"


def test_a_decided_request_is_not_decided_again() -> None:
    world = make_world()
    request = submit(world.sub, world.requester)
    services.decline_request(request, actor=acting(world.admin), expected_version=1)
    before = stored()

    for service, who in (
        (services.approve_request, world.buyer),
        (services.decline_request, world.admin),
        (services.withdraw_request, world.requester),
    ):
        with pytest.raises(RequestNotPending):
            service(request, actor=acting(who), expected_version=2)

    assert stored() == before


def test_a_stale_decision_is_refused() -> None:
    world = make_world()
    request = submit(world.sub, world.requester)
    before = stored()

    for service in (services.approve_request, services.withdraw_request):
        with pytest.raises(StaleVersion) as refused:
            service(request, actor=acting(world.admin), expected_version=7)
        assert refused.value.details == {"version": 1}

    assert stored() == before


def test_nobody_decides_on_a_request_of_their_own() -> None:
    world = make_world()
    make_limit(company=world.sub, amount="1", binds="ROLES", roles=["ADMIN"])
    make_approval_group(company=world.sub, members=[world.admin, world.boss])
    request = submit(world.sub, world.admin)

    for service in (services.approve_request, services.decline_request):
        with pytest.raises(SelfApproval):
            service(request, actor=acting(world.admin), expected_version=1)

    assert list(approvers(request)) == [world.boss.pk]
    request.refresh_from_db()
    assert request.status == "PENDING"


def test_a_buyer_does_not_approve_above_the_limit() -> None:
    world = make_world()
    make_limit(company=world.sub, amount="1")
    request = submit(world.sub, world.requester)

    with pytest.raises(NotEligible):
        services.approve_request(request, actor=acting(world.buyer), expected_version=1)

    services.approve_request(request, actor=acting(world.admin), expected_version=1)


def test_an_admin_above_steps_in_only_if_nobody_is_left_below() -> None:
    world = make_world()
    make_limit(company=world.sub, amount="1")
    request = submit(world.sub, world.buyer)

    with pytest.raises(NotEligible):
        services.approve_request(request, actor=acting(world.boss), expected_version=1)
    ContactAssignment.objects.filter(contact=world.admin).update(role="")

    approved = services.approve_request(
        request, actor=acting(world.boss), expected_version=1
    )

    assert approved.status == "APPROVED"


def test_people_of_other_hierarchies_and_sisters_are_not_eligible() -> None:
    world = make_world()
    sister = person(make_company(parent=world.head), "ADMIN")
    foreign = person(make_company(), "ADMIN", covers_subsidiaries=True)
    request = submit(world.sub, world.requester)

    for stranger in (sister, foreign, make_contact()):
        with pytest.raises(NotEligible):
            services.approve_request(
                request, actor=acting(stranger), expected_version=1
            )


def test_a_right_that_has_ended_counts_no_more() -> None:
    world = make_world()
    first, second = (submit(world.sub, world.requester) for _ in range(2))
    services.approve_request(first, actor=acting(world.buyer), expected_version=1)
    assignment = ContactAssignment.objects.get(contact=world.buyer)
    assignment.role = ""
    assignment.save()

    with pytest.raises(NotEligible):
        services.approve_request(second, actor=acting(world.buyer), expected_version=1)


def test_a_deactivated_person_decides_nothing() -> None:
    world = make_world()
    request = submit(world.sub, world.requester)
    world.buyer.is_active = False
    world.buyer.save()

    with pytest.raises(NotEligible):
        services.decline_request(request, actor=acting(world.buyer), expected_version=1)


@pytest.mark.parametrize("which", ["sub", "head"])
def test_nothing_is_decided_while_on_hold_but_taken_back(which: str) -> None:
    world = make_world()
    request = submit(world.sub, world.requester)
    company = Company.objects.get(pk=getattr(world, which).pk)
    set_status(company, Company.Status.ON_HOLD, actor=SYSTEM, reason="")

    for service in (services.approve_request, services.decline_request):
        with pytest.raises(CompanyNotActive):
            service(request, actor=acting(world.admin), expected_version=1)

    withdrawn = services.withdraw_request(
        request, actor=acting(world.requester), expected_version=1
    )
    assert withdrawn.status == "WITHDRAWN"


def test_only_the_requester_withdraws() -> None:
    world = make_world()
    request = submit(world.sub, world.requester)

    for actor in (acting(world.admin), Actor.staff(make_user().pk), SYSTEM):
        with pytest.raises(NotRequester):
            services.withdraw_request(request, actor=actor, expected_version=1)

    assert Event.objects.last().type == "purchase_request.submitted"


def test_staff_decide_only_what_came_to_them() -> None:
    world = make_world()
    staff = make_user(permissions=("decide_purchaserequest",))
    request = submit(world.sub, world.requester)
    with pytest.raises(NotEligible):
        services.approve_request(
            request, actor=Actor.staff(staff.pk), expected_version=1
        )
    ContactAssignment.objects.exclude(contact=world.requester).update(role="")

    approved = services.approve_request(
        request, actor=Actor.staff(staff.pk), expected_version=1
    )

    assert approved.status == "APPROVED"
    decision = approved.decisions.get()
    assert (decision.staff, decision.contact) == (staff, None)
    assert decision.through["text"] == "the seller's staff"


def test_staff_without_the_right_or_in_person_the_requester_do_not_decide() -> None:
    company = make_company()
    requester = person(company, "REQUESTER")
    request = submit(company, requester)
    allowed = ("decide_purchaserequest",)
    nobody = make_user()
    left = make_user(permissions=allowed, is_active=False)
    same = make_user(permissions=allowed, email=requester.email.upper())

    for user, refusal in ((nobody, NotEligible), (left, NotEligible)):
        with pytest.raises(refusal):
            services.approve_request(
                request, actor=Actor.staff(user.pk), expected_version=1
            )
    with pytest.raises(SelfApproval):
        services.approve_request(
            request, actor=Actor.staff(same.pk), expected_version=1
        )
    with pytest.raises(NotEligible):
        services.approve_request(request, actor=SYSTEM, expected_version=1)


def test_several_people_agree_one_after_the_other() -> None:
    world = make_world()
    request = submit(world.sub, world.requester)
    ApprovalStep.objects.create(
        request=request, position=2, quorum=2, company=world.head, roles=["ADMIN"]
    )
    second = person(world.head, "ADMIN")

    first = services.approve_request(
        request, actor=acting(world.admin), expected_version=1
    )
    with pytest.raises(AlreadyDecided):
        services.approve_request(request, actor=acting(world.admin), expected_version=2)
    agreed = services.approve_request(
        request, actor=acting(world.boss), expected_version=2
    )
    last = services.approve_request(request, actor=acting(second), expected_version=3)

    assert [first.status, agreed.status, last.status] == [
        "PENDING",
        "PENDING",
        "APPROVED",
    ]
    changes = [entry.change for entry in request.history.all()]
    assert changes == ["SUBMITTED", "AGREED", "AGREED", "APPROVED"]
    assert [entry.version for entry in request.history.all()] == [1, 2, 3, 4]


def test_a_request_of_a_moved_company_is_decided_where_the_company_is_now() -> None:
    world = make_world()
    make_approval_group(company=world.head, members=[world.boss])
    request = submit(world.sub, world.requester)
    other = make_company(name="Other SE")
    chief = person(other, "ADMIN")
    ContactAssignment.objects.filter(contact=world.admin).update(role="")

    move_company(world.sub, other, actor=SYSTEM)

    assert list(approvers(request)) == [chief.pk]
    with pytest.raises(NotEligible):
        services.approve_request(request, actor=acting(world.boss), expected_version=1)
    services.approve_request(request, actor=acting(chief), expected_version=1)


def test_a_deleted_group_leaves_no_request_behind() -> None:
    world = make_world()
    group = make_approval_group(company=world.sub, members=[world.boss])
    request = submit(world.sub, world.requester)
    assert list(approvers(request)) == [world.boss.pk]

    group.delete()

    held = ContactAssignment.objects.get(contact=world.boss)
    assert approvers(request) == {world.boss.pk: f"assignment {held.pk} of Acme SE"}


def test_nobody_is_asked_for_an_ended_request() -> None:
    world = make_world()

    assert services.approvers_of(submit(world.sub, world.buyer)) is None


# Erasure


def test_an_erased_person_leaves_no_text_and_the_proof_holds() -> None:
    world = make_world()
    request = submit(world.sub, world.requester, note="For Mrs Vogelsang")
    services.approve_request(
        request, actor=acting(world.buyer), expected_version=1, comment="I am Ben."
    )

    erase_contact(world.requester, actor=SYSTEM)
    erase_contact(world.buyer, actor=SYSTEM)

    request.refresh_from_db()
    assert request.note == ""
    assert request.decisions.get().comment == ""
    assert set(request.history.values_list("comment", flat=True)) == {""}
    assert request.snapshot_hash == hash_of(request.snapshot)
    assert request.decisions.get().contact == world.buyer


def test_a_purchase_in_a_currency_without_limit_needs_somebody() -> None:
    world = make_world()
    make_limit(company=world.head, amount="1000000")

    decision = services.check_purchase(
        company=world.sub, requester=world.buyer, money=Money(Decimal(1), "USD")
    )

    assert [str(reason.code) for reason in decision.reasons] == [
        "currency_without_limit"
    ]
    assert PurchaseLimit.objects.binding(world.sub).count() == 1
