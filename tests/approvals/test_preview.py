import pytest

from approvals.models import ApprovalRule, ApprovalRuleStep
from companies.models import Company
from companies.services import move_company, preview_move, preview_status
from config.actors import SYSTEM
from tests.approvals.makers import (
    make_approval_group,
    make_limit,
    make_world,
    person,
    submit,
)
from tests.factories import make_company

pytestmark = pytest.mark.django_db

OURS = ("Limits", "Approval", "Open")


def about_purchases(sentences: list[str]) -> list[str]:
    return [sentence for sentence in sentences if sentence.startswith(OURS)]


def make_rule(company: Company, name: str) -> ApprovalRule:
    rule = ApprovalRule.objects.create(
        company=company, name=name, covers_subsidiaries=True
    )
    ApprovalRuleStep.objects.create(rule=rule, position=1, role="ADMIN")
    return rule


def test_a_move_says_which_limits_rules_groups_and_deciders_it_changes() -> None:
    world = make_world()
    other = make_company(name="Other SE")
    make_limit(company=world.head, amount="1000", period="MONTH")
    make_limit(company=world.head, amount="5", scope="COMPANY")
    make_limit(company=world.sub, amount="50")
    make_limit(company=other, unlimited=True, currency="USD")
    make_rule(world.head, "Board")
    make_approval_group(company=world.head, name="Board", members=[world.boss])
    make_approval_group(company=other, name="Council", members=[person(other)])
    request = submit(world.sub, world.requester)

    sentences = preview_move(world.sub, other).sentences()

    assert about_purchases(sentences) == [
        "Limits, no longer: 1,000.00 EUR, Month (Acme SE)",
        "Limits, new: unlimited USD, Each purchase (Other SE)",
        "Approval rules, no longer: Board (Acme SE)",
        "Approval groups, no longer: Board (Acme SE)",
        "Approval groups, new: Council (Other SE)",
        f"Open requests, no longer: {request}: {world.boss.name}",
        f"Open requests, new: {request}: {world.admin.name}",
    ]
    moved = move_company(
        world.sub,
        other,
        actor=SYSTEM,
        previewed=preview_move(world.sub, other).token,
    )
    assert moved.parent_id == other.pk


def test_a_move_to_the_top_leaves_the_limits_and_groups_above() -> None:
    world = make_world()
    make_limit(company=world.head, amount="1000")
    make_approval_group(company=world.head, name="Board")

    sentences = preview_move(world.sub, None).sentences()

    assert about_purchases(sentences) == [
        "Limits, no longer: 1,000.00 EUR, Each purchase (Acme SE)",
        "Approval groups, no longer: Board (Acme SE)",
        "Approval groups, new: none: buyers and admins approve",
    ]


def test_a_move_that_touches_nothing_says_nothing_of_purchases() -> None:
    world = make_world()
    middle = make_company(parent=world.head)
    make_limit(company=world.head)
    make_limit(company=world.sub)
    make_approval_group(company=world.sub)

    assert not about_purchases(preview_move(world.sub, middle).sentences())


def test_a_hold_says_that_nobody_decides_meanwhile() -> None:
    world = make_world()
    request = submit(world.sub, world.requester)

    sentences = preview_status(world.head, Company.Status.ON_HOLD).sentences()

    names = f"{world.admin.name}, {world.buyer.name}"
    nobody = "nobody while a company on the path is not active"
    assert about_purchases(sentences) == [
        f"Open requests, no longer: {request}: {names}",
        f"Open requests, new: {request}: {nobody}",
    ]
