"""Nothing that somebody typed is lost: two windows, a cut connection, a lost answer."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Route, expect

from tests import servers
from tests.page.conftest import (
    Open,
    answered,
    go_to,
    quick_add,
    register,
    row,
    sign_in,
    tasks_of,
    token,
    wait_for,
    wait_until_said,
    wait_until_sent,
)


def _open(page: Any, title: str) -> Any:
    page.get_by_role("link", name=title).click()
    panel = page.locator("#panel")
    expect(panel.get_by_label("Title")).to_have_value(title)
    return panel


def _add(page: Any, text: str) -> None:
    """Until the service has it."""
    with answered(page, "POST"):
        quick_add(page, text)


def _two_windows(visit: Open) -> tuple[Any, Any]:
    """The same task, open in two browsers of Alice's."""
    here = register(visit())
    _add(here, "Read the lease")
    expect(row(here, "Read the lease")).to_be_visible()
    there = sign_in(visit())
    return _open(here, "Read the lease"), _open(there, "Read the lease")


def test_two_changes_of_one_field_are_shown_side_by_side(visit: Open, service: str) -> None:
    here, there = _two_windows(visit)
    there.get_by_label("Title").type(", slowly")  # begun before the other one saves
    here.get_by_label("Title").fill("Read the lease today")
    with answered(here.page, "PATCH"):
        here.get_by_label("Title").press("Enter")
    with answered(here.page, "PATCH"):
        here.get_by_label("Priority").select_option("high")
    there.get_by_label("Title").press("Enter")

    expect(there.get_by_role("heading", name="while you were writing")).to_be_visible()
    expect(there.get_by_role("group", name="Title")).to_contain_text("Read the lease today")
    expect(there.get_by_role("group", name="Title")).to_contain_text("Read the lease, slowly")
    expect(there.get_by_text("and kept: Priority")).to_be_visible()
    assert tasks_of(service)[0]["title"] == "Read the lease today"  # nothing is sent yet
    there.get_by_role("button", name="Save my choice").click()
    expect(there.get_by_role("heading", name="while you were writing")).to_have_count(0)
    expect(here.get_by_label("Title")).to_have_value("Read the lease, slowly")
    task = tasks_of(service)[0]
    assert (task["title"], task["priority"]) == ("Read the lease, slowly", "high")


def test_theirs_can_be_taken_whole(visit: Open, service: str) -> None:
    here, there = _two_windows(visit)
    there.get_by_label("Notes").type("Mine")
    here.get_by_label("Notes").fill("Theirs")
    with answered(here.page, "PATCH"):
        here.get_by_label("Title").focus()
    there.get_by_label("Title").focus()
    there.get_by_role("button", name="Take theirs").click()
    expect(there.get_by_label("Notes")).to_have_value("Theirs")
    assert tasks_of(service)[0]["description"] == "Theirs"


def test_changes_of_different_fields_go_together_without_a_question(
    visit: Open, service: str
) -> None:
    here, there = _two_windows(visit)
    there.get_by_label("Notes").type("Ask Bob")
    with answered(here.page, "PATCH"):
        here.get_by_label("Priority").select_option("urgent")
    there.get_by_label("Title").focus()
    expect(there.get_by_label("Priority")).to_have_value("urgent")
    wait_until_sent(there.page)
    task = tasks_of(service)[0]
    assert (task["description"], task["priority"]) == ("Ask Bob", "urgent")


def test_what_is_typed_without_a_connection_waits_and_is_sent(visit: Open, service: str) -> None:
    page = register(visit())
    _add(page, "Water the fern")
    page.context.set_offline(offline=True)
    quick_add(page, "Buy a bigger pot")
    panel = _open(page, "Water the fern")
    panel.get_by_label("Title").fill("Water the fern and the ivy")
    panel.get_by_label("Title").press("Enter")
    expect(page.get_by_text("2 changes wait on this device")).to_be_visible()
    expect(row(page, "Buy a bigger pot")).to_contain_text("Waiting to be sent")
    assert len(tasks_of(service)) == 1

    page.context.set_offline(offline=False)
    wait_until_said(page, "2 changes sent")
    expect(page.get_by_text("No connection.")).to_have_count(0)
    titles = [task["title"] for task in tasks_of(service)]
    assert titles == ["Water the fern and the ivy", "Buy a bigger pot"]


