"""The way of a clerk through the console, in a real browser."""

import pytest
from playwright.sync_api import expect

from approvals.models import PurchaseRequest
from companies.models import Company
from tests.approvals.makers import person, submit
from tests.factories import make_company, make_user

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def clerk() -> None:
    user = make_user(username="clerk", is_superuser=True)
    user.set_password("correct horse")
    user.save()


def choose(page, term: str, text: str) -> None:
    """Open the search of a form, type, take the hit."""
    page.locator(".select2-selection").first.click()
    page.locator(".select2-search__field").last.fill(term)
    page.get_by_role("option", name=text).click()


def test_the_main_path(page, log_in, live_server, clerk):
    # given
    head = make_company(name="Nordwind Holding", code="nordwind")
    europe = make_company(name="Nordwind Europe", code="europe", parent=head)
    make_company(name="Nordwind Americas", code="americas", parent=head)
    make_company(name="Nordwind Berlin", code="berlin", parent=europe)
    request = submit(head, person(head, "REQUESTER"), reference="PO-1")

    # the tree: branches come when they are opened, and stay open
    log_in("clerk", "correct horse")
    page.locator("a[href='/admin/companies/company/']").first.click()
    expect(page.get_by_role("link", name="Nordwind Europe")).to_have_count(0)
    opener = page.get_by_role("button", name="Subsidiaries of Nordwind Holding")
    expect(opener).to_have_attribute("aria-expanded", "false")
    opener.press("ArrowRight")
    expect(opener).to_have_attribute("aria-expanded", "true")
    page.get_by_role("button", name="Subsidiaries of Nordwind Europe").click()
    expect(page.get_by_role("link", name="Nordwind Berlin")).to_be_visible()
    page.reload()
    expect(page.get_by_role("link", name="Nordwind Berlin")).to_be_visible()
    opener.press("ArrowLeft")
    expect(page.get_by_role("link", name="Nordwind Berlin")).to_have_count(0)

    # the page of a company and its tabs
    page.goto(f"{live_server.url}/admin/companies/company/?q=berlin")
    expect(page.locator(".kz-path")).to_contain_text("Nordwind Europe")
    page.get_by_role("link", name="Nordwind Berlin").click()
    for tab, shown in [
        ("Groups", "Buyers"),
        ("Limits", "No limit binds this company"),
        ("Subsidiaries", "No subsidiaries."),
        ("History", "created"),
    ]:
        page.locator("#tabs-items").get_by_role("link", name=tab).click()
        expect(page.get_by_text(shown).first).to_be_visible()

    # a limit: refused, then made
    page.locator("#tabs-items").get_by_role("link", name="Limits").click()
    page.get_by_role("link", name="Add limit").click()
    page.get_by_label("Currency").select_option("EUR")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Give an amount, or unlimited")).to_be_visible()
    page.get_by_label("Amount", exact=True).fill("500")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was added successfully")).to_be_visible()
    berlin = Company.objects.get(code="berlin")
    page.goto(f"{live_server.url}/admin/companies/company/{berlin.pk}/change/#limits")
    expect(page.get_by_role("link", name="500.00 EUR")).to_be_visible()

    # a new subsidiary
    page.locator("#tabs-items").get_by_role("link", name="Subsidiaries").click()
    page.get_by_role("link", name="Add subsidiary").click()
    page.get_by_label("Name", exact=False).first.fill("Berlin Depot <b>1</b>")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was added successfully")).to_be_visible()
    depot = Company.objects.get(name="Berlin Depot <b>1</b>")
    assert depot.parent.code == "berlin"

    # move it, after a look at what would change
    page.goto(f"{live_server.url}/admin/companies/company/{depot.pk}/change/")
    page.get_by_role("button", name="Move").click()
    choose(page, "americas", "Nordwind Americas · americas")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("come under Nordwind Americas.")).to_be_visible()
    depot.refresh_from_db()
    assert depot.parent.code == "berlin"
    page.get_by_role("button", name="Move", exact=True).click()
    expect(page.get_by_text("The company has been moved.")).to_be_visible()
    depot.refresh_from_db()
    assert depot.parent.code == "americas"

    # approve what nobody at the company can
    page.goto(f"{live_server.url}/admin/approvals/purchaserequest/")
    page.get_by_role("link", name="PO-1").click()
    page.get_by_role("button", name="Approve").click()
    page.get_by_label("Comment").fill("By telephone")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("the decision has been recorded")).to_be_visible()
    request = PurchaseRequest.objects.get(pk=request.pk)
    assert request.status == "APPROVED"
    assert request.decisions.get().comment == "By telephone"


def test_a_long_branch_comes_in_parts(page, log_in, live_server, clerk):
    # given
    head = make_company(name="Head", code="head")
    for number in range(105):
        make_company(name=f"Branch {number:03}", parent=head)

    # when
    log_in("clerk", "correct horse")
    page.goto(f"{live_server.url}/admin/companies/company/")
    page.get_by_role("button", name="Subsidiaries of Head").click()
    expect(page.get_by_role("link", name="Branch 099")).to_be_visible()
    expect(page.get_by_role("link", name="Branch 100")).to_have_count(0)
    page.get_by_role("button", name="Show more (5 left)").click()

    # then
    expect(page.get_by_role("link", name="Branch 104")).to_be_visible()
    expect(page.get_by_role("link", name="Branch")).to_have_count(105)
