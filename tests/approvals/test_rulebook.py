"""Rules are written with their steps, whole or not at all."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from approvals import membership, rulebook, services
from approvals.errors import GroupInUse
from approvals.models import ApprovalGroup, ApprovalRule, ApprovalRuleStep
from companies.models import ContactAssignment
from companies.services import move_company
from config.actors import SYSTEM, Actor
from config.errors import StaleVersion
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
from tests.factories import make_company, make_contact

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return make_world()


def steps_of(rule: ApprovalRule) -> list[tuple[Any, ...]]:
    columns = ("position", "approval_group", "role", "quorum")
    return list(rule.steps.order_by("position").values_list(*columns))


def refusals(refused: pytest.ExceptionInfo[ValidationError]) -> list[tuple[int, str]]:
    return [
        (error.params["step"], error.code)
        for error in refused.value.error_dict["steps"]
    ]


def test_a_rule_is_made_with_its_steps_history_and_one_event(world: World) -> None:
    group = make_approval_group(company=world.head, members=[world.boss, world.admin])
    actor = Actor.client(7)

    rule = rulebook.create_rule(
        company=world.sub,
        actor=actor,
        name="Much money",
        amount_from=Decimal(500),
        currency="EUR",
        roles=["REQUESTER", "BUYER"],
        steps=[{"role": "BUYER"}, {"approval_group": group, "quorum": 2}],
    )

    rule.refresh_from_db()
    assert (rule.version, rule.roles) == (1, ["BUYER", "REQUESTER"])
    assert steps_of(rule) == [(1, None, "BUYER", 1), (2, group.pk, "", 2)]
    entries = [*rule.history.all(), *ApprovalRuleStep.history.all()]
    assert {entry.history_user_id for entry in entries} == {str(actor)}
    assert len(entries) == 3
    told = Event.objects.filter(type__startswith="approval_rule")
    assert list(told.values_list("type", flat=True)) == ["approval_rule.created"]


def test_steps_are_replaced_as_one_list(world: World) -> None:
    group = make_approval_group(company=world.sub, members=[world.admin])
    rule = make_rule(
        company=world.sub,
        steps=[{"role": "BUYER"}, {"role": "ADMIN"}, {"approval_group": group}],
    )
    kept = rule.steps.get(position=1).pk

    changed = rulebook.update_rule(
        rule,
        actor=SYSTEM,
        expected_version=1,
        steps=[{"role": "BUYER"}, {"approval_group": group.pk}],
    )

    assert changed.version == 2
    assert steps_of(rule) == [(1, None, "BUYER", 1), (2, group.pk, "", 1)]
    assert rule.steps.get(position=1).pk == kept
    types = ApprovalRuleStep.history.order_by("history_id").values_list(
        "position", "history_type"
    )
    assert list(types) == [(1, "+"), (2, "+"), (3, "+"), (2, "~"), (3, "-")]


def test_no_change_is_no_version(world: World) -> None:
    rule = make_rule(company=world.sub)

    same = rulebook.update_rule(
        rule,
        actor=SYSTEM,
        expected_version=1,
        name=rule.name,
        steps=[{"role": "ADMIN", "quorum": 1, "approval_group": None}],
    )

    assert same.version == 1
    assert ApprovalRuleStep.history.count() == 1


def test_fields_are_changed_without_steps(world: World) -> None:
    rule = make_rule(company=world.sub)

    changed = rulebook.update_rule(
        rule, actor=SYSTEM, expected_version=1, name="Other", kinds=["ORDER", "CART"]
    )

    assert (changed.name, changed.kinds) == ("Other", ["CART", "ORDER"])
    assert steps_of(rule) == [(1, None, "ADMIN", 1)]


def test_a_rule_is_deleted_with_its_steps_and_the_history_says_by_whom(
    world: World,
) -> None:
    rule, actor = make_rule(company=world.sub), Actor.client(7)

    rulebook.delete_rule(rule, actor=actor, expected_version=1)

    assert not ApprovalRule.objects.exists()
    last = [
        model.history.get(history_type="-")
        for model in (ApprovalRule, ApprovalRuleStep)
    ]
    assert [entry.history_user_id for entry in last] == [str(actor)] * 2


def test_a_stale_version_changes_nothing(world: World) -> None:
    rule = make_rule(company=world.sub)

    with pytest.raises(StaleVersion) as refused:
        rulebook.update_rule(rule, actor=SYSTEM, expected_version=2, name="Other")
    with pytest.raises(StaleVersion):
        rulebook.delete_rule(rule, actor=SYSTEM, expected_version=2)

    assert refused.value.details == {"version": 1}
    rule.refresh_from_db()
    assert (rule.version, rule.name) == (1, "Rule")


def test_a_rule_that_is_gone_is_stale(world: World) -> None:
    rule = make_rule(company=world.sub)
    rulebook.delete_rule(rule, actor=SYSTEM, expected_version=1)
    gone = ApprovalRule(pk=rule.pk, company=world.sub)

    with pytest.raises(StaleVersion):
        rulebook.update_rule(gone, actor=SYSTEM, expected_version=1, name="Other")


@pytest.mark.parametrize(
    ("step", "code"),
    [
        ({}, "group_or_role"),
        ({"role": "ADMIN", "approval_group": "own"}, "group_or_role"),
        ({"role": "REQUESTER"}, "invalid_choice"),
        ({"role": "ADMIN", "quorum": 0}, "quorum_too_low"),
        ({"role": "ADMIN", "quorum": -1}, "quorum_too_low"),
        ({"role": "ADMIN", "quorum": 101}, "quorum_too_high"),
        ({"approval_group": "own", "quorum": 0}, "quorum_too_low"),
        ({"approval_group": "own", "quorum": 3}, "quorum_too_high"),
        ({"approval_group": "empty"}, "quorum_too_high"),
        ({"approval_group": "sister"}, "group_not_on_path"),
        ({"approval_group": "below"}, "group_not_on_path"),
        ({"approval_group": "foreign"}, "group_not_on_path"),
        ({"approval_group": "none"}, "group_not_on_path"),
    ],
)
def test_a_wrong_step_is_refused_at_its_place(
    world: World, step: dict[str, Any], code: str
) -> None:
    gone = person(world.sub)
    left = make_contact()
    person(world.sub, contact=left)
    elsewhere = [
        make_company(parent=world.head),
        make_company(parent=world.sub),
        make_company(),
    ]
    groups = {
        "own": make_approval_group(
            company=world.sub, members=[world.admin, world.boss, gone, left]
        ).pk,
        "empty": make_approval_group(company=world.head).pk,
        "none": 10**9,
    }
    for name, company in zip(("sister", "below", "foreign"), elsewhere, strict=True):
        members = [person(company)]
        groups[name] = make_approval_group(company=company, members=members).pk
    gone.is_active = False
    gone.save()
    left.assignments.all().delete()
    if "approval_group" in step:
        step = step | {"approval_group": groups[step["approval_group"]]}

    with pytest.raises(ValidationError) as refused:
        make_rule(company=world.sub, steps=[{"role": "ADMIN"}, step])

    assert refusals(refused) == [(1, code)]
    assert not ApprovalRule.objects.exists()


def test_every_wrong_step_is_named(world: World) -> None:
    rule = make_rule(company=world.sub)

    with pytest.raises(ValidationError) as refused:
        rulebook.update_rule(
            rule,
            actor=SYSTEM,
            expected_version=1,
            steps=[{"quorum": 1}, {"role": "ADMIN"}, {"role": "BUYER", "quorum": 0}],
        )

    assert refusals(refused) == [(0, "group_or_role"), (2, "quorum_too_low")]
    assert refused.value.message_dict["steps"][1] == (
        "Step 3: At least one person has to agree."
    )
    assert steps_of(rule) == [(1, None, "ADMIN", 1)]


@pytest.mark.parametrize(("number", "code"), [(0, "required"), (21, "max_length")])
def test_a_rule_has_one_to_twenty_steps(world: World, number: int, code: str) -> None:
    make_rule(company=world.sub, steps=[{"role": "ADMIN"}] * 20)

    with pytest.raises(ValidationError) as refused:
        make_rule(company=world.sub, steps=[{"role": "ADMIN"}] * number)

    (error,) = refused.value.error_dict["steps"]
    assert error.code == code
    assert ApprovalRule.objects.count() == 1


def test_a_company_has_a_limited_number_of_active_rules(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rulebook, "MOST_RULES", 2)
    make_rule(company=world.sub)
    make_rule(company=world.sub)
    make_rule(company=world.head)
    idle = make_rule(company=world.sub, is_active=False)

    with pytest.raises(ValidationError) as refused:
        make_rule(company=world.sub)
    with pytest.raises(ValidationError):
        rulebook.update_rule(idle, actor=SYSTEM, expected_version=1, is_active=True)

    assert refused.value.error_list[0].code == "too_many_rules"
    assert ApprovalRule.objects.filter(company=world.sub, is_active=True).count() == 2


def test_a_group_that_lost_people_does_not_hold_up_other_changes(world: World) -> None:
    group = make_approval_group(company=world.sub, members=[world.admin])
    steps = [{"approval_group": group}]
    rule = make_rule(company=world.sub, steps=steps)
    membership.update_approval_group(
        group, actor=SYSTEM, expected_version=1, members=[]
    )

    changed = rulebook.update_rule(
        rule, actor=SYSTEM, expected_version=1, name="Other", steps=steps
    )

    assert (changed.name, changed.version) == ("Other", 2)


def test_a_rule_stays_with_its_company(world: World) -> None:
    rule = make_rule(company=world.sub)

    with pytest.raises(ValidationError) as refused:
        rulebook.update_rule(rule, actor=SYSTEM, expected_version=1, company=world.head)

    assert refused.value.error_dict["company"][0].code == "read_only"


def test_a_group_that_a_rule_asks_is_not_deleted(world: World) -> None:
    group = make_approval_group(company=world.head, members=[world.boss])
    rule = make_rule(
        company=world.sub, name="Much money", steps=[{"approval_group": group}]
    )

    with pytest.raises(GroupInUse) as refused:
        membership.delete_approval_group(group, actor=SYSTEM, expected_version=1)

    assert str(refused.value) == (
        "The rule \u201cMuch money\u201d of Acme Deutschland asks this group."
    )
    assert refused.value.details == {"rule": rule.pk}
    assert group.memberships.count() == 1
    rulebook.delete_rule(rule, actor=SYSTEM, expected_version=1)
    membership.delete_approval_group(group, actor=SYSTEM, expected_version=1)
    assert not ApprovalGroup.objects.exists()


# What rules do to purchases


def test_a_rule_counts_from_the_next_submit_on(world: World) -> None:
    before = submit(world.sub, world.requester)
    rule = make_rule(company=world.head, covers_subsidiaries=True)

    after = submit(world.sub, world.requester)
    rulebook.delete_rule(rule, actor=SYSTEM, expected_version=1)

    def asked(request: Any) -> list[list[str]]:
        return list(request.steps.values_list("roles", flat=True))

    assert asked(before) == [["ADMIN", "BUYER"]]
    assert asked(after) == [["ADMIN"]]
    assert after.snapshot["decision"]["steps"][0]["rules"] == [rule.pk]


def test_rules_of_the_path_are_merged_into_one_plan(world: World) -> None:
    make_limit(company=world.sub, amount="50")
    board = make_approval_group(company=world.head, members=[world.boss, world.admin])
    above = make_rule(
        company=world.head,
        covers_subsidiaries=True,
        steps=[{"role": "ADMIN"}, {"approval_group": board, "quorum": 2}],
    )
    own = make_rule(company=world.sub, steps=[{"role": "BUYER"}, {"role": "ADMIN"}])
    make_rule(company=world.head)  # does not reach down

    request = submit(world.sub, world.buyer)

    plan = [
        (step["company"], step["approval_groups"], step["roles"], step["quorum"])
        for step in request.snapshot["decision"]["steps"]
    ]
    # The exceeded limit asks the group once; the rule of the head asks the same group.
    assert plan == [
        (world.head.pk, [board.pk], [], 2),
        (world.sub.pk, [], ["ADMIN", "BUYER"], 1),
        (world.sub.pk, [], ["ADMIN"], 1),
    ]
    rules = [step["rules"] for step in request.snapshot["decision"]["steps"]]
    assert rules == [[above.pk], [own.pk], [own.pk, above.pk]]


def test_two_of_a_group_have_to_agree_and_each_only_once(world: World) -> None:
    third = person(world.sub)
    group = make_approval_group(
        company=world.sub, members=[world.admin, world.buyer, third]
    )
    make_rule(
        company=world.sub,
        steps=[{"approval_group": group, "quorum": 2}, {"role": "ADMIN"}],
    )
    request = submit(world.sub, world.requester)

    states = []
    for version, who in enumerate((third, world.buyer, world.admin), 1):
        moved = services.approve_request(
            request, actor=acting(who), expected_version=version
        )
        states.append(moved.status)

    assert states == ["PENDING", "PENDING", "APPROVED"]
    steps = request.decisions.order_by("id").values_list("step__position", "contact")
    assert list(steps) == [(1, third.pk), (1, world.buyer.pk), (2, world.admin.pk)]


def test_a_rule_needs_no_approval_below_its_amount(world: World) -> None:
    make_rule(company=world.sub, amount_from=Decimal(100), currency="EUR")

    outcomes = [
        services.check_purchase(
            company=world.sub, requester=world.buyer, money=euros(amount)
        ).outcome
        for amount in ("99.99", "100.00")
    ]

    assert outcomes == ["ALLOWED", "APPROVAL_REQUIRED"]


def test_what_waits_says_which_rules_asked_also_when_they_are_gone(
    world: World,
) -> None:
    rule = make_rule(company=world.sub)
    request = submit(world.sub, world.buyer)

    rulebook.delete_rule(rule, actor=SYSTEM, expected_version=1)

    step = services.approvers_of(request)
    assert step is not None
    assert step.rules == (rule.pk,)
    assert [approver.person.id for approver in step.approvers] == [world.admin.pk]
    (kept,) = request.snapshot["decision"]["considered"]["rules"]
    assert (kept["id"], kept["name"]) == (rule.pk, rule.name)


def test_rules_reach_as_far_as_they_say(world: World) -> None:
    def outcome() -> str:
        return services.check_purchase(
            company=world.sub, requester=world.buyer, money=euros("1")
        ).outcome

    make_rule(company=make_company(parent=world.head), covers_subsidiaries=True)
    make_rule(company=make_company(parent=world.sub), covers_subsidiaries=True)
    make_rule(company=world.head)
    make_rule(company=world.sub, is_active=False)
    assert outcome() == "ALLOWED"

    make_rule(company=world.head, covers_subsidiaries=True)
    assert outcome() == "APPROVAL_REQUIRED"


def test_a_rule_that_came_along_in_a_move_asks_where_the_company_is_now(
    world: World,
) -> None:
    group = make_approval_group(company=world.head, members=[world.boss])
    make_rule(company=world.sub, steps=[{"approval_group": group}])
    other = make_company()
    chief = person(other, "ADMIN")
    ContactAssignment.objects.filter(contact=world.admin).update(role="")

    move_company(world.sub, other, actor=SYSTEM)

    request = submit(world.sub, world.buyer)
    step = services.approvers_of(request)
    assert step is not None
    assert [approver.person.id for approver in step.approvers] == [chief.pk]


def test_a_rule_without_steps_is_no_dead_end(world: World) -> None:
    ApprovalRule.objects.create(company=world.sub, name="Of the shell")

    request = submit(world.sub, world.buyer)

    step = services.approvers_of(request)
    assert step is not None
    assert world.admin.pk in {approver.person.id for approver in step.approvers}


def test_rules_cost_one_query_however_many(
    world: World, django_assert_num_queries: Callable
) -> None:
    for _ in range(5):
        make_rule(company=world.sub, steps=[{"role": "ADMIN"}, {"role": "BUYER"}])
        make_rule(company=world.head, covers_subsidiaries=True)

    with django_assert_num_queries(4):  # path, people, limits, rules
        decision = services.check_purchase(
            company=world.sub, requester=world.buyer, money=euros("100")
        )

    assert len(decision.rules) == 10
    assert [step.roles for step in decision.steps] == [("ADMIN",), ("ADMIN", "BUYER")]
