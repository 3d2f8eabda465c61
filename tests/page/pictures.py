"""Takes the README's pictures of the page once more: `make pictures`.

A day at work in an account of its own, wide and narrow, in docs/page/.
"""

from __future__ import annotations

import datetime as dt
import os
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from tests import servers
from tests.page.conftest import PASSWORD, chromium, launch_options

FOLDER = Path(__file__).parents[2] / "docs/page"
SIZES = {"wide": (1440, 900), "narrow": (390, 844)}
HOME, OFFICE, GARDEN, INBOX = "Home", "Office move", "Garden", None
# Project, title, days from today, and whatever else the task has.
TASKS: list[tuple[str | None, str, int | None, dict[str, Any]]] = [
    (HOME, "Renew the parking permit", -3, {"priority": "high", "labels": ["errands"]}),
    (HOME, "Return the library books", -1, {"labels": ["errands"]}),
    (HOME, "Water the fern", 0, {"labels": ["plants"]}),
    (OFFICE, "Read the lease, page by page", 0, {"status": "in_progress", "priority": "high"}),
    (OFFICE, "Order boxes for the move", 0, {"status": "in_progress", "assignee": "Bob"}),
    (INBOX, "Call the electrician about the hallway light", 0, {}),
    (OFFICE, "Book the van", 1, {"assignee": "Bob", "priority": "medium"}),
    (OFFICE, "Measure the new meeting room", 2, {"assignee": "Charlie"}),
    (GARDEN, "Bring the dahlia bulbs into the cellar", 4, {"labels": ["plants"]}),
    (OFFICE, "Cancel the old internet contract", 12, {"labels": ["contract", "network"]}),
    (GARDEN, "Prune the apple tree", 44, {"labels": ["plants"]}),
    (INBOX, "Ask Charlie for the spare key", None, {"priority": "low"}),
]
DONE_PER_DAY = [int(digit) for digit in "102310024113001225100321420123"]


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as instance:
        settings = {"TASKAPP_INSTANCE": instance, "INVITATIONS": "false"}
        servers.migrate(**settings)
        with servers.gunicorn(log=Path(os.devnull), **settings) as base:
            fill(base)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium(), **launch_options())
                for name, (width, height) in SIZES.items():
                    take(browser, base, FOLDER / f"{name}.png", width, height)
                browser.close()


def take(browser: Browser, base: str, path: Path, width: int, height: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": height}, locale="en-GB")
    page.goto(base)
    page.get_by_label("E-mail address").fill("alice@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.locator("#figures figure").last.wait_for()
    if width > 1000:
        page.get_by_role("textbox", name="Add a task").fill("Water the ivy tomorrow #plants !high")
    page.mouse.move(width - 5, 5)
    page.wait_for_timeout(1500)
    page.screenshot(path=path)


def fill(base: str) -> None:
    """Accounts, projects and tasks, through the API as anybody would."""
    tokens = {name: sign_up(base, name) for name in ("Alice", "Bob", "Charlie")}
    alice = tokens["Alice"]
    ids = {name: call(base, "users/me", token=token)["id"] for name, token in tokens.items()}
    projects: dict[str | None, int] = {None: call(base, "projects", token=alice)["items"][0]["id"]}
    for name in (HOME, OFFICE, GARDEN):
        projects[name] = call(base, "projects", {"name": name}, token=alice)["id"]
    for project, member in ((HOME, "Bob"), (OFFICE, "Bob"), (OFFICE, "Charlie")):
        body = {"email": f"{member.lower()}@example.com", "role": "editor"}
        call(base, f"projects/{projects[project]}/members", body, token=alice)
    today = dt.datetime.now(dt.UTC).replace(hour=23, minute=30, second=0, microsecond=0)
    for project, title, days, more in TASKS:
        task = {"project_id": projects[project], "title": title, **more}
        if who := task.pop("assignee", None):
            task["assignee_id"] = ids[who]
        if days is not None:
            due = today + dt.timedelta(days=days)
            task |= {"due_on": f"{due:%Y-%m-%d}"}
        call(base, "tasks", task, token=alice)
    import_done(base, projects[HOME], today, alice)


def import_done(base: str, project_id: int, today: dt.datetime, token: str) -> None:
    """What was done on each of the last thirty days: an owner's import keeps its times."""
    items = []
    for ago, count in enumerate(reversed(DONE_PER_DAY)):
        done = (today - dt.timedelta(days=ago, hours=23)).isoformat()
        times = {"created_at": done, "completed_at": done}
        items += [{"title": "Tidy up", "status": "done", **times} for _ in range(count)]
    call(base, f"tasks/import?project_id={project_id}", {"items": items}, token=token)


def call(base: str, path: str, body: Any = None, *, token: str = "") -> Any:
    status, _, answer = servers.ask(f"{base}/api/v1/{path}", body, token=token)
    if status >= 300:
        raise RuntimeError(f"{path}: {status} {answer}")
    return answer


def sign_up(base: str, name: str) -> str:
    body = {"email": f"{name.lower()}@example.com", "password": PASSWORD}
    call(base, "auth/register", {**body, "name": name})
    return str(call(base, "auth/login", body)["access_token"])


if __name__ == "__main__":
    main()
