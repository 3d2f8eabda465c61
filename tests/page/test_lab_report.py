"""The lab's report in a real browser, from a file: wide, narrow, dark, and with sliders moved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.servers import ROOT

REPORT = (ROOT / "docs" / "lab-report.html").as_uri()
SERIOUS = {"serious", "critical"}
LOOKS = [(1440, "light"), (375, "light"), (1200, "dark")]


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Any]]:
    contexts, requests, failures = [], list[str](), list[str]()

    def open_report(width: int = 1440, color_scheme: str = "light") -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=color_scheme
        )
        contexts.append(context)
        context.on("request", lambda request: requests.append(request.url.partition(":")[0]))
        context.on("weberror", lambda error: failures.append(str(error.error)))
        page = context.new_page()
        page.goto(REPORT)
        return page

    yield open_report
    for context in contexts:
        context.close()
    assert failures == []
    assert set(requests) <= {"file", "data"}  # nothing is loaded from anywhere


@pytest.mark.parametrize(("width", "color_scheme"), LOOKS)
def test_it_fits_and_screen_readers_can_read_it(
    opened: Callable[..., Any], width: int, color_scheme: str
) -> None:
    page = opened(width, color_scheme)

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    violations = Axe().run(page).response["violations"]
    assert [rule["id"] for rule in violations if rule["impact"] in SERIOUS] == []


def test_sliders_move_by_keyboard_and_say_what_a_server_is_bound_by(
    opened: Callable[..., Any],
) -> None:
    """200 ms of waiting, 40 users: four workers lack seats; slow answers lack the processor."""
    page = opened(width=375)
    row = page.locator("#sliders-table tr").nth(1)
    expect(row).to_contain_text("4 sync workers")
    expect(row).to_contain_text("seats")

    page.locator("#slider-users").focus()
    page.keyboard.press("Home")
    expect(row).to_contain_text("users")

    page.keyboard.press("End")
    page.locator("#slider-cpu").focus()
    page.keyboard.press("End")
    page.locator("#slider-workers").focus()
    page.keyboard.press("End")
    expect(row).to_contain_text("64 sync workers")
    expect(row).to_contain_text("processor")


def test_sliders_agree_with_the_arithmetic_of_the_lab(opened: Callable[..., Any]) -> None:
    page = opened()

    assert page.evaluate("erlangC(10, 8)") == pytest.approx(0.4092, abs=0.0001)
    seats = "{seats: 4, processors: 2}"
    page.evaluate("state.wait = 200; state.cpu = 0.1")
    assert page.evaluate(f"throughput(3, {seats})") == pytest.approx(3 / 0.2001)
    assert page.evaluate(f"throughput(400, {seats})") == pytest.approx(4 / 0.2001)


def test_in_print_there_are_no_sliders_and_no_tables(opened: Callable[..., Any]) -> None:
    page = opened()
    page.emulate_media(media="print")

    expect(page.locator("#sliders")).to_be_hidden()
    expect(page.locator("details").first).to_be_hidden()
    expect(page.locator(".remember").first).to_be_visible()
