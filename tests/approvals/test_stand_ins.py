"""Who is named to decide for whom, and what they can decide."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from approvals import services, stand_ins
from approvals.errors import AlreadyDecided, NotEligible, SelfApproval
from approvals.models import ApprovalPolicy, PurchaseRequest, StandIn
from approvals.services import deciding
from companies.models import Contact, ContactAssignment
from config.actors import SYSTEM, Actor
from config.errors import StaleVersion
from config.money import Money
from integrations.models import Event
from tests.approvals.makers import (
    World,
    acting,
    make_approval_group,
    make_limit,
    make_rule,
    make_stand_in,
    make_world,
    person,
    submit,
)
from tests.factories import make_company, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    """As `make_world`, but a requester's purchase needs the only admin below."""
    world = make_world()
    make_rule(company=world.sub)
    return world


def approve(
    request: PurchaseRequest, who: Contact, version: int = 1
) -> PurchaseRequest:
    return services.approve_request(
        request, actor=acting(who), expected_version=version
    )


def refused_codes(refused: pytest.ExceptionInfo[ValidationError]) -> dict[str, str]:
    return {name: errors[0].code for name, errors in refused.value.error_dict.items()}


# Named, changed, ended


def test_a_stand_in_is_named_changed_and_ended_with_history_and_events(
    world: World,
) -> None:
    deputy, actor = person(world.sub), Actor.client(7)
    day = timezone.localdate()

    named = stand_ins.name_stand_in(
        company=world.sub,
        contact=world.admin,
        stand_in=deputy,
        valid_until=day,
        actor=actor,
    )
    changed = stand_ins.change_stand_in(
        named,
        actor=actor,
        expected_version=1,
        valid_until=day + timedelta(days=3),
        amount=Decimal(100),
        currency="EUR",
    )
    stand_ins.end_stand_in(changed, actor=actor, expected_version=2)

    assert (named.valid_from, changed.version) == (day, 2)
    assert not StandIn.objects.exists()
    entries = StandIn.history.order_by("history_id")
    assert [entry.history_type for entry in entries] == ["+", "~", "-"]
    assert {entry.history_user_id for entry in entries} == {str(actor)}
    told = Event.objects.filter(type__startswith="stand_in.").order_by("id")
    assert [event.type for event in told] == [
        "stand_in.created",
        "stand_in.updated",
        "stand_in.deleted",
    ]


def test_no_change_is_no_version(world: World) -> None:
    named = make_stand_in(
        company=world.sub, contact=world.admin, stand_in=person(world.sub)
    )

    same = stand_ins.change_stand_in(
        named, actor=SYSTEM, expected_version=1, valid_until=named.valid_until
    )

    assert (same.version, StandIn.history.count()) == (1, 1)


def test_a_stand_in_of_somebody_who_has_left_can_still_be_changed(world: World) -> None:
    deputy = person(world.sub)
    named = make_stand_in(company=world.sub, contact=world.admin, stand_in=deputy)
    ContactAssignment.objects.get(contact=deputy).delete()
    earlier = named.valid_until - timedelta(days=1)

    changed = stand_ins.change_stand_in(
        named, actor=SYSTEM, expected_version=1, valid_until=earlier
    )

    assert (changed.valid_until, changed.version) == (earlier, 2)


