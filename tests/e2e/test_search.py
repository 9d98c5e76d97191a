"""The search over everything, with nothing but the keyboard."""

import pytest
from playwright.sync_api import expect

from tests.factories import make_company, make_user

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def clerk() -> None:
    user = make_user(username="clerk", is_superuser=True)
    user.set_password("correct horse")
    user.save()


def test_the_keyboard_finds_and_opens_a_company(page, log_in, live_server, clerk):
    # given
    for number in range(6):
        make_company(name=f"Nordwind <b>{number}</b>", code=f"nordwind-{number}")
    log_in("clerk", "correct horse")
    box = page.get_by_role("combobox", name="Search over everything")

    # "/" reaches it, hits come while somebody types
    page.keyboard.press("/")
    expect(box).to_be_focused()
    page.keyboard.type("nordwind/")  # a slash in the box is a letter
    expect(page.get_by_text("Nothing found.").first).to_be_attached()
    page.keyboard.press("Backspace")
    hits = page.locator("#kz-search-hits").get_by_role("option")
    expect(hits.first).to_contain_text("Nordwind <b>0</b>")
    expect(box).to_have_attribute("aria-expanded", "true")

    # arrows go around, and Enter opens what is chosen
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(hits.nth(1)).to_have_attribute("aria-selected", "true")
    chosen = hits.nth(1).get_attribute("id")
    expect(box).to_have_attribute("aria-activedescendant", chosen)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(page.locator("[aria-selected=true]")).to_have_count(0)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/companies/company/*/change/")

    # Ctrl+K, too; Escape closes the hits; Enter alone leads to the page of hits
    page.keyboard.press("Control+k")
    expect(box).to_be_focused()
    page.keyboard.type("nordwind")
    expect(hits.first).to_be_visible()
    page.keyboard.press("Escape")
    expect(hits.first).to_be_hidden()
    page.keyboard.press("Enter")
    page.wait_for_url("**/admin/search/?q=nordwind")
    expect(page.get_by_role("link", name="Nordwind <b>5</b>").first).to_be_visible()

    # on a list "/" stays with the search of the list
    page.goto(f"{live_server.url}/admin/companies/company/")
    page.keyboard.press("/")
    expect(page.locator("#searchbar")).to_be_focused()


def test_a_phone_has_a_link_in_the_place_of_the_box(page, log_in, clerk):
    # given
    log_in("clerk", "correct horse")
    page.set_viewport_size({"width": 390, "height": 800})
    # when
    page.get_by_role("link", name="Search over everything").click()
    # then
    page.wait_for_url("**/admin/search/")
    expect(page.get_by_role("combobox")).to_be_focused()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
