"""The whole day of a user."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from playwright.sync_api import expect

from tests.page.conftest import (
    PASSWORD,
    Open,
    go_to,
    quick_add,
    register,
    row,
    sign_in,
    tasks_of,
    wait_until_said,
    wait_until_sent,
)


def test_a_day_of_a_user(visit: Open, service: str, tmp_path: Path) -> None:
    visit_of_bob = register(visit(), "Bob")
    page = register(visit())
    _plan(page)
    _filter_and_search(page)
    _use_the_board(page)
    _work_on_a_task(page, tmp_path)
    _share(page, visit_of_bob)
    _undo(page, service)
    _sign_out(page)


def _plan(page: Any) -> None:
    expect(page.get_by_text("Nothing due today")).to_be_visible()
    page.keyboard.press("n")
    page.keyboard.type("Water the fern tomorrow #home !high")
    understood = page.locator("#understood")
    expect(understood).to_contain_text("Water the fern")
    for chip in ("Tomorrow", "home", "High"):
        expect(understood.get_by_role("button", name=chip)).to_be_visible()
    page.keyboard.press("Enter")
    wait_until_said(page, "Added: Water the fern, Tomorrow")
    quick_add(page, "Call the electrician")
    quick_add(page, "Read the lease at 23:59 #contract")
    expect(row(page, "Call the electrician")).to_be_visible()
    expect(row(page, "Read the lease")).to_contain_text("23:59")


def _filter_and_search(page: Any) -> None:
    go_to(page, "Upcoming")
    expect(row(page, "Water the fern")).to_be_visible()
    expect(row(page, "Call the electrician")).to_have_count(0)
    go_to(page, "All tasks")
    expect(page.locator("#list .task")).to_have_count(3)
    page.locator("#side").get_by_role("link", name="contract").click()
    expect(page.locator("#list .task")).to_have_count(1)
    page.keyboard.press("/")
    page.keyboard.type("electr")
    expect(page.get_by_text("1 task found")).to_be_visible()
    expect(page.locator("#list mark")).to_have_text("electr")
    page.keyboard.press("Escape")
    expect(row(page, "Read the lease")).to_be_visible()


def _use_the_board(page: Any) -> None:
    go_to(page, "All tasks")
    page.keyboard.press("b")
    column = page.get_by_role("region", name=re.compile("In progress"))
    expect(page.get_by_role("region", name=re.compile("To do"))).to_contain_text(
        "Call the electrician"
    )
    page.get_by_role("link", name="Call the electrician").focus()
    page.keyboard.press("Shift+ArrowRight")
    expect(column).to_contain_text("Call the electrician")
    row(page, "Water the fern").drag_to(column)
    expect(column).to_contain_text("Water the fern")
    page.keyboard.press("b")


def _work_on_a_task(page: Any, folder: Path) -> None:
    page.get_by_role("link", name="Read the lease").click()
    panel = page.locator("#panel")
    panel.get_by_label("Notes").fill("Look at the notice period.")
    panel.get_by_label("Priority").select_option("urgent")
    subtask = panel.get_by_label("Add a subtask")
    subtask.fill("Is the cellar ours?")
    subtask.press("Enter")
    expect(panel.get_by_role("checkbox", name="Complete Is the cellar ours?")).to_be_visible()
    comment = panel.get_by_label("Write a comment")
    comment.fill("The clause on page 4 is new.")
    comment.press("Enter")
    expect(panel.get_by_role("article")).to_contain_text("The clause on page 4 is new.")

    lease = folder / "lease.txt"
    lease.write_bytes(b"Either side may end it.\n")
    panel.locator("input[type=file]").set_input_files(lease)
    with page.expect_download() as download:
        panel.get_by_role("button", name="lease.txt", exact=True).click()
    assert Path(download.value.path()).read_bytes() == lease.read_bytes()

    panel.get_by_text("History").click()
    expect(panel.locator(".history")).to_contain_text("Priority: None → Urgent")
    expect(panel.locator(".history")).to_contain_text("attached a file")
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()


def _share(page: Any, page_of_bob: Any) -> None:
    page.get_by_role("button", name="New project").click()
    page.get_by_label("Name").fill("Garden")
    page.get_by_role("button", name="Create").click()
    page.get_by_role("heading", name="Garden", level=1).wait_for()
    page.get_by_role("button", name="Share").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("E-mail address").fill("bob@example.com")
    dialog.get_by_role("button", name="Invite").click()
    expect(dialog.get_by_text("bob@example.com")).to_be_visible()
    dialog.get_by_role("button", name="Close").click()
    quick_add(page, "Prune the apple tree today @bob")
    expect(row(page, "Prune the apple tree")).to_contain_text("B")
    # Bob need not load anything again: /changes brings it.
    expect(row(page_of_bob, "Prune the apple tree")).to_be_visible()
    wait_until_said(page_of_bob, "Alice added")
    expect(page_of_bob.locator("#side").get_by_role("link", name="Garden")).to_be_visible()


def _undo(page: Any, service: str) -> None:
    page.get_by_role("checkbox", name="Complete Prune the apple tree").check()
    page.get_by_role("button", name="Undo").hover()  # so that it stays
    wait_until_said(page, "Done: Prune")
    expect(row(page, "Prune the apple tree")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(row(page, "Prune the apple tree")).to_be_visible()
    wait_until_said(page, "Undone")
    wait_until_sent(page)
    assert [task["status"] for task in tasks_of(service)][-1] == "todo"


def _sign_out(page: Any) -> None:
    page.locator("#account summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    page.get_by_label("E-mail address").fill("alice@example.com")
    page.get_by_label("Password").fill(f"not {PASSWORD}")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert").filter(has_text="do not match")).to_be_visible()
    sign_in(page)