@pytest.mark.parametrize(
    ("fields", "codes"),
    [
        ({"stand_in": "admin"}, {"__all__": "own_stand_in"}),
        ({"stand_in": "stranger"}, {"stand_in": "not_in_hierarchy"}),
        ({"contact": "stranger"}, {"contact": "not_in_hierarchy"}),
        ({"valid_until": -1}, {"__all__": "dates_not_in_order"}),
        ({"amount": "5"}, {"__all__": "amount_without_currency"}),
        ({"currency": "EUR"}, {"__all__": "amount_without_currency"}),
        (
            {"amount": "0", "currency": "EUR"},
            {"__all__": "amount_without_currency"},
        ),
        ({"amount": "1.001", "currency": "EUR"}, {"amount": "too_many_decimals"}),
    ],
)
def test_a_wrong_stand_in_is_refused(
    world: World, fields: dict[str, Any], codes: dict[str, str]
) -> None:
    people = {
        "admin": world.admin,
        "stranger": person(make_company(), "ADMIN"),
        "deputy": person(world.sub),
    }
    day = timezone.localdate()
    values = {"contact": "admin", "stand_in": "deputy", "valid_until": 1} | fields
    if "amount" in values:
        values["amount"] = Decimal(values["amount"])

    with pytest.raises(ValidationError) as refused:
        make_stand_in(
            company=world.sub,
            **values
            | {
                "contact": people[values["contact"]],
                "stand_in": people[values["stand_in"]],
                "valid_until": day + timedelta(days=values["valid_until"]),
            },
        )

    assert refused_codes(refused) == codes
    assert not StandIn.objects.exists()


def test_the_people_and_the_company_stay(world: World) -> None:
    named = make_stand_in(
        company=world.sub, contact=world.admin, stand_in=person(world.sub)
    )

    for field, value in (
        ("company", world.head),
        ("contact", world.buyer),
        ("stand_in", world.boss),
    ):
        with pytest.raises(ValidationError) as refused:
            stand_ins.change_stand_in(
                named, actor=SYSTEM, expected_version=1, **{field: value}
            )
        assert refused_codes(refused) == {field: "read_only"}

    assert StandIn.objects.get().version == 1


def test_a_stale_version_changes_nothing(world: World) -> None:
    named = make_stand_in(
        company=world.sub, contact=world.admin, stand_in=person(world.sub)
    )
    day = timezone.localdate()

    with pytest.raises(StaleVersion) as refused:
        stand_ins.change_stand_in(
            named, actor=SYSTEM, expected_version=2, valid_until=day
        )
    with pytest.raises(StaleVersion):
        stand_ins.end_stand_in(named, actor=SYSTEM, expected_version=2)

    assert refused.value.details == {"version": 1}
    assert StandIn.objects.get().valid_until == named.valid_until
    stand_ins.end_stand_in(named, actor=SYSTEM, expected_version=1)
    with pytest.raises(StaleVersion):
        stand_ins.end_stand_in(named, actor=SYSTEM, expected_version=1)


# Deciding for somebody


def test_a_decision_records_who_decided_and_for_whom(world: World) -> None:
    deputy = person(world.sub)
    make_stand_in(company=world.head, contact=world.admin, stand_in=deputy)
    request = submit(world.sub, world.requester)

    approved = approve(request, deputy)

    assert approved.status == "APPROVED"
    decision = request.decisions.get()
    assert (decision.contact, decision.right_of) == (deputy, world.admin)
    assert decision.on_behalf_of_id == world.admin.pk
    assert decision.through["instead_of"] == world.admin.pk
    entry = request.history.last()
    assert entry.on_behalf_of == world.admin
    assert entry.actor.endswith(f"/contact:{deputy.pk}")


def test_a_stand_in_declines_too(world: World) -> None:
    deputy = person(world.sub)
    make_stand_in(company=world.sub, contact=world.admin, stand_in=deputy)
    request = submit(world.sub, world.requester)

    declined = services.decline_request(
        request, actor=acting(deputy), expected_version=1
    )

    assert declined.status == "DECLINED"
    assert request.history.last().on_behalf_of == world.admin


def test_who_has_the_right_themselves_decides_by_their_own(world: World) -> None:
    second = person(world.sub, "ADMIN")
    make_stand_in(company=world.sub, contact=world.admin, stand_in=second)
    request = submit(world.sub, world.requester)

    approve(request, second)

    assert request.decisions.get().right_of == second
    assert request.history.last().on_behalf_of is None


