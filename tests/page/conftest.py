"""The page in a real browser: the system's Chromium, driven by Playwright.

Whatever a test does, its visitors look on: no request leaves the host, the browser reports no
breach of the content security policy, and no script fails.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests import servers

# The ordinary suite runs without what requirements-page.txt installs.
collect_ignore_glob = [] if find_spec("playwright") else ["test_*.py"]
PASSWORD = "correct-horse-battery-fern"
PATIENCE = 30_000  # milliseconds, for machines that are busy
NAMES = ("chromium", "chromium-browser", "google-chrome")
# What the page says is gone after some seconds: it is written down, for a machine that is busy.
SAID = """window.said = []
addEventListener('DOMContentLoaded', () => {
  const toast = document.getElementById('toast')
  const note = () => said.push(toast.textContent)
  if (toast) new MutationObserver(note).observe(toast, { childList: true })
})"""
REPORT = """addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
  report(`${violatedDirective} ${blockedURI}`)
})"""
WAITING = """() => new Promise((resolve) => {
  const opening = indexedDB.open('taskapp')
  opening.onsuccess = () => {
    const counting = opening.result.transaction('outbox').objectStore('outbox').count()
    counting.onsuccess = () => {
      opening.result.close()
      resolve(counting.result)
    }
  }
})"""
Open = Callable[..., Any]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/page/" in item.nodeid:
            item.add_marker(pytest.mark.page)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium(), **launch_options())
        yield running
        running.close()


def chromium() -> str:
    """The system's browser."""
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    assert path, "Install Chromium (apt-get install chromium), or name it in CHROMIUM."
    return path


def launch_options() -> dict[str, Any]:
    options = ["--disable-gpu", "--disable-dev-shm-usage"]
    if sys.platform == "linux" and os.geteuid() == 0:
        options.append("--no-sandbox")  # Chromium has no sandbox for root
    return {"args": options}


@pytest.fixture
def service(fresh_environment: dict[str, str]) -> Iterator[str]:
    """The whole service, on each database in turn."""
    settings = {"RATELIMIT_DEFAULT": "10000 per minute", "INVITATIONS": "false"}
    with servers.gunicorn(**fresh_environment, **settings) as base:
        yield base


@pytest.fixture
def visit(browser: Any, service: str) -> Iterator[Open]:
    """Open the page in a browser of its own: `visit(width=390, color_scheme="dark")`."""
    contexts, breaches, hosts, failures = [], list[str](), set[str](), list[str]()

    def open_page(width: int = 1440, height: int = 900, **options: Any) -> Any:
        options = {"locale": "en-GB", "timezone_id": "Europe/Berlin", **options}
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        context.set_default_timeout(PATIENCE)
        context.expose_binding("report", lambda _, text: breaches.append(text))
        context.add_init_script(REPORT)
        context.add_init_script(SAID)
        context.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
        context.on("weberror", lambda error: failures.append(str(error.error)))
        contexts.append(context)
        page = context.new_page()
        page.goto(service)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert failures == []
    assert breaches == []
    assert hosts <= {urlsplit(service).netloc, ""}  # a blob has no host


def register(page: Any, name: str = "Alice") -> Any:
    """Make an account on the page, and come in."""
    page.get_by_role("button", name="Create an account").click()
    page.get_by_label("Your name").fill(name)
    page.get_by_label("E-mail address").fill(f"{name.lower()}@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    page.get_by_role("heading", name="Today", level=1).wait_for()
    return page


def sign_in(page: Any, name: str = "Alice") -> Any:
    page.get_by_label("E-mail address").fill(f"{name.lower()}@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Today", level=1).wait_for()
    return page


def quick_add(page: Any, text: str) -> None:
    page.get_by_role("textbox", name="Add a task").fill(text)
    page.keyboard.press("Enter")
    page.wait_for_function("document.getElementById('new').value === ''")


def wait_until_said(page: Any, text: str) -> None:
    """In the toast, since the page was loaded."""
    page.wait_for_function("text => said.some((one) => one.includes(text))", arg=text)


def wait_for(page: Any, is_so: Callable[[], bool]) -> None:
    for _ in range(PATIENCE // 100):
        if is_so():
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"not within {PATIENCE} ms")


def wait_until_sent(page: Any) -> None:
    """Nothing waits in the outbox."""
    wait_for(page, lambda: page.evaluate(WAITING) == 0)


@contextmanager
def answered(page: Any, method: str) -> Iterator[None]:
    """What is done in it has been answered by the service at its end."""
    with page.expect_response(lambda answer: answer.request.method == method):
        yield


def row(page: Any, title: str) -> Any:
    return page.locator("#list .task").filter(has_text=title)


def go_to(page: Any, name: str) -> None:
    page.locator("#side").get_by_role("link", name=name).first.click()
    page.get_by_role("heading", name=name, level=1).wait_for()


def token(service: str, name: str = "Alice") -> str:
    body = {"email": f"{name.lower()}@example.com", "password": PASSWORD}
    _, _, pair = servers.ask(f"{service}/api/v1/auth/login", body)
    return str(pair["access_token"])


def tasks_of(service: str, name: str = "Alice") -> list[dict[str, Any]]:
    """What the service knows, oldest first, past the page."""
    _, _, found = servers.ask(
        f"{service}/api/v1/tasks?sort=id&limit=200", token=token(service, name)
    )
    return list(found["items"])
