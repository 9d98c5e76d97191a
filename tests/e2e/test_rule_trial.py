"""A rule is tried on a purchase before it is saved, in a real browser."""

import pytest
from playwright.sync_api import expect

from approvals.models import ApprovalRule
from tests.approvals.makers import make_approval_group, make_world, submit
from tests.factories import make_user

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def clerk() -> None:
    user = make_user(username="clerk", is_superuser=True)
    user.set_password("correct horse")
    user.save()


def choose(page, label: str, term: str, text: str) -> None:
    """Reach the search of a field by its label, type, and take the hit with Enter."""
    named = page.get_by_text(label, exact=True)
    page.locator(".kz-field").filter(has=named).locator(".select2-selection").focus()
    page.keyboard.press("Enter")
    page.locator(".select2-search__field").last.fill(term)
    hits = page.locator(".select2-results__option")
    expect(hits).to_have_count(1)  # those of no term are gone
    expect(hits).to_contain_text(text)
    page.keyboard.press("Enter")


def test_a_rule_is_tried_and_then_saved(page, log_in, live_server, clerk):
    # given
    world = make_world()
    make_approval_group(company=world.head, name="Finance", members=[world.boss])
    waiting = submit(world.sub, world.requester, "7500.00", reference="PO-7")
    log_in("clerk", "correct horse")
    page.goto(
        f"{live_server.url}/admin/approvals/approvalrule/add/?company={world.head.pk}"
    )

    # a rule with one step
    page.get_by_label("Name").fill("Large purchases")
    page.get_by_label("Covers subsidiaries").check()
    page.get_by_label("Amount from").fill("5000")
    page.locator("[name=currency]").select_option("EUR")
    page.locator("#tabs-items").get_by_role("link", name="Steps").click()
    page.get_by_role("link", name="Add another Step").click()
    page.locator("[name=steps-0-position]").fill("1")
    page.locator("[name=steps-0-role]").select_option("ADMIN")

    # tried, with nothing but the keyboard
    trial = page.get_by_role("group", name="Sample purchase")
    choose(page, "Person", world.buyer.email, world.buyer.name)
    choose(page, "Company", "Deutschland", world.sub.name)
    trial.get_by_label("Amount").fill("6000")
    trial.get_by_label("Amount").press("Enter")

    # then
    result = page.locator("#trial-result")
    expect(result).to_be_focused()
    expect(result).to_be_in_viewport()
    expect(result.locator(".kz-sentence")).to_have_text(
        "In Acme SE and everything below, every purchase from 5,000.00 EUR needs one "
        "admin of the company that buys."
    )
    expect(result.get_by_label("By the rules of today")).to_contain_text("Allowed")
    then = result.get_by_label("With this rule")
    expect(then).to_contain_text("Needs approval")
    expect(then).to_contain_text(world.admin.name)
    expect(page.get_by_role("row", name=waiting.reference)).to_contain_text(
        "Not asked by this rule, which would match now."
    )
    assert not ApprovalRule.objects.exists()

    # what was typed is still there, and is saved
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was added successfully")).to_be_visible()
    rule = ApprovalRule.objects.get()
    assert (rule.name, rule.steps.get().role) == ("Large purchases", "ADMIN")