@pytest.mark.parametrize(
    ("amount", "currency", "may"),
    [("100.00", "EUR", True), ("100.01", "EUR", False), ("1.00", "USD", False)],
)
def test_a_stand_in_decides_up_to_the_amount(
    world: World, amount: str, currency: str, may: bool
) -> None:
    deputy = person(world.sub)
    make_stand_in(
        company=world.sub,
        contact=world.admin,
        stand_in=deputy,
        amount=Decimal(100),
        currency="EUR",
    )
    money = Money(Decimal(amount), currency)
    request = submit(world.sub, world.requester, money=money)

    if may:
        assert approve(request, deputy).status == "APPROVED"
    else:
        with pytest.raises(NotEligible):
            approve(request, deputy)
        assert not request.decisions.exists()


@pytest.mark.parametrize(
    ("first", "last", "may"),
    [(-5, -1, False), (-5, 0, True), (0, 5, True), (1, 5, False)],
)
def test_a_stand_in_decides_from_the_first_day_to_the_last(
    world: World, first: int, last: int, may: bool
) -> None:
    deputy, day = person(world.sub), timezone.localdate()
    make_stand_in(
        company=world.sub,
        contact=world.admin,
        stand_in=deputy,
        valid_from=day + timedelta(days=first),
        valid_until=day + timedelta(days=last),
    )
    request = submit(world.sub, world.requester)

    named = {a.person.id for a in services.approvers_of(request).approvers}

    assert (deputy.pk in named) is may
    if not may:
        with pytest.raises(NotEligible):
            approve(request, deputy)


def test_a_stand_in_of_a_stand_in_decides_nothing(world: World) -> None:
    first, second = person(world.sub), person(world.sub)
    make_stand_in(company=world.sub, contact=world.admin, stand_in=first)
    make_stand_in(company=world.sub, contact=first, stand_in=second)
    request = submit(world.sub, world.requester)

    with pytest.raises(NotEligible):
        approve(request, second)


def test_a_stand_in_has_no_more_than_the_person_has_then(world: World) -> None:
    deputy = person(world.sub)
    make_stand_in(company=world.sub, contact=world.admin, stand_in=deputy)
    request = submit(world.sub, world.requester)
    ContactAssignment.objects.filter(contact=world.admin).update(role="BUYER")

    with pytest.raises(NotEligible):
        approve(request, deputy)


def test_a_stand_in_counts_below_its_company_and_nowhere_else(world: World) -> None:
    sister = make_company(parent=world.head)
    deputy = person(world.sub)
    for company in (sister, make_company(parent=world.sub)):
        make_stand_in(company=company, contact=world.admin, stand_in=deputy)
    request = submit(world.sub, world.requester)

    with pytest.raises(NotEligible):
        approve(request, deputy)


@pytest.mark.parametrize("how", ["deactivated", "left"])
def test_a_stand_in_who_is_gone_decides_nothing(world: World, how: str) -> None:
    deputy = person(world.sub)
    make_stand_in(company=world.sub, contact=world.admin, stand_in=deputy)
    request = submit(world.sub, world.requester)
    if how == "left":
        deputy.assignments.all().delete()
    else:
        deputy.is_active = False
        deputy.save()

    with pytest.raises(NotEligible):
        approve(request, deputy)


def test_an_ended_stand_in_decides_nothing_and_what_they_decided_stands(
    world: World,
) -> None:
    deputy = person(world.sub)
    named = make_stand_in(company=world.sub, contact=world.admin, stand_in=deputy)
    decided, waiting = (submit(world.sub, world.requester) for _ in range(2))
    approve(decided, deputy)

    stand_ins.end_stand_in(named, actor=SYSTEM, expected_version=1)

    with pytest.raises(NotEligible):
        approve(waiting, deputy)
    assert decided.decisions.get().right_of == world.admin
    assert approve(waiting, world.admin).status == "APPROVED"


