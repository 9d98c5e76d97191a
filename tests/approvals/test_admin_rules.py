"""Staff pages of approval rules, stand-ins and the policy of a company."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from approvals.models import ApprovalPolicy, ApprovalRule, StandIn
from companies.models import Company
from tests.approvals.makers import make_approval_group, make_world
from tests.staff import fields_of, page_of, save, staff, superuser

pytestmark = pytest.mark.django_db

ADD = "/admin/approvals/approvalrule/add/"


def rule_of(company: Company, *steps: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """What the page of a rule sends."""
    sent: dict[str, Any] = {
        "company": company.pk,
        "name": "Large orders",
        "amount_from": "5000",
        "currency": "EUR",
        "is_active": "on",
        "covers_subsidiaries": "on",
        "steps-TOTAL_FORMS": len(steps),
        "steps-INITIAL_FORMS": 0,
    }
    for number, step in enumerate(steps):
        for name, value in step.items():
            sent[f"steps-{number}-{name}"] = value
    return sent | fields


def steps_of(rule: ApprovalRule) -> list[tuple[Any, ...]]:
    rows = rule.steps.order_by("position")
    return list(rows.values_list("position", "approval_group", "role", "quorum"))


def test_a_rule_is_made_with_its_steps_in_the_order_of_their_positions() -> None:
    world = make_world()
    board = make_approval_group(company=world.head, members=[world.boss, world.admin])
    last = {"position": 2, "approval_group": board.pk, "quorum": 2}
    first = {"position": 1, "role": "ADMIN", "quorum": 1}

    answer = superuser().post(ADD, rule_of(world.head, last, first))

    assert answer.status_code == 302, answer.content.decode()
    rule = ApprovalRule.objects.get()
    assert steps_of(rule) == [(1, None, "ADMIN", 1), (2, board.pk, "", 2)]
    assert rule.history.get().history_user_id.startswith("staff:")
    page = superuser().get("/admin/approvals/approvalrule/").content.decode()
    assert (
        "In Acme SE and everything below, every purchase from 5,000.00 EUR needs one "
        f"admin of the company that buys, then two of {board}."
    ) in page


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (None, "at least one step"),
        ({"position": 1, "role": "ADMIN", "quorum": 0}, "At least one person"),
        ({"position": 1, "quorum": 1}, "one of the two"),
    ],
)
def test_a_wrong_rule_is_refused_on_its_page(step: Any, words: str) -> None:
    world = make_world()

    answer = superuser().post(ADD, rule_of(world.head, *([step] if step else [])))

    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert not ApprovalRule.objects.exists()


def test_a_rule_is_changed_with_its_steps_as_one_version() -> None:
    world = make_world()
    client = superuser()
    client.post(ADD, rule_of(world.head, {"position": 1, "role": "ADMIN", "quorum": 1}))
    rule = ApprovalRule.objects.get()

    answer = save(client, page_of(rule), name="Huge orders", **{"steps-0-quorum": 2})

    assert answer.status_code == 302, answer.content.decode()
    rule.refresh_from_db()
    assert (rule.name, rule.version) == ("Huge orders", 2)
    assert steps_of(rule) == [(1, None, "ADMIN", 2)]


def test_a_stale_page_of_a_rule_overwrites_nothing() -> None:
    world = make_world()
    client = superuser()
    client.post(ADD, rule_of(world.head, {"position": 1, "role": "ADMIN", "quorum": 1}))
    rule = ApprovalRule.objects.get()
    seen = fields_of(client.get(page_of(rule)))
    save(client, page_of(rule), name="First")

    answer = client.post(page_of(rule), seen | {"name": "Second", "_save": "Save"})

    assert "stale_version" in answer.content.decode()
    assert ApprovalRule.objects.get().name == "First"


def test_a_rule_is_deleted_with_its_steps() -> None:
    world = make_world()
    client = superuser()
    client.post(ADD, rule_of(world.head, {"position": 1, "role": "ADMIN", "quorum": 1}))
    rule = ApprovalRule.objects.get()

    answer = client.post(page_of(rule, "delete"), {"post": "yes"})

    assert answer.status_code == 302
    assert not ApprovalRule.objects.exists()


def test_a_stand_in_is_named_changed_and_ended() -> None:
    world = make_world()
    client = superuser()
    until = timezone.localdate() + timedelta(days=7)
    sent = {
        "company": world.head.pk,
        "contact": world.boss.pk,
        "stand_in": world.admin.pk,
        "valid_from": timezone.localdate().isoformat(),
        "valid_until": until.isoformat(),
        "amount": "500",
        "currency": "EUR",
    }

    made = client.post("/admin/approvals/standin/add/", sent)
    assert made.status_code == 302, made.content.decode()
    named = StandIn.objects.get()
    save(client, page_of(named), amount="700")
    named.refresh_from_db()
    assert (named.amount, named.version) == (700, 2)

    client.post(page_of(named, "delete"), {"post": "yes"})
    assert not StandIn.objects.exists()


def test_nobody_stands_in_for_themselves() -> None:
    world = make_world()
    today = timezone.localdate().isoformat()
    sent = {
        "company": world.head.pk,
        "contact": world.boss.pk,
        "stand_in": world.boss.pk,
        "valid_from": today,
        "valid_until": today,
    }

    answer = superuser().post("/admin/approvals/standin/add/", sent)

    assert "Nobody stands in for themselves." in answer.content.decode()
    assert not StandIn.objects.exists()


def test_staff_with_the_right_allow_self_approval_on_the_page_of_a_company() -> None:
    world = make_world()
    sent = {
        "approval_policy-TOTAL_FORMS": 1,
        "approval_policy-INITIAL_FORMS": 0,
        "approval_policy-0-allow_self_approval": "on",
    }

    viewer = staff("view_company", "change_company")
    save(viewer, page_of(world.sub), **sent)
    assert not ApprovalPolicy.objects.exists()

    save(superuser(), page_of(world.sub), **sent)
    policy = ApprovalPolicy.objects.get()
    assert (policy.company, policy.allow_self_approval) == (world.sub, True)
