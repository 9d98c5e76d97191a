"""A real Chromium, with a page that fails the test when a script fails."""

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from tests.factories import make_user

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
# Chromium writes what a policy forbids to the console; this says what and where.
TELL = """document.addEventListener("securitypolicyviolation", (event) => console.error(
    "violation:", event.violatedDirective, event.blockedURI, event.sourceFile,
    event.lineNumber, event.sample));"""


def find_chromium() -> str | None:
    given = os.environ.get("CHROMIUM")
    return given or next(filter(None, map(shutil.which, NAMES)), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    path = find_chromium()
    if path is None:
        if os.environ.get("KONZERN_REQUIRE_E2E"):
            pytest.fail("No Chromium: install one, or name it in CHROMIUM.")
        pytest.skip("no Chromium here (set CHROMIUM); .ci/run installs one and runs it")
    from playwright.sync_api import sync_playwright

    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # playwright has an event loop of its own in this thread, and Django would take
        # its queries for ones inside it; they are not.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        chromium = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        yield chromium
        chromium.close()


def watch(page: Any) -> list[str]:
    """What goes wrong in the page from now on: errors of scripts and in the console,
    what the content security policy forbids, files that are not there.
    """
    faults: list[str] = []

    def on_console(said: Any) -> None:
        # Answers are looked at below, where those of pages can be told from others.
        if said.type == "error" and not said.text.startswith("Failed to load resource"):
            faults.append(f"{page.url}: {said.text}")

    def on_response(answer: Any) -> None:
        if answer.status >= 400 and answer.request.resource_type != "document":
            faults.append(f"{answer.status} {answer.url}")

    page.add_init_script(TELL)
    page.on("pageerror", lambda error: faults.append(f"{page.url}: {error}"))
    page.on("console", on_console)
    page.on("response", on_response)
    return faults


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A fresh page; what `watch` sees, or an answer of 500, fails the test."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    context.set_default_timeout(15_000)
    page = context.new_page()
    faults = watch(page)
    page.on(
        "response",
        lambda answer: faults.append(answer.url) if answer.status >= 500 else None,
    )
    yield page
    context.close()
    assert faults == []


@pytest.fixture
def log_in(page: Any, live_server: Any) -> Callable[[str, str], None]:
    def log_in(name: str, password: str) -> None:
        page.goto(f"{live_server.url}/admin/")
        page.get_by_label("Username").fill(name)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url("**/admin/")

    return log_in


@pytest.fixture
def as_superuser(page: Any, live_server: Any) -> User:
    """The browser has logged in as somebody who may see everything."""
    user, client = make_user(is_superuser=True), Client()
    client.force_login(user)
    name = settings.SESSION_COOKIE_NAME
    session = {"name": name, "value": client.cookies[name].value}
    page.context.add_cookies([session | {"url": live_server.url}])
    return user
