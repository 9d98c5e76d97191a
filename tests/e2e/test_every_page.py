"""Every page of the console: nothing that its policy forbids, no error of a script, and
nothing that axe (https://github.com/dequelabs/axe-core) finds, on light and on dark.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.test import Client
from django.urls import path, reverse
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice

from config.urls import urlpatterns as ours
from tests import figures
from tests.matrix.admin import APART, Console, make_console
from tests.matrix.test_admin import addresses, buttons, path_of

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls(__name__),
    pytest.mark.skipif(
        connection.vendor == "postgresql", reason="the same pages as on SQLite"
    ),
]

# What we cannot mend: the rule, where it fails, and why.
NOT_OURS = {
    (
        "list",
        ".select2-selection--multiple .select2-selection__rendered",
    ): "Select2 keeps the button that clears all among the chosen ones",
}
# Addresses that answer with a file, with a part of a page, or not at all.
NO_PAGES = {
    "companies_company_chart_companies",
    "companies_company_chart_numbers",
    "companies_company_duplicates_hint",
    "companies_company_export_hierarchy",
    "companies_company_subsidiaries",
    "jsi18n",
    "logout",
    "password_change_done",
}


def crash(request: HttpRequest) -> HttpResponse:
    raise ZeroDivisionError


def busy(request: HttpRequest) -> HttpResponse:
    return render(None, "503.html", status=503)


urlpatterns = [path("crash/", crash), path("busy/", busy), *ours]

# Alpine does not hear of a theme that the system changes while a page is open.
SHOW = """async (theme) => {
  const root = document.documentElement;
  if (root.hasAttribute("x-data")) Alpine.$data(root).adminTheme = theme;
  const tabs = document.querySelectorAll("[x-show^=activeTab]");
  for (const tab of tabs) tab.style.display = "";
  for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
  for (const one of document.getAnimations()) one.cancel();
}"""
# Shapes and names are the same on dark: there axe looks at colours only. Nothing of it
# needs the style sheets, which `preload` would load once more.
LOOK = """async ([only, exceptions]) => {
  const { violations } = await axe.run(document, {
    resultTypes: ["violations"], preload: false, iframes: false, ...only,
  });
  return violations.flatMap(({ id, nodes }) => nodes
    .map((node) => ({ id, target: node.target.join(" "), why: node.failureSummary }))
    .filter(({ target }) => !exceptions.some(([rule, where]) =>
      rule === id && document.querySelector(target).matches(where))));
}"""
ONLY = {"light": {}, "dark": {"runOnly": ["color-contrast"]}}


class Walk:
    """Looks at one page after the other, in both themes."""

    def __init__(self, page: Any) -> None:
        self.page, self.pages, self.found = page, 0, []
        self.forbidden: list[str] = []  # by the policy: see TELL in conftest.py
        page.on("console", lambda said: self.hear(said.text))
        page.context.add_init_script(AXE_SCRIPT)

    def hear(self, text: str) -> None:
        if text.startswith("violation:"):
            self.forbidden.append(f"{self.page.url}: {text}")

    def look(self) -> None:
        """At the page that is open, all its tabs at once."""
        self.pages += 1
        self.page.wait_for_load_state()
        for theme, only in ONLY.items():
            self.page.emulate_media(color_scheme=theme)
            self.page.evaluate(SHOW, theme)
            for one in self.page.evaluate(LOOK, [only, list(NOT_OURS)]):
                where = f"{self.page.url} ({theme})"
                self.found.append(f"{where} {one['id']}: {one['target']} {one['why']}")

    def open(self, url: str) -> None:
        self.page.goto(url)
        self.look()

    def tell(self, what: str) -> None:
        figures.show(
            f"axe, {what}: {self.pages} pages in 2 themes, {len(self.found)} "
            f"violations; content security policy: {len(self.forbidden)} violations"
        )
        assert self.found == []
        assert self.forbidden == []


@pytest.fixture
def walk(page: Any) -> Walk:
    return Walk(page)


@pytest.fixture
def console(db: None) -> Console:
    return make_console("other")


def pages_of(console: Console, user: User) -> Iterator[str]:
    """The path of each page that there is."""
    browser = Client()
    browser.force_login(user)
    for name in sorted(set(addresses()) - APART - NO_PAGES):
        if not name.endswith("_export"):
            where = path_of(name, console.own)
            status = browser.get(where).status_code
            # What nobody may add, change or delete; and a page that leads to another.
            assert status in {200, 302, 403}, name
            if status == 200:
                yield where


@pytest.mark.long
@pytest.mark.parametrize("part", [0, 1], ids=["one half", "the other"])
def test_each_page(walk, live_server, as_superuser, console, part):
    # given
    paths = list(pages_of(console, as_superuser))

    # when: what the policy forbids fails the test (see the fixture of the page)
    for where in paths[part::2]:
        walk.open(live_server.url + where)

    # then
    assert walk.pages > 45
    walk.tell("addresses")


def test_pages_that_were_asked_for_something(walk, live_server, as_superuser, console):
    # given
    ids, page = console.own, walk.page
    listed = reverse("admin:approvals_purchaserequest_changelist")
    asked = [
        reverse("admin:search") + "?q=own",
        reverse("admin:companies_company_structure")
        + f"?company={ids['head']}&as_of=2030-01-01",
        reverse("admin:approvals_may_they_buy")
        + f"?company={ids['sub']}&requester={ids['contact']}&amount=100&currency=EUR"
        "&kind=ORDER&at_0=&at_1=",
        reverse("admin:approvals_may_they_buy") + "?amount=x",
        reverse("admin:companies_company_changelist") + "?q=own&status__exact=ACTIVE",
        f"{listed}?q=nothing",
    ]

    # when
    for where in asked:
        walk.open(live_server.url + where)
    for _label, action, _needed, where, _sent in buttons(ids):
        if not where.endswith("/change/"):
            continue
        page.goto(live_server.url + where)
        button = page.locator(f"button[name$=action][value={action}]")
        if button.count():  # makes sense for the object as it is
            button.click()
            page.wait_for_load_state()
            if page.locator(".kz-ask").count():
                walk.look()
    page.goto(live_server.url + reverse("admin:companies_import_add"))
    page.locator("input[type=file]").set_input_files(
        {"name": "a.csv", "mimeType": "text/csv", "buffer": b"code,name\nx,X\n,\n"}
    )
    page.get_by_role("button", name="Upload").click()
    page.wait_for_url("**/import/*/change/")
    walk.look()
    page.goto(live_server.url + reverse("admin:companies_company_add"))
    page.get_by_role("button", name="Save", exact=True).click()
    walk.look()  # with what is wrong

    # then
    assert walk.pages > 15
    walk.tell("questions and answers")


def test_the_way_in_and_out(walk, live_server, settings):
    # given
    settings.SECOND_FACTOR_REQUIRED = True
    user = User.objects.create_superuser("clerk", password="correct horse")
    page = walk.page

    def log_in(password: str) -> None:
        page.get_by_label("Username").fill(user.username)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_load_state()
        walk.look()

    # when: a wrong password, the right one, the second factor and its backup codes
    walk.open(f"{live_server.url}/admin/login/")
    log_in("wrong")
    log_in("correct horse")
    assert "second-factor/set-up" in page.url
    device = TOTPDevice.objects.get(user=user)
    page.locator("[name=code]").fill(f"{totp(device.bin_key):06}")
    page.locator("[name=code]").press("Enter")
    page.get_by_role("heading", name="Your backup codes").wait_for()
    walk.look()
    walk.open(f"{live_server.url}/admin/second-factor/codes/")
    page.context.clear_cookies()
    page.goto(f"{live_server.url}/admin/login/")
    log_in("correct horse")

    # then
    assert page.url.split("?")[0].endswith("/second-factor/")
    assert walk.pages == 6
    walk.tell("the way in")


def test_pages_of_errors(browser, live_server, as_superuser, page):
    # given: errors are what is asked for here
    faulty = page.context.new_page()
    walk = Walk(faulty)
    faulty.context.clear_cookies()

    # when
    for where in ("/nothing/", "/crash/", "/busy/"):
        walk.open(live_server.url + where)
        assert faulty.get_by_role("heading").count() == 1
    faulty.goto(f"{live_server.url}/admin/login/")
    faulty.context.clear_cookies()
    faulty.get_by_label("Username").fill("clerk")
    faulty.get_by_label("Password").fill("wrong")
    faulty.get_by_role("button", name="Log in").click()
    faulty.get_by_role("heading", name="The form is too old").wait_for()
    walk.look()

    # then
    walk.tell("errors")
