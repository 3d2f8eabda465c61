"""Below a path, behind a proxy that takes the path away."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Route, expect

from tests.page.conftest import Open, quick_add, register, row, tasks_of


def test_the_page_works_below_a_path_prefix(visit: Open, service: str) -> None:
    page = visit()
    outside: list[str] = []

    def take_prefix_away(route: Route) -> None:
        path = route.request.url.removeprefix(service)
        if path.startswith("/team/"):
            route.continue_(url=service + path.removeprefix("/team"))
        else:
            outside.append(path)
            route.abort()

    page.route("**", take_prefix_away)
    page.goto(f"{service}/team/")
    register(page)
    quick_add(page, "Water the fern")
    expect(row(page, "Water the fern")).to_be_visible()
    page.wait_for_timeout(500)
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