@pytest.mark.parametrize("first", ["admin", "deputy"])
def test_a_person_and_their_stand_in_are_one_voice(world: World, first: str) -> None:
    deputy, other = person(world.sub), person(world.sub)
    group = make_approval_group(company=world.sub, members=[world.admin, other])
    rule = {"approval_group": group, "quorum": 2}
    make_rule(company=world.sub, steps=[rule], kinds=["QUOTE"])
    make_stand_in(company=world.sub, contact=world.admin, stand_in=deputy)
    request = submit(world.sub, person(world.sub, "REQUESTER"), kind="QUOTE")
    voices = {"admin": world.admin, "deputy": deputy}

    approve(request, voices.pop(first))
    for late in voices.values():
        with pytest.raises(NotEligible):
            approve(request, late, version=2)
    with pytest.raises(AlreadyDecided):
        approve(request, {"admin": world.admin, "deputy": deputy}[first], version=2)

    assert request.decisions.count() == 1


def test_two_stand_ins_of_one_person_are_one_voice(world: World) -> None:
    deputies = [person(world.sub), person(world.sub)]
    group = make_approval_group(company=world.sub, members=[world.admin, world.buyer])
    make_rule(
        company=world.sub,
        steps=[{"approval_group": group, "quorum": 2}],
        kinds=["QUOTE"],
    )
    for deputy in deputies:
        make_stand_in(company=world.sub, contact=world.admin, stand_in=deputy)
    request = submit(world.sub, world.requester, kind="QUOTE")

    approve(request, deputies[0])
    with pytest.raises(NotEligible):
        approve(request, deputies[1], version=2)
    # The rule for every purchase asks an admin: none is left here who was not heard.
    agreed = approve(request, world.buyer, version=2)

    assert agreed.status == "PENDING"
    assert approve(request, world.boss, version=3).status == "APPROVED"


def test_who_was_named_in_that_moment_is_looked_at_once_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    deputy = person(world.sub)
    make_stand_in(company=world.sub, contact=world.admin, stand_in=deputy)
    request = submit(world.sub, world.requester)
    lock_decider, looks = deciding.lock_decider, []

    def too_early(contact: int, path: Any) -> dict[int, Contact]:
        looks.append(contact)
        people = lock_decider(contact, path)
        return people if looks[1:] else {contact: people[contact]}

    monkeypatch.setattr(deciding, "lock_decider", too_early)

    assert approve(request, deputy).status == "APPROVED"
    assert looks == [deputy.pk, deputy.pk]


# Nobody decides on a request of their own, by whatever detour


def detour(world: World, name: str) -> Contact:
    """Give the requester a way to decide; who would decide by it."""
    requester, deputy = world.requester, person(world.sub)
    match name:
        case "in the approval group":
            make_approval_group(company=world.sub, members=[requester, world.admin])
        case "in the group above":
            make_approval_group(company=world.head, members=[requester, world.admin])
        case "admin above who covers":
            person(world.head, "ADMIN", contact=requester, covers_subsidiaries=True)
        case "stand-in of the admin":
            make_stand_in(company=world.sub, contact=world.admin, stand_in=requester)
        case "stand-in of the boss who steps in":
            ContactAssignment.objects.filter(contact=world.admin).update(role="")
            make_stand_in(company=world.head, contact=world.boss, stand_in=requester)
        case "their own stand-in":
            ContactAssignment.objects.filter(contact=requester).update(role="ADMIN")
            make_stand_in(company=world.sub, contact=requester, stand_in=deputy)
            return deputy
        case "only they are left":
            ContactAssignment.objects.exclude(contact=requester).update(role="")
            ContactAssignment.objects.filter(contact=requester).update(role="ADMIN")
    return requester


DETOURS = [
    "in the approval group",
    "in the group above",
    "admin above who covers",
    "stand-in of the admin",
    "stand-in of the boss who steps in",
    "their own stand-in",
    "only they are left",
]


@pytest.mark.parametrize("name", DETOURS)
def test_no_detour_leads_to_ones_own_request(world: World, name: str) -> None:
    who = detour(world, name)
    request = submit(world.sub, world.requester)

    for service in (services.approve_request, services.decline_request):
        with pytest.raises((SelfApproval, NotEligible)):
            service(request, actor=acting(who), expected_version=1)

    named = {a.person.id for a in services.approvers_of(request).approvers}
    assert not named & {who.pk, world.requester.pk}
    assert not request.decisions.exists()


