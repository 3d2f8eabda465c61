"""axe-core looks at every state of the page, light and dark, wide and narrow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests import servers
from tests.page.conftest import Open, go_to, quick_add, register, row, token, wait_until_said

SERIOUS = {"serious", "critical"}
LOOKS: list[dict[str, Any]] = [
    {"width": 1440, "color_scheme": "light"},
    {"width": 390, "height": 844, "color_scheme": "dark", "has_touch": True},
]


def _found(page: Any) -> list[str]:
    """What axe calls serious: its rule, and where."""
    page.wait_for_timeout(400)  # what comes is in place
    violations = Axe().run(page).response["violations"]
    return [
        f"{rule['id']}: {node['html'][:200]}"
        for rule in violations
        if rule["impact"] in SERIOUS
        for node in rule["nodes"]
    ]


def _show_door(page: Any) -> None:
    page.context.set_offline(offline=False)
    wait_until_said(page, "1 change sent")
    page.locator("#account button").last.evaluate("element => element.click()")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def _show_task(page: Any) -> None:
    page.get_by_role("link", name="Water the fern").first.click()
    expect(page.locator("#panel")).to_be_visible()
    page.locator("#panel .due summary").click()


def _show_board(page: Any) -> None:
    page.evaluate("location.hash = '#/all/board'")
    expect(page.locator(".column").first).to_be_visible()


def _show_search(page: Any) -> None:
    page.keyboard.press("/")
    page.keyboard.type("nothing of that kind")
    expect(page.get_by_text("Nothing found")).to_be_visible()


def _show_project(page: Any) -> None:
    page.locator("#side a[href*=project]").first.evaluate("link => link.click()")
    page.get_by_role("button", name="Share").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def _show_account(page: Any) -> None:
    page.locator("#account button").first.evaluate("element => element.click()")
    page.get_by_role("dialog").get_by_text("Tokens for scripts").click()
    expect(page.get_by_role("button", name="Create token")).to_be_visible()


def _show_keys(page: Any) -> None:
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()


def _show_offline(page: Any) -> None:
    page.context.set_offline(offline=True)
    page.get_by_role("checkbox", name="Complete Water the fern").first.check()
    expect(page.get_by_text("No connection.")).to_be_visible()


def _show_list(page: Any) -> None:
    expect(row(page, "Water the fern").first).to_be_visible()


STATES: list[Callable[[Any], None]] = [
    _show_list,
    _show_task,
    _show_board,
    _show_search,
    _show_project,
    _show_account,
    _show_keys,
    _show_offline,
    _show_door,
]


@pytest.mark.parametrize("look", LOOKS, ids=["wide and light", "narrow and dark"])
def test_nobody_stumbles_over_anything_serious(
    visit: Open, service: str, look: dict[str, Any]
) -> None:
    page = register(visit(**look))
    _fill(service)
    page.reload()
    found = {}
    for show in STATES:
        show(page)
        if serious := _found(page):
            found[show.__name__] = serious
        page.keyboard.press("Escape")
        page.keyboard.press("Escape")
        if show is not _show_door:
            page.evaluate("location.hash = '#/today/list'")
            page.get_by_role("heading", name="Today", level=1).wait_for()
    assert found == {}


def _fill(service: str) -> None:
    """One task of each look that a row can have."""
    key = token(service)
    base = f"{service}/api/v1"
    _, _, project = servers.ask(f"{base}/projects", {"name": "Garden"}, token=key)
    common = {
        "title": "Water the fern",
        "description": "Both of them.",
        "priority": "high",
        "labels": ["home", "plants"],
        "project_id": project["id"],
        "due_at": "2020-01-01T12:00:00Z",
    }
    for status in ("todo", "in_progress", "done"):
        made = servers.ask(f"{base}/tasks", {**common, "status": status}, token=key)[2]
        comment = {"body": "Done at noon."}
        servers.ask(f"{base}/tasks/{made['id']}/comments", comment, token=key)
        below = {"title": "Left one", "parent_id": made["id"], "project_id": project["id"]}
        servers.ask(f"{base}/tasks", below, token=key)


def test_a_day_can_be_lived_by_keyboard_alone(visit: Open) -> None:
    page = register(visit())
    page.keyboard.press("n")
    page.keyboard.type("Water the fern")
    page.keyboard.press("Enter")
    expect(row(page, "Water the fern")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="Water the fern")).to_be_focused()
    page.keyboard.press("e")
    expect(page.get_by_label("Title")).to_be_focused()
    page.keyboard.press("End")
    page.keyboard.type(" and the ivy")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Water the fern and the ivy")).to_be_focused()
    page.keyboard.press("x")
    expect(row(page, "Water the fern")).to_have_count(0)
    page.keyboard.press("u")
    expect(row(page, "Water the fern and the ivy")).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("a")
    page.get_by_role("heading", name="All tasks", level=1).wait_for()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()


PRESS = """(key) => {
  document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }))
  return document.activeElement.getAttribute('aria-label')
}"""


def test_whoever_types_fast_loses_no_letter_to_a_shortcut(visit: Open) -> None:
    """The field has the focus before the next key can come."""
    page = register(visit())
    assert page.evaluate(PRESS, "n") == "Add a task"
    page.keyboard.type("Water the fern")
    page.keyboard.press("Enter")
    expect(row(page, "Water the fern")).to_be_visible()
    page.get_by_role("link", name="Water the fern").focus()
    assert page.evaluate(PRESS, "e") == "Title"

    page.keyboard.press("Escape")
    go_to(page, "Done")
    assert page.evaluate(PRESS, "n") == "Add a task"
    page.keyboard.type("Prune the ivy")
    page.get_by_role("heading", name="Inbox", level=1).wait_for()
    page.keyboard.press("Enter")
    expect(row(page, "Prune the ivy")).to_be_visible()

    page.locator("#list").focus()
    page.keyboard.press("/")
    page.keyboard.type("fern")
    expect(page.get_by_text("1 task found")).to_be_visible()
    page.locator("#list").focus()
    assert page.evaluate(PRESS, "n") == "Add a task"
    page.get_by_role("heading", name="Inbox", level=1).wait_for()


def test_a_page_in_german_says_everything_in_german(visit: Open) -> None:
    page = visit(locale="de-DE")
    page.get_by_role("button", name="Konto anlegen").click()
    page.get_by_label("Ihr Name").fill("Alice")
    page.get_by_label("E-Mail-Adresse").fill("alice@example.com")
    page.get_by_label("Passwort").fill("correct-horse-battery-fern")
    page.get_by_role("button", name="Konto anlegen").click()
    page.get_by_role("heading", name="Heute", level=1).wait_for()
    page.locator("#new").fill("Farn gießen morgen um 17:00 #haus !hoch")
    for chip in ("Morgen", "17:00", "haus", "Hoch"):
        expect(page.locator("#understood").get_by_role("button", name=chip)).to_be_visible()
    go_to(page, "Demnächst")
    page.locator("#account summary").click()
    page.get_by_role("button", name="Konto", exact=True).click()
    page.get_by_role("combobox", name="Sprache").select_option("en")
    page.get_by_role("heading", name="Account").wait_for()
    expect(page.get_by_role("heading", name="Upcoming", level=1)).to_be_attached()


def test_a_narrow_page_scrolls_in_one_direction_only(visit: Open, service: str) -> None:
    for width in (360, 720, 1000, 2000):
        page = visit(width=width, has_touch=width < 720)
        if width == 360:
            register(page)
            quick = page.locator("#bar").get_by_role("button", name="Add a task")
            quick.click()
            quick_add(
                page,
                "A title that is as long as the titles of tasks are when somebody is in a hurry",
            )
            _fill(service)
        else:
            page.get_by_label("E-mail address").fill("alice@example.com")
            page.get_by_label("Password").fill("correct-horse-battery-fern")
            page.get_by_role("button", name="Sign in").click()
        for address in ("#/today/list", "#/all/list/2", "#/all/board"):
            page.evaluate(f"location.hash = '{address}'")
            page.wait_for_timeout(600)
            overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert page.evaluate(overflow) <= 0, f"{width} {address}"
