"""The picture of a hierarchy, in a real browser."""

from xml.etree import ElementTree

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from companies.models import Company
from tests.factories import make_assignment, make_company, make_link, make_user

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def open_chart(page, log_in, live_server):
    """Draws the hierarchy of a company for somebody who may see everything."""
    user = make_user(username="clerk", is_superuser=True)
    user.set_password("correct horse")
    user.save()
    log_in("clerk", "correct horse")

    def open_chart(company: Company, query: str = ""):
        url = reverse("admin:companies_company_chart", args=[company.pk])
        page.goto(live_server.url + url + query)
        expect(page.locator("#chart[data-ready]")).to_be_visible()
        return page.locator("#chart")

    return open_chart


def item(chart, company: Company):
    return chart.locator(f"#company-{company.pk}")


@pytest.fixture
def group(db):
    head = make_company(name="Nordwind Holding", code="nordwind")
    europe = make_company(name="Nordwind Europe", parent=head, status="ON_HOLD")
    berlin = make_company(name="Nordwind Berlin", parent=europe)
    for number in range(70):
        make_company(name=f"Nordwind {number:02}", parent=europe)
    return head, europe, berlin


def test_it_folds_and_leads_to_companies_by_mouse_and_by_keyboard(
    page, open_chart, group
):
    head, europe, berlin = group
    chart = open_chart(head)
    expect(item(chart, europe)).to_have_attribute("aria-expanded", "false")
    expect(item(chart, berlin)).to_have_count(0)  # 73 are too many at first
    expect(item(chart, europe).locator(".kz-fold text")).to_have_text("71")

    middle = Company.objects.get(name="Nordwind 35")
    item(chart, europe).locator(".kz-fold").click()
    label = f"Nordwind 35, {middle.code}, Active, effective: On hold"
    expect(item(chart, middle)).to_have_attribute("aria-label", label)
    item(chart, europe).locator(".kz-fold").click()
    expect(item(chart, middle)).to_have_count(0)

    chart.focus()
    for key in ("Home", "ArrowRight", "ArrowRight", "End"):
        chart.press(key)
    expect(chart).to_have_attribute("aria-activedescendant", f"company-{berlin.pk}")
    chart.press("ArrowLeft")
    expect(chart).to_have_attribute("aria-activedescendant", f"company-{europe.pk}")
    chart.press("Enter")
    page.wait_for_url(f"**/admin/companies/company/{europe.pk}/change/")
    page.get_by_role("link", name="Draw the hierarchy").click()
    page.wait_for_url(f"**/admin/companies/company/{europe.pk}/chart/")


def test_companies_are_found_wherever_they_are(page, open_chart, group):
    head, _europe, berlin = group
    chart = open_chart(head)
    page.get_by_label("Find").fill("BERLÍN")
    expect(page.locator("#chart-found")).to_have_text("1 found")
    expect(item(chart, berlin)).to_have_class("kz-node kz-current kz-hit")
    item(chart, berlin).locator("a").click()
    page.wait_for_url(f"**/admin/companies/company/{berlin.pk}/change/")
    open_chart(head)
    page.get_by_label("Find").fill("Südwind")
    expect(page.locator("#chart-found")).to_have_text("Nothing found.")


def test_numbers_and_links_are_drawn_when_asked_for(page, open_chart, group):
    head, europe, _berlin = group
    owner = make_company(name="Owner elsewhere")
    make_link(company=owner, other=europe, kind="OWNS", percent=25)
    chart = open_chart(head)
    expect(chart.locator(".kz-line")).to_have_count(0)
    page.get_by_label("Links").check()
    expect(chart.locator(".kz-line")).to_have_count(1)
    expect(chart.locator(".kz-line-text")).to_have_text("owns 25 %")
    expect(item(chart, owner)).to_be_visible()
    make_assignment(company=europe)
    make_assignment(company=head)
    page.get_by_label("Numbers").select_option("People")
    expect(item(chart, head).locator(".kz-count-text")).to_have_text("1")
    expect(item(chart, europe).locator(".kz-count-text")).to_have_text("1")
    chart.focus()
    chart.press("Home")
    chart.press("ArrowLeft")  # folded, it counts for those that it hides
    expect(item(chart, head).locator(".kz-count-text")).to_have_text("2")


def test_it_is_saved_and_printed_whole(page, open_chart, group):
    head, europe, _berlin = group
    europe.name = 'Nordwind <Europe> & "Söhne"'
    europe.save()
    open_chart(head)
    page.get_by_role("button", name="Unfold all").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as SVG").click()
    picture = ElementTree.parse(download.value.path()).getroot()  # noqa: S314
    labels = [node.get("aria-label") for node in picture.iter(f"{SVG}g")]
    assert sum(1 for label in labels if label) == 73
    assert any(label and europe.name in label for label in labels)
    sheet = picture.find(f"{SVG}style").text
    assert "var(" not in sheet
    assert ".kz-box" in sheet
    printed = page.pdf(landscape=True)
    assert printed.startswith(b"%PDF")
    assert printed.count(b"/Type /Page\n") == 1


def test_thousands_of_companies_are_drawn_by_a_few_elements(page, open_chart):
    # given: what is drawn does not grow with the hierarchy, from far and from near
    head = make_company()
    for number in range(300):
        make_company(parent=head, name=f"Subsidiary {number}")
    chart = open_chart(head)
    page.get_by_role("button", name="Unfold all").click()
    expect(chart.locator("*")).not_to_have_count(0)
    page.wait_for_function("document.querySelectorAll('#chart *').length < 40")
    for _step in range(30):
        page.get_by_role("button", name="Zoom in").click()
    page.wait_for_function(
        "document.querySelectorAll('#chart [role=treeitem]').length < 60"
    )


def test_another_day_is_drawn_as_it_was(page, open_chart, group):
    head, _europe, _berlin = group
    chart = open_chart(head)
    today = page.evaluate("new Date().toISOString().slice(0, 10)")
    page.get_by_label("Structure on").fill(today)
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_role("heading", name=f"at the end of {today}")).to_be_visible()
    expect(item(chart, head)).to_be_visible()
    expect(page.get_by_label("Numbers")).to_have_count(0)
    page.get_by_role("link", name="Today").click()
    expect(page.get_by_label("Numbers")).to_be_visible()
