"""Below a path, behind a proxy that takes the path away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from tests import servers
from tests.page.conftest import Open, quick_add, register, row, tasks_of, wait_until_sent


@pytest.fixture
def service(fresh_environment: dict[str, str]) -> Iterator[str]:
    """The service behind a proxy."""
    with servers.gunicorn(**fresh_environment, TRUSTED_PROXIES="1") as base:
        yield base


@pytest.mark.parametrize(
    ("said", "address"), [("", "/team/"), ("/team", "/team/"), ("/team", "/team")]
)
def test_the_page_works_below_a_path_prefix(
    visit: Open, service: str, said: str, address: str
) -> None:
    page = visit()
    page.goto("about:blank")  # so that nothing of the first page is still on its way
    outside: list[str] = []

    def take_prefix_away(route: Route) -> None:
        path = route.request.url.removeprefix(service)
        if path.partition("#")[0] == "/team" or path.startswith("/team/"):
            headers = {**route.request.headers, "X-Forwarded-Prefix": said}
            route.continue_(url=service + path.removeprefix("/team"), headers=headers)
        else:
            outside.append(path)
            route.abort()

    page.route("**", take_prefix_away)
    page.goto(f"{service}{address}")
    register(page)
    quick_add(page, "Water the fern")
    expect(row(page, "Water the fern")).to_be_visible()
    wait_until_sent(page)
    assert [task["title"] for task in tasks_of(service)] == ["Water the fern"]
    assert outside == []


def test_a_busy_service_is_named_and_asked_again(visit: Open) -> None:
    page = register(visit())
    quick_add(page, "Water the fern")
    expect(row(page, "Water the fern")).to_be_visible()
    asked: list[Any] = []

    def refuse_twice(route: Route) -> None:
        asked.append(route)
        if len(asked) > 2:
            route.continue_()
            return
        body = '{"code": "database-busy", "detail": "Busy.", "request_id": "a7f3c210"}'
        headers = {"Retry-After": "1", "Content-Type": "application/problem+json"}
        route.fulfill(status=503, headers=headers, body=body)

    page.route("**/api/v1/tasks?*status=done*", refuse_twice)
    page.locator("#side").get_by_role("link", name="Done").click()
    expect(page.get_by_text("The server answered 503")).to_be_visible()
    expect(page.get_by_text("Request a7f3c210")).to_be_visible()
    expect(page.get_by_text("Nothing is done yet")).to_be_visible()