def test_what_waits_survives_a_reload(visit: Open, service: str) -> None:
    page = register(visit())
    page.route("**/api/v1/tasks", lambda route: route.abort())
    quick_add(page, "Buy a bigger pot")
    expect(page.get_by_text("1 change waits on this device")).to_be_visible()
    page.unroute("**/api/v1/tasks")
    page.reload()
    expect(row(page, "Buy a bigger pot")).to_have_count(1)
    wait_until_sent(page)
    expect(row(page, "Buy a bigger pot")).to_have_count(1)
    assert [task["title"] for task in tasks_of(service)] == ["Buy a bigger pot"]


def test_what_waits_and_is_stored_already_shows_once(visit: Open, service: str) -> None:
    """Its answer was lost, the page loaded anew, and its list is quicker than its next answer."""
    page = register(visit())
    lost: list[Route] = []
    held: list[Route] = []

    def lose_and_hold(route: Route) -> None:
        if lost:
            held.append(route)
            return
        lost.append(route)
        route.fetch()
        route.abort()

    page.route("**/api/v1/tasks", lose_and_hold)
    quick_add(page, "Buy a bigger pot")
    wait_for(page, lambda: len(held) == 1)
    with page.expect_response("**/api/v1/tasks?*"):
        page.reload()
    wait_for(page, lambda: len(held) == 2)
    page.wait_for_timeout(1000)  # what is shown stays
    expect(row(page, "Buy a bigger pot")).to_have_count(1)
    held[1].continue_()
    wait_until_sent(page)
    expect(row(page, "Buy a bigger pot")).to_have_count(1)
    assert len(tasks_of(service)) == 1


def _answers_get_lost(method: str) -> Any:
    """The first request of this method arrives, and its answer does not."""
    lost: list[str] = []

    def handle(route: Route) -> None:
        if route.request.method != method or lost:
            route.continue_()
            return
        lost.append(route.request.url)
        route.fetch()
        route.abort()

    return handle


def test_a_task_whose_answer_was_lost_is_made_once(visit: Open, service: str) -> None:
    page = register(visit())
    page.route("**/api/v1/tasks", _answers_get_lost("POST"))
    quick_add(page, "Buy a bigger pot")
    wait_until_said(page, "1 change sent")
    assert [task["title"] for task in tasks_of(service)] == ["Buy a bigger pot"]
    go_to(page, "All tasks")
    expect(page.locator("#list .task")).to_have_count(1)


def test_a_change_whose_answer_was_lost_is_no_conflict_with_oneself(
    visit: Open, service: str
) -> None:
    page = register(visit())
    _add(page, "Water the fern")
    page.route("**/api/v1/tasks/*", _answers_get_lost("PATCH"))
    panel = _open(page, "Water the fern")
    panel.get_by_label("Title").fill("Water the ivy")
    panel.get_by_label("Title").press("Enter")
    wait_until_said(page, "1 change sent")
    expect(panel.get_by_role("heading", name="while you were writing")).to_have_count(0)
    assert tasks_of(service)[0]["title"] == "Water the ivy"


def _delete(panel: Any) -> None:
    with answered(panel.page, "DELETE"):
        panel.get_by_role("button", name="Delete task").click()


def _save_as_new(page: Any, title: str) -> None:
    page.get_by_role("button", name="Save as a new task").click()
    wait_until_sent(page)
    expect(row(page, title)).to_be_visible()  # in "Today", also as the service has it
    expect(page.get_by_text("Not saved")).to_have_count(0)


def test_a_change_of_a_task_that_is_gone_can_be_kept(visit: Open, service: str) -> None:
    here, there = _two_windows(visit)
    there.get_by_label("Title").type(", slowly")
    _delete(here)
    there.get_by_label("Title").press("Enter")
    _save_as_new(there.page, "Read the lease, slowly")
    assert [task["title"] for task in tasks_of(service)] == ["Read the lease, slowly"]


