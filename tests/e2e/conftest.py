"""A real Chromium, with a page that fails the test when a script fails."""

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


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


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A fresh page; an error in a script, or an answer of 500, fails the test."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    context.set_default_timeout(15_000)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
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
