"""Approving on the way, with a thumb, and at the desk, without a mouse."""

from typing import Any

import pytest
from playwright.sync_api import expect

from approvals.models import PurchaseRequest
from tests.approvals.makers import person, submit
from tests.factories import make_company, make_user

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]
PHONE = {"width": 390, "height": 844}
THUMB = 40  # pixels


@pytest.fixture
def request_(db: None) -> PurchaseRequest:
    """One that waits for the staff, and a clerk who may see everything."""
    user = make_user(username="clerk", is_superuser=True)
    user.set_password("correct horse")
    user.save()
    head = make_company(name="Nordwind Holding", code="nordwind")
    return submit(head, person(head, "REQUESTER"), reference="PO-1")


def check_fits(page: Any) -> None:
    """Nobody has to push the page itself to the side."""
    page.wait_for_load_state()
    wide = page.evaluate("document.scrollingElement.scrollWidth - innerWidth")
    assert wide <= 0, page.url


def check_is_large(target: Any) -> None:
    box = target.bounding_box()
    assert box["height"] >= THUMB, target
    assert box["width"] >= THUMB, target


def check_is_approved(request: PurchaseRequest) -> None:
    request = PurchaseRequest.objects.get(pk=request.pk)
    assert request.status == "APPROVED"
    assert request.decisions.get().comment == "By telephone"


def test_a_request_is_approved_on_a_phone(page, log_in, live_server, request_):
    # given
    page.set_viewport_size(PHONE)

    # the first page leads to what waits
    log_in("clerk", "correct horse")
    check_fits(page)
    waits = page.locator("a.kz-card.kz-urgent").first
    check_is_large(waits)
    waits.click()

    # the list, whose table may be wider than the page, but not the page
    page.wait_for_url("**/purchaserequest/?*")
    check_fits(page)
    page.get_by_role("link", name="PO-1").click()

    # the request, and the question
    page.wait_for_url("**/change/*")
    check_fits(page)
    approve = page.get_by_role("button", name="Approve")
    check_is_large(approve)
    approve.click()
    page.get_by_label("Comment").fill("By telephone")
    check_fits(page)
    check_is_large(page.get_by_role("button", name="Approve"))
    check_is_large(page.get_by_role("link", name="Back", exact=True))
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("the decision has been recorded")).to_be_visible()
    check_fits(page)
    check_is_approved(request_)

    # the company
    company = f"/admin/companies/company/{request_.company_id}/change/"
    page.goto(live_server.url + company)
    check_fits(page)


def reach(page: Any, target: Any) -> None:
    """Press Tab until the target has the focus, and see that one sees it."""
    for _press in range(120):
        page.keyboard.press("Tab")
        if target.evaluate("(element) => element === document.activeElement"):
            break
    expect(target).to_be_focused()
    shown = """(element) => {
      const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element);
      const outlined = outlineStyle !== "none" && outlineWidth !== "0px";
      return outlined || boxShadow !== "none";
    }"""
    assert target.evaluate(shown), "the focus cannot be seen"


def press(page: Any, target: Any) -> None:
    reach(page, target)
    page.keyboard.press("Enter")


def test_a_request_is_approved_by_keyboard_alone(page, live_server, request_):
    # logging in
    page.goto(f"{live_server.url}/admin/")
    expect(page.get_by_label("Username")).to_be_focused()
    page.keyboard.type("clerk")
    reach(page, page.get_by_label("Password"))
    page.keyboard.type("correct horse")
    page.keyboard.press("Enter")
    page.wait_for_url("**/admin/")

    # past the menu, to what waits
    press(page, page.get_by_role("link", name="Skip to the content"))
    expect(page.locator("main")).to_be_focused()
    press(page, page.locator("a.kz-card.kz-urgent").first)
    page.wait_for_url("**/purchaserequest/?*")
    press(page, page.get_by_role("link", name="PO-1"))
    page.wait_for_url("**/change/*")
    press(page, page.get_by_role("button", name="Approve"))
    reach(page, page.get_by_label("Comment"))
    page.keyboard.type("By telephone")
    press(page, page.get_by_role("button", name="Approve"))
    expect(page.get_by_text("the decision has been recorded")).to_be_visible()
    check_is_approved(request_)

    # the menu opens and closes, and the search is one key away
    page.wait_for_load_state()
    menu = page.get_by_role("button", name="Menu")
    expect(page.get_by_role("navigation", name="Pages")).to_be_visible()
    press(page, menu)
    expect(page.get_by_role("navigation", name="Pages")).to_be_hidden()
    page.keyboard.press("/")
    expect(page.get_by_role("combobox", name="Search over everything")).to_be_focused()
