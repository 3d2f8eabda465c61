"""Days, repeats, reminders and bringing back what was deleted."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import expect

from tests.page.conftest import (
    Open,
    go_to,
    quick_add,
    register,
    row,
    tasks_of,
    wait_until_said,
    wait_until_sent,
)


def _open(page: Any, title: str) -> Any:
    page.get_by_role("link", name=title).first.click()
    panel = page.locator("#panel")
    expect(panel.get_by_label("Title")).to_have_value(title)
    return panel


def test_a_repeated_task_that_is_done_comes_again(visit: Open, service: str) -> None:
    page = register(visit())
    quick_add(page, "Water the fern today every week")
    expect(row(page, "Water the fern")).to_contain_text("Every week")
    wait_until_sent(page)
    page.get_by_role("checkbox", name="Complete Water the fern").check()
    wait_until_said(page, "the next one is planned")
    go_to(page, "Upcoming")
    expect(row(page, "Water the fern")).to_contain_text("Every week")
    wait_until_sent(page)
    assert [task["status"] for task in tasks_of(service)] == ["done", "todo"]


def test_a_task_is_due_on_a_day_or_at_a_time(visit: Open, service: str) -> None:
    page = register(visit())
    quick_add(page, "Water the fern today")
    expect(row(page, "Water the fern")).to_be_visible()
    wait_until_sent(page)
    task = tasks_of(service)[0]
    assert (task["due_at"], task["due_on"] is None) == (None, False)
    panel = _open(page, "Water the fern")
    panel.locator(".due summary").click()
    panel.get_by_label("Time", exact=True).fill("23:45")
    panel.get_by_label("Title").focus()
    expect(row(page, "Water the fern")).to_contain_text("23:45")
    panel.get_by_label("Add a reminder").select_option("-PT1H")
    expect(panel.get_by_role("button", name="1 hour before")).to_be_visible()
    wait_until_sent(page)
    task = tasks_of(service)[0]
    assert (task["due_on"], task["reminders"]) == (None, ["-PT1H"])
    assert task["due_at"].endswith(":45:00.000000Z")


def test_what_was_deleted_comes_back_with_everything(visit: Open, service: str) -> None:
    page = register(visit())
    quick_add(page, "Read the lease #contract")
    expect(row(page, "Read the lease")).to_be_visible()
    wait_until_sent(page)
    panel = _open(page, "Read the lease")
    comment = panel.get_by_label("Write a comment")
    comment.fill("The clause on page 4 is new.")
    comment.press("Enter")
    expect(panel.get_by_role("article")).to_be_visible()
    panel.get_by_role("button", name="Delete task").click()
    page.get_by_role("button", name="Undo").hover()  # so that it stays
    expect(row(page, "Read the lease")).to_have_count(0)
    wait_until_sent(page)
    assert tasks_of(service) == []
    page.get_by_role("button", name="Undo").click()
    expect(row(page, "Read the lease")).to_be_visible()
    wait_until_sent(page)
    assert tasks_of(service)[0]["labels"] == ["contract"]
    panel = _open(page, "Read the lease")
    expect(panel.get_by_role("article")).to_contain_text("The clause on page 4 is new.")


def test_what_was_deleted_before_it_was_sent_comes_back_with_its_day(
    visit: Open, service: str
) -> None:
    page = register(visit())
    page.context.set_offline(offline=True)
    quick_add(page, "Read the lease tomorrow every week #contract")
    expect(row(page, "Read the lease")).to_have_count(0)  # it is not due today
    go_to(page, "All tasks")
    panel = _open(page, "Read the lease")
    panel.get_by_role("button", name="Delete task").click()
    page.get_by_role("button", name="Undo").hover()  # so that it stays
    expect(row(page, "Read the lease")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(row(page, "Read the lease")).to_contain_text("Tomorrow")
    page.context.set_offline(offline=False)
    wait_until_said(page, "1 change sent")
    task = tasks_of(service)[0]
    assert task["due_on"] is not None
    assert (task["repeat"]["rule"], task["labels"]) == ("FREQ=WEEKLY", ["contract"])


def test_the_account_has_the_zone_of_the_browser(visit: Open) -> None:
    page = register(visit())
    page.locator("#account summary").click()
    page.get_by_role("button", name="Account").click()
    expect(page.get_by_role("combobox", name="Time zone")).to_have_value("Europe/Berlin")
