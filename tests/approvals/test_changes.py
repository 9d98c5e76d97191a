"""What a change of a pending request keeps, and what it begins anew."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from approvals import services
from approvals.errors import NotRequester, RequestNotPending
from approvals.models import (
    ApprovalStep,
    Decision,
    LedgerEntry,
    LimitCounter,
    PurchaseRequest,
    RequestHistory,
)
from approvals.snapshot import hash_of
from companies.models import Company
from companies.services import set_status
from config.actors import SYSTEM
from config.errors import StaleVersion
from config.money import Money
from integrations.models import Event
from tests.approvals.makers import (
    World,
    acting,
    euros,
    make_approval_group,
    make_limit,
    make_rule,
    make_world,
    person,
    submit,
)
from tests.factories import make_location

pytestmark = pytest.mark.django_db

CHAIRS = {"sku": "S1", "name": "Chair", "quantity": "2", "amount": "60.00"}
LAMP = {"sku": "L1", "name": "Lamp", "quantity": "1", "amount": "40.00"}


@pytest.fixture
def world() -> World:
    return make_world()


def change(request: PurchaseRequest, amount: str = "100.00", **fields: Any) -> Any:
    return services.change_request(
        request,
        **{
            "money": euros(amount),
            "actor": acting(request.requester_id),
            "expected_version": request.version,
        }
        | fields,
    )


def approve(request: PurchaseRequest, who: Any) -> PurchaseRequest:
    return services.approve_request(
        request, actor=acting(who), expected_version=request.version
    )


def approvers(request: PurchaseRequest) -> set[int]:
    step = services.approvers_of(request)
    return {approver.person.id for approver in step.approvers} if step else set()


def stored() -> list[Any]:
    models = (
        PurchaseRequest,
        ApprovalStep,
        Decision,
        RequestHistory,
        LedgerEntry,
        LimitCounter,
        Event,
    )
    return [list(model.objects.order_by("pk").values()) for model in models]


def half_agreed(world: World, **fields: Any) -> PurchaseRequest:
    """A request on which one of two has agreed."""
    members = [world.admin, world.boss]
    group = make_approval_group(company=world.sub, members=members)
    make_rule(company=world.sub, steps=[{"approval_group": group, "quorum": 2}])
    request = submit(world.sub, world.requester, **fields)
    return approve(request, world.admin)


@dataclass
class Case:
    name: str
    keeps: bool
    amount: str = "100.00"
    items: list[dict[str, str]] = field(default_factory=lambda: [CHAIRS, LAMP])
    before: list[dict[str, str]] = field(default_factory=lambda: [CHAIRS, LAMP])


def line(of: dict[str, str], **other: str) -> dict[str, str]:
    return of | other


CASES = [
    Case("the same", True),
    Case("in another order", True, items=[LAMP, CHAIRS]),
    Case("a line less", True, "60.00", [CHAIRS]),
    Case("a line for less", True, "99.99", [line(CHAIRS, amount="59.99"), LAMP]),
    Case(
        "fewer of a line",
        True,
        "70.00",
        [line(CHAIRS, quantity="1", amount="30.00"), LAMP],
    ),
    Case("no lines, the same", True, items=[], before=[]),
    Case("no lines, less", True, "99.99", [], []),
    Case("no lines, a cent more", False, "100.01", [], []),
    Case("a cent more", False, "100.01", [CHAIRS, line(LAMP, amount="40.01")]),
    Case(
        "one line for more, another for less",
        False,
        "100.00",
        [line(CHAIRS, amount="60.01"), line(LAMP, amount="39.99")],
    ),
    Case(
        "another line", False, "70.00", [CHAIRS, line(LAMP, sku="L2", amount="10.00")]
    ),
    Case("another name", False, items=[line(CHAIRS, name="Throne"), LAMP]),
    Case(
        "more of a line for the same", False, items=[line(CHAIRS, quantity="3"), LAMP]
    ),
    Case(
        "more of a line for less",
        False,
        "50.00",
        [line(CHAIRS, quantity="20", amount="10.00"), LAMP],
    ),
    Case(
        "another unit",
        False,
        "90.00",
        [line(CHAIRS, quantity="2 pallets", amount="50.00"), LAMP],
    ),
    Case(
        "the same unit",
        True,
        "90.00",
        [line(CHAIRS, quantity="2 pallets", amount="50.00"), LAMP],
        [line(CHAIRS, quantity="2 pallets"), LAMP],
    ),
    Case(
        "a line in two",
        False,
        items=[line(CHAIRS, amount="30.00"), line(CHAIRS, amount="30.00"), LAMP],
    ),
    Case("lines named for the first time", False, before=[]),
    Case("lines not named any more", False, items=[]),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_less_of_the_same_keeps_approvals_and_all_else_begins_anew(
    world: World, case: Case
) -> None:
    request = half_agreed(world, items=case.before)

    _answer, changed = change(request, case.amount, items=case.items)

    assert (changed.round, changed.revision) == (1 if case.keeps else 2, 2)
    assert changed.status == "PENDING"
    assert approvers(changed) == (
        {world.boss.pk} if case.keeps else {world.admin.pk, world.boss.pk}
    )


def test_an_approval_of_the_round_before_does_not_count(world: World) -> None:
    request = half_agreed(world)
    _answer, changed = change(request, "100.01")

    agreed = approve(changed, world.boss)
    assert agreed.status == "PENDING"
    approved = approve(agreed, world.admin)

    assert approved.status == "APPROVED"
    rounds = Decision.objects.order_by("pk").values_list("round", "contact")
    assert list(rounds) == [
        (1, world.admin.pk),
        (2, world.boss.pk),
        (2, world.admin.pk),
    ]


def test_an_approval_that_is_kept_counts(world: World) -> None:
    _answer, changed = change(half_agreed(world), "99.99")

    assert approve(changed, world.boss).status == "APPROVED"


def test_more_asks_whom_the_rules_ask_for_more(world: World) -> None:
    group = make_approval_group(company=world.head, members=[world.boss])
    world_rules = {"company": world.sub, "steps": [{"approval_group": group}]}
    make_rule(**world_rules, amount_from=euros("100.01").amount, currency="EUR")
    make_approval_group(company=world.sub, members=[world.admin])
    request = submit(world.sub, world.requester)
    assert approvers(request) == {world.admin.pk}

    _answer, changed = change(request, "100.01")
    assert approvers(changed) == {world.boss.pk}
    _answer, back = change(changed, "50.00")

    # Less of the same: what was asked for stays, stricter than it had to be.
    assert approvers(back) == {world.boss.pk}
    assert back.snapshot_hash == hash_of(back.snapshot)
    (step,) = back.snapshot["decision"]["steps"]
    assert step["approval_groups"] == [group.pk]


def test_what_needs_nobody_any_more_is_approved_at_once(world: World) -> None:
    make_limit(company=world.sub, amount="50")
    request = submit(world.sub, world.buyer)

    answer, changed = change(request, "50.00")

    assert (answer.outcome, changed.status) == ("ALLOWED", "APPROVED")
    assert changed.decided_at is not None
    assert changed.snapshot["decision"]["steps"] == []
    assert Event.objects.last().type == "purchase_request.approved"


def test_another_address_begins_anew(world: World) -> None:
    here, there = (
        make_location(company=world.sub, is_shipping=True, city=city)
        for city in ("Bonn", "Kiel")
    )
    request = half_agreed(world, shipping_location=here)

    _answer, same = change(request, shipping_location=here)
    assert same.round == 1
    _answer, other = change(same, shipping_location=there)
    assert other.round == 2
    _answer, none = change(other)
    assert none.round == 3


def test_an_address_that_became_another_begins_anew(world: World) -> None:
    place = make_location(company=world.sub, is_billing=True, city="Bonn")
    request = half_agreed(world, billing_location=place)
    place.city = "Kiel"
    place.save()

    _answer, changed = change(request, "99.99", billing_location=place)

    assert changed.round == 2
    assert changed.snapshot["billing_address"]["city"] == "Kiel"


def test_another_note_keeps_approvals(world: World) -> None:
    _answer, changed = change(half_agreed(world), note="By Monday, please.")

    assert (changed.round, changed.note) == (1, "By Monday, please.")


def test_every_revision_can_be_read(world: World) -> None:
    request = submit(world.sub, world.requester, "100.00")
    first = request.snapshot

    change(request, "120.00", comment="One more.")

    entry = RequestHistory.objects.get(change="CHANGED")
    assert (entry.comment, str(entry.amount), entry.version) == (
        "One more.",
        "120.0000",
        2,
    )
    assert entry.replaced == first
    assert Event.objects.last().type == "purchase_request.changed"


@pytest.mark.parametrize("how", ["limit", "on hold", "role"])
def test_a_change_that_is_blocked_changes_nothing(world: World, how: str) -> None:
    make_limit(company=world.head, amount="150", on_exceed="BLOCK", period="MONTH")
    request = submit(world.sub, world.requester)
    amount = "150.01" if how == "limit" else "90.00"
    if how == "on hold":
        company = Company.objects.get(pk=world.head.pk)
        set_status(company, Company.Status.ON_HOLD, actor=SYSTEM, reason="")
    if how == "role":
        world.requester.assignments.update(role="")
    before = stored()

    answer, changed = change(request, amount)

    assert (answer.outcome, changed) == ("BLOCKED", None)
    assert stored() == before


def test_only_the_requester_changes_what_is_pending_as_it_was_read(
    world: World,
) -> None:
    request = submit(world.sub, world.requester)
    before = stored()

    for actor in (acting(world.admin), SYSTEM):
        with pytest.raises(NotRequester):
            change(request, actor=actor)
    with pytest.raises(StaleVersion):
        change(request, expected_version=7)
    assert stored() == before

    approved = approve(request, world.admin)
    before = stored()
    with pytest.raises(RequestNotPending):
        change(approved)
    assert stored() == before


@pytest.mark.parametrize(
    ("fields", "place", "code"),
    [
        ({"money": Money(euros("1").amount, "USD")}, "money", "other_currency"),
        ({"money": euros("0")}, "money", "amount_not_positive"),
        ({"items": [LAMP]}, "items", "items_do_not_add_up"),
        ({"billing_location": "shipping"}, "billing_location", "location_not_usable"),
    ],
)
def test_a_wrong_change_is_refused_at_its_field(
    world: World, fields: dict[str, Any], place: str, code: str
) -> None:
    if "billing_location" in fields:
        location = make_location(company=world.sub, is_shipping=True)
        fields = {"billing_location": location}
    request = submit(world.sub, world.requester)
    before = stored()

    with pytest.raises(ValidationError) as refused:
        change(request, **fields)

    assert refused.value.error_dict[place][0].code == code
    assert stored() == before


def test_somebody_who_came_to_the_company_meanwhile_can_decide(world: World) -> None:
    request = submit(world.sub, world.requester)
    newcomer = person(world.sub, "ADMIN")

    _answer, changed = change(request, "90.00")

    assert approve(changed, newcomer).status == "APPROVED"
