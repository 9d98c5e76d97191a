"""Make the pictures of README and docs/user-guide.md, from the console of the demo.

    uv run manage.py demo --reset
    uv run python docs/make_screenshots.py http://127.0.0.1:8000 USER PASSWORD

Needs Chromium (CHROMIUM names another one). Opens the largest hierarchy that it finds.
"""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

IMAGES = Path(__file__).parent / "images"
SUBSIDIARY, BUYER = "NIC-3793536", "ben.invented@example.com"  # of the demo
APPROVER = "Grace"  # is in an approval group
# What Select2 offers; "Searching…" is an option, too.
FOUND_ONE = """() => {
    const offered = [...document.querySelectorAll('.select2-results__option')];
    return offered.length === 1 && !offered[0].matches('.loading-results');
}"""
TABS = (
    "general",
    "assignments",
    "customer_groups",
    "limits",
    "approvals",
    "history",
)


def main(base: str, user: str, password: str) -> None:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1400, "height": 720})
        page.goto(f"{base}/admin/")
        page.get_by_label("Username").fill(user)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url("**/admin/")
        take_all(page, base)
        browser.close()


def take_all(page: Any, base: str) -> None:
    page.goto(f"{base}/admin/")
    shoot(page, "home")

    companies = f"{base}/admin/companies/company/"
    page.goto(companies)
    name = open_largest(page)
    open_largest(page)
    page.locator(".kz-expander[aria-expanded=true]").first.scroll_into_view_if_needed()
    shoot(page, "tree")

    child = page.locator("tbody[data-depth='1']:has(.kz-expander) .kz-link").first
    child = child.get_attribute("href")
    page.goto(f"{companies}?q={name.split()[0]}&place=subsidiary")
    shoot(page, "search")

    page.goto(f"{base}/admin/")
    page.keyboard.press("Control+k")
    page.keyboard.type(name.split()[0].lower())
    page.locator(".kz-hit").first.wait_for()
    page.keyboard.press("ArrowDown")
    shoot(page, "search-box")

    for tab in TABS:
        page.goto("about:blank")
        page.goto(f"{base}{child}#{tab}")
        shoot(page, f"company-{tab.replace('_', '-')}")

    place_on_map(page, f"{base}{child}")

    page.goto(f"{base}/admin/companies/contact/?q={APPROVER}")
    person = page.locator("#result_list tbody a").first.get_attribute("href")
    page.goto(f"{base}{person.partition('?')[0]}#approvals")
    shoot(page, "person-approvals")

    page.goto(f"{base}{child}")
    page.get_by_role("link", name="Draw the hierarchy").click()
    page.locator("#chart[data-ready]").wait_for()
    page.get_by_label("Numbers").select_option("People")
    page.locator(".kz-count").first.wait_for()
    shoot(page, "chart")

    page.goto(f"{base}{child}")
    page.get_by_role("button", name="Move").click()
    page.get_by_role("button", name="Preview").click()
    page.get_by_text("What would change").wait_for()
    shoot(page, "move")

    try_a_rule(page, base)
    ask_may_they_buy(page, base)

    page.goto(f"{base}/admin/approvals/purchaserequest/")
    shoot(page, "requests")
    page.goto(f"{base}/admin/approvals/purchaserequest/?status__exact=PENDING")
    request = page.locator("#result_list tbody a").last
    if request.count():
        url = request.get_attribute("href").split("?")[0]
        for tab in ("general", "why", "steps"):
            page.goto("about:blank")
            page.goto(f"{base}{url}#{tab}")
            shoot(page, f"request-{tab}")


def place_on_map(page: Any, company: str) -> None:
    """Type where its location is, as the demo's data do not know; New York, say."""
    page.goto("about:blank")
    page.goto(f"{company}#locations")
    page.locator("#locations-data .cursor-pointer").first.click()
    page.locator("#id_locations-0-latitude").fill("40.7128")
    page.locator("#id_locations-0-longitude").fill("-74.0060")
    page.get_by_role("button", name="Save and continue editing").click()
    page.wait_for_load_state()
    page.goto("about:blank")
    page.goto(f"{company}#locations")
    page.locator(".kz-map").wait_for()
    shoot(page, "company-locations")


def try_a_rule(page: Any, base: str) -> None:
    """The rule of the demo from a smaller amount, tried on a purchase of its buyer."""
    page.goto(f"{base}/admin/approvals/approvalrule/")
    page.locator("#result_list tbody a").first.click()
    page.get_by_label("Amount from").fill("5000")
    sample = page.get_by_role("group", name="Sample purchase")
    name_buyer(page, sample)
    sample.get_by_label("Amount").fill("7500")
    page.get_by_role("button", name="Try", exact=True).click()
    page.locator("#trial-result").wait_for()
    shoot(page, "rule-trial")


def ask_may_they_buy(page: Any, base: str) -> None:
    page.goto(f"{base}/admin/approvals/purchaserequest/may-they-buy/")
    name_buyer(page, page.locator(".kz-ask"))
    page.get_by_label("Amount").fill("7500")
    page.get_by_label("Currency").select_option("USD", force=True)
    page.get_by_role("button", name="Ask", exact=True).click()
    page.locator("section .kz-state").wait_for()
    shoot(page, "may-they-buy")


def name_buyer(page: Any, form: Any) -> None:
    """Choose the demo's buyer and their company, as one types."""
    for number, term in enumerate((SUBSIDIARY, BUYER)):
        form.locator(".select2-selection").nth(number).click()
        page.locator(".select2-search__field").last.fill(term)
        page.wait_for_function(FOUND_ONE)
        page.keyboard.press("Enter")


def open_largest(page: Any) -> str:
    """Open the closed branch that has most below it; its name."""
    closed = page.locator("tbody tr:has(.kz-expander[aria-expanded=false])").all()
    largest = max(closed, key=lambda row: int(row.locator("td").last.inner_text()))
    name = largest.locator(".kz-link").inner_text()
    button = page.get_by_role("button", name=f"Subsidiaries of {name}", exact=True)
    button.press("ArrowRight")
    page.wait_for_function("!document.querySelector('.kz-expander[aria-busy=true]')")
    return name


def shoot(page: Any, name: str) -> None:
    page.wait_for_timeout(500)  # fonts and the opening of a tab
    page.screenshot(path=IMAGES / f"{name}.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
