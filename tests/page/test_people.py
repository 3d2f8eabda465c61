"""Roles, archive, tokens, feeds, sessions and passwords; users, for admins."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import expect

from tests import servers
from tests.page.conftest import (
    PASSWORD,
    Open,
    go_to,
    quick_add,
    register,
    row,
    sign_in,
    token,
    wait_until_said,
)


def _share(service: str, role: str) -> None:
    """Alice shares Garden, with one task, with Bob."""
    key, base = token(service), f"{service}/api/v1"
    project = servers.ask(f"{base}/projects", {"name": "Garden"}, token=key)[2]["id"]
    member = {"email": "bob@example.com", "role": role}
    servers.ask(f"{base}/projects/{project}/members", member, token=key)
    task = {"title": "Prune the apple tree", "project_id": project}
    servers.ask(f"{base}/tasks", task, token=key)


def open_account(page: Any) -> Any:
    page.locator("#account summary").click()
    page.get_by_role("button", name="Account").click()
    return page.get_by_role("dialog")


def account_part(page: Any, part: str) -> Any:
    dialog = open_account(page)
    dialog.get_by_text(part, exact=True).click()
    return dialog


def test_a_viewer_reads_and_is_offered_nothing_to_change(visit: Open, service: str) -> None:
    register(visit())
    bob = register(visit(), "Bob")
    _share(service, "viewer")
    bob.reload()
    go_to(bob, "Garden")
    expect(row(bob, "Prune the apple tree")).to_be_visible()
    expect(bob.get_by_role("textbox", name="Add a task")).to_be_hidden()
    expect(bob.get_by_role("checkbox", name="Complete Prune the apple tree")).to_be_disabled()
    bob.get_by_role("link", name="Prune the apple tree").click()
    panel = bob.locator("#panel")
    expect(panel).to_contain_text("Prune the apple tree")
    for role in ("textbox", "combobox"):
        expect(panel.get_by_role(role)).to_have_count(0)
    expect(panel.get_by_role("button", name="Delete task")).to_have_count(0)


def test_an_archived_project_leaves_the_lists_and_comes_back(visit: Open, service: str) -> None:
    register(visit(), "Bob")
    page = register(visit())
    _share(service, "editor")
    page.reload()
    go_to(page, "Garden")
    page.get_by_role("button", name="Share").click()
    page.get_by_role("dialog").get_by_role("button", name="Archive").click()
    expect(page.get_by_role("button", name="Bring back")).to_be_visible()
    page.keyboard.press("Escape")
    go_to(page, "All tasks")
    expect(row(page, "Prune the apple tree")).to_have_count(0)
    page.locator("#side").get_by_text("Archived").click()
    go_to(page, "Garden")
    expect(row(page, "Prune the apple tree")).to_be_visible()
    page.get_by_role("button", name="Share").click()
    page.get_by_role("button", name="Bring back").click()
    expect(page.get_by_role("dialog").get_by_role("button", name="Archive")).to_be_visible()


def test_a_token_is_shown_once_and_works(visit: Open, service: str) -> None:
    page = register(visit())
    dialog = account_part(page, "Tokens for scripts")
    dialog.locator("details[open]").get_by_label("Name").fill("Nightly")
    dialog.get_by_label("May").select_option("write")
    dialog.get_by_role("button", name="Create token").click()
    secret = dialog.locator(".shown-once code").inner_text()
    assert secret.startswith("tsk_")
    made = servers.ask(f"{service}/api/v1/tasks", {"title": "By script"}, token=secret)
    assert made[0] == 201
    dialog.get_by_role("button", name="Remove Nightly").click()
    expect(dialog.get_by_role("button", name="Remove Nightly")).to_have_count(0)
    assert servers.ask(f"{service}/api/v1/tasks", token=secret)[0] == 401


def test_a_calendar_can_subscribe(visit: Open) -> None:
    page = register(visit())
    quick_add(page, "Water the fern")
    dialog = account_part(page, "Calendar")
    dialog.locator("details[open]").get_by_label("Name").fill("My phone")
    dialog.get_by_role("button", name="Create address").click()
    address = dialog.locator(".shown-once code").inner_text()
    assert "BEGIN:VCALENDAR" in page.request.get(address).text()


def test_a_new_password_ends_the_other_sessions(visit: Open) -> None:
    page = register(visit())
    other = sign_in(visit())
    dialog = account_part(page, "Password")
    dialog.get_by_label("Current password").fill("not this one, surely")
    dialog.get_by_label("New password").fill(f"{PASSWORD}-new")
    dialog.get_by_role("button", name="Change password").click()
    expect(dialog.get_by_role("alert").filter(has_text="password")).to_be_visible()
    dialog.get_by_label("Current password").fill(PASSWORD)
    dialog.get_by_role("button", name="Change password").click()
    wait_until_said(page, "The password is changed")
    expect(other.get_by_text("Your session is over")).to_be_visible()


def test_an_admin_disables_a_user_who_is_out_at_once(
    visit: Open, service: str, fresh_environment: dict[str, str]
) -> None:
    bob = register(visit(), "Bob")
    command = ("users", "create", "--admin", "alice@example.com")
    made = servers.flask(*command, stdin=f"{PASSWORD}\n", **fresh_environment)
    assert made.returncode == 0, made.stderr
    page = sign_in(visit())
    page.locator("#account summary").click()
    page.get_by_role("button", name="Users").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Search names").fill("bob")
    expect(dialog.get_by_text("alice@example.com")).to_have_count(0)
    dialog.get_by_role("button", name="Disable").click()
    expect(dialog.get_by_text("bob@example.com, disabled")).to_be_visible()
    expect(bob.get_by_text("Your session is over")).to_be_visible()