def test_no_staff_account_of_the_requester_decides(world: World) -> None:
    ContactAssignment.objects.exclude(contact=world.requester).update(role="")
    request = submit(world.sub, world.requester)
    user = make_user(
        permissions=("decide_purchaserequest",), email=world.requester.email.upper()
    )

    with pytest.raises(SelfApproval):
        services.approve_request(
            request, actor=Actor.staff(user.pk), expected_version=1
        )


@pytest.mark.parametrize("first", ["contact", "staff"])
def test_as_staff_and_as_a_contact_a_person_is_one_voice(
    world: World, first: str
) -> None:
    user = make_user(
        permissions=("decide_purchaserequest",), email=world.admin.email.upper()
    )
    make_rule(company=world.sub, steps=[{"role": "ADMIN", "quorum": 3}])
    make_rule(company=world.sub, steps=[{"role": "BUYER", "quorum": 4}])
    request = submit(world.sub, world.requester)
    voices = [acting(world.admin), Actor.staff(user.pk)]
    if first == "staff":
        voices.reverse()

    services.approve_request(request, actor=voices[0], expected_version=1)
    for again in voices:
        with pytest.raises(AlreadyDecided):
            services.approve_request(request, actor=again, expected_version=2)

    assert request.decisions.count() == 1


def test_two_of_the_staff_without_an_email_are_two_voices(world: World) -> None:
    make_rule(company=world.sub, steps=[{"role": "ADMIN", "quorum": 4}])
    request = submit(world.sub, world.requester)
    users = [
        make_user(permissions=("decide_purchaserequest",), email="") for _ in range(2)
    ]

    for version, user in enumerate(users, 1):
        services.approve_request(
            request, actor=Actor.staff(user.pk), expected_version=version
        )

    assert request.decisions.count() == 2


def test_staff_allow_self_approval_to_themselves_too(world: World) -> None:
    allow_self_approval(world.sub)
    ContactAssignment.objects.exclude(contact=world.requester).update(role="")
    request = submit(world.sub, world.requester)
    user = make_user(
        permissions=("decide_purchaserequest",), email=world.requester.email
    )

    approved = services.approve_request(
        request, actor=Actor.staff(user.pk), expected_version=1
    )

    assert approved.status == "APPROVED"


def allow_self_approval(company: Any) -> None:
    ApprovalPolicy.objects.create(company=company, allow_self_approval=True)


def test_staff_can_allow_self_approval_where_the_person_has_the_right(
    world: World,
) -> None:
    allow_self_approval(world.sub)
    request = submit(world.sub, world.admin)

    approved = approve(request, world.admin)

    assert approved.status == "APPROVED"
    decision = request.decisions.get()
    assert (decision.contact, decision.right_of) == (world.admin, world.admin)


def test_allowed_self_approval_gives_no_right_that_one_has_not(world: World) -> None:
    allow_self_approval(world.sub)
    request = submit(world.sub, world.requester)

    with pytest.raises(NotEligible):
        approve(request, world.requester)


def test_self_approval_is_allowed_for_the_company_alone(world: World) -> None:
    allow_self_approval(world.head)
    request = submit(world.sub, world.admin)

    with pytest.raises(SelfApproval):
        approve(request, world.admin)


def test_with_allowed_self_approval_each_still_has_one_voice(world: World) -> None:
    allow_self_approval(world.sub)
    make_limit(company=world.sub, amount="1", binds="ROLES", roles=["ADMIN"])
    group = make_approval_group(company=world.sub, members=[world.admin, world.boss])
    steps = [{"approval_group": group, "quorum": 2}]
    make_rule(company=world.sub, steps=steps, kinds=["QUOTE"])
    request = submit(world.sub, world.admin, kind="QUOTE")

    assert approve(request, world.admin).status == "PENDING"
    with pytest.raises(AlreadyDecided):
        approve(request, world.admin, version=2)
