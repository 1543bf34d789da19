"""The demo's page in a real browser: a person types a command, reads the report, fills in a form."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.journeys.answering import sixty_answers
from tests.journeys.conftest import Living

CHROMIUM = shutil.which("chromium")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium; `make browser` installs it")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, living: Living) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.goto(living.stage.url)
    page.wait_for_selector("body[data-ready]")
    yield page
    page.close()
    assert broken == []


def type_line(page: Page, text: str) -> None:
    page.fill("#line", text)
    page.press("#line", "Enter")


def test_a_typed_command_shows_the_report_with_chart_and_table(page: Page, living: Living) -> None:
    sixty_answers(living)

    type_line(page, "/muster feedback kws by=chipset since=48h")

    message = page.locator("#messages .message", has_text="Helio G35").last
    message.wait_for(timeout=20_000)
    assert message.locator("table tbody tr").count() == 2
    assert message.locator("figure.chart svg rect").count() >= 2
    assert "Only visible to you" in message.inner_text()


def test_a_poll_is_made_in_a_form_that_says_what_is_wrong(page: Page) -> None:
    type_line(page, "/muster poll create kws")
    page.wait_for_selector("#modal[open] .input", timeout=20_000)

    page.click("#modal button[type=submit]")

    page.wait_for_function("[...document.querySelectorAll('#modal .mistake')].some(each => each.textContent)")
    page.click("#modal header button")
    page.wait_for_selector("#modal:not([open])", state="attached")


def test_acting_as_somebody_else_hides_what_was_for_the_first(page: Page) -> None:
    type_line(page, "/muster whoami")
    private = page.locator("#messages .message.private", has_text="You are")
    private.last.wait_for(timeout=20_000)

    page.select_option("#person", "U0PAM")

    assert page.locator("#messages .message.private", has_text="@Dana").count() == 0


def test_a_fault_is_switched_from_the_page(page: Page, living: Living) -> None:
    page.get_by_label("Jira is down").check()

    page.wait_for_function("fetch('sandbox/state').then(r => r.json()).then(s => s.faults.jira_down)")
    living.stage.switch({"jira_down": False})