def test_what_somebody_types_in_a_task_that_is_deleted_stays(visit: Open, service: str) -> None:
    here, there = _two_windows(visit)
    there.get_by_label("Title").type(", slowly")
    _delete(here)
    wait_until_said(there.page, "Somebody deleted “Read the lease”")
    there.page.keyboard.type(" and twice")
    expect(there.get_by_label("Title")).to_have_value("Read the lease, slowly and twice")
    there.get_by_label("Title").press("Enter")
    _save_as_new(there.page, "Read the lease, slowly and twice")
    expect(there).to_be_hidden()
    assert there.page.url.endswith("#/today/list")


def test_all_that_was_changed_in_a_task_that_is_gone_is_kept(visit: Open, service: str) -> None:
    here, there = _two_windows(visit)
    there.page.context.set_offline(offline=True)
    there.get_by_label("Title").fill("Read the lease, slowly")
    there.get_by_label("Notes").fill("Page 4 is new.")
    there.get_by_label("Write a comment").fill("Who signs it?")
    there.get_by_label("Write a comment").press("Enter")
    expect(there.page.get_by_text("3 changes wait on this device")).to_be_visible()
    _delete(here)
    there.page.context.set_offline(offline=False)
    there.page.get_by_role("button", name="Save as a new task").click()
    expect(there.page.get_by_text("Not saved")).to_have_count(0)
    wait_until_sent(there.page)
    (task,) = tasks_of(service)
    assert (task["title"], task["description"]) == ("Read the lease, slowly", "Page 4 is new.")
    address = f"{service}/api/v1/tasks/{task['id']}/comments"
    comments = servers.ask(address, token=token(service))[2]["items"]
    assert [comment["body"] for comment in comments] == ["Who signs it?"]


def test_a_conflict_with_a_task_that_is_gone_since_can_be_kept(visit: Open, service: str) -> None:
    here, there = _two_windows(visit)
    there.get_by_label("Title").type(", slowly")
    here.get_by_label("Title").fill("Read the lease today")
    with answered(here.page, "PATCH"):
        here.get_by_label("Title").press("Enter")
    there.get_by_label("Title").press("Enter")
    expect(there.get_by_role("heading", name="while you were writing")).to_be_visible()
    _delete(here)
    _save_as_new(there.page, "Read the lease, slowly")
    assert [task["title"] for task in tasks_of(service)] == ["Read the lease, slowly"]


def test_what_was_typed_and_not_sent_is_there_when_one_comes_back(visit: Open) -> None:
    page = register(visit())
    _add(page, "Water the fern")
    _add(page, "Read the lease")
    panel = _open(page, "Read the lease")
    panel.get_by_label("Write a comment").type("Who signs it?")
    panel = _open(page, "Water the fern")
    expect(panel.get_by_label("Write a comment")).to_have_value("")
    panel.get_by_label("Title").type(" and the ivy")
    page.go_back()
    expect(panel.get_by_label("Write a comment")).to_have_value("Who signs it?")
    expect(row(page, "Water the fern and the ivy")).to_be_visible()


def test_a_field_that_is_made_anew_loses_no_key(visit: Open) -> None:
    """Its focus comes back before anything else can happen, be it only the next frame."""
    here, there = _two_windows(visit)
    here.get_by_label("Write a comment").focus()
    here.page.evaluate("window.requestAnimationFrame = () => 0")
    there.get_by_label("Write a comment").type("Who signs it?")
    there.page.keyboard.press("Enter")
    expect(here.get_by_text("Who signs it?")).to_be_visible()

    here.page.keyboard.type("We both")

    expect(here.get_by_label("Write a comment")).to_have_value("We both")


def test_a_session_that_ends_leaves_what_was_typed(visit: Open, service: str) -> None:
    page = register(visit())
    quick_add(page, "Water the fern")
    other = sign_in(visit())
    other.locator("#account summary").click()
    other.get_by_role("button", name="Account").click()
    other.get_by_text("Sessions").click()
    other.get_by_role("button", name="End", exact=True).click()
    quick_add(page, "Buy a bigger pot")
    expect(page.get_by_text("Your session is over")).to_be_visible()
    sign_in(page)
    expect(row(page, "Buy a bigger pot")).to_be_visible()
    wait_until_sent(page)
    assert [task["title"] for task in tasks_of(service)] == ["Water the fern", "Buy a bigger pot"]
