"""Swagger UI at /docs: what it has filled in is ready to execute"""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.page.conftest import Open

SIGNING_UP = [("auth", "register", "201"), ("auth", "login", "200")]
PREFILLED = [
    ("projects", "create_project", "201"),
    ("tasks", "create_task", "201"),
    ("tasks", "run_batch", "200"),
    ("tasks", "list_tasks", "200"),
    ("exchange", "import_tasks", "200"),
    ("auth", "create_token", "201"),
    ("users", "update_me", "200"),
    ("sync", "list_changes", "200"),
    ("reports", "get_stats", "200"),
    ("mcp", "call_mcp", "200"),
]


def execute(page: Any, tag: str, operation: str) -> tuple[str, str]:
    """Open an operation and click Execute, and nothing else; its status and its body."""
    section = page.locator(f"#operations-{tag}-{operation}")
    section.locator(".opblock-summary-control").click()
    section.locator(".btn.execute").click()
    answer = section.locator(".live-responses-table .response").first
    answer.wait_for()
    status = answer.locator(".response-col_status").inner_text()
    return status.split()[0], answer.locator(".microlight, .highlight-code").first.inner_text()


def authorize(page: Any, scheme: str, token: str) -> None:
    page.locator(".scheme-container .btn.authorize").click()
    container = page.locator(".auth-container").filter(has_text=f"{scheme} (http")
    container.locator("input").first.fill(token)
    container.locator(".auth-btn-wrapper .btn.authorize").click()
    page.locator(".auth-container .btn-done").first.click()


@pytest.mark.parametrize("fresh_environment", ["sqlite"], indirect=True)
def test_what_is_prefilled_works(visit: Open, service: str) -> None:
    page = visit()
    page.goto(f"{service}/docs")
    answers = [execute(page, tag, name) for tag, name, _ in SIGNING_UP]
    assert [status for status, _ in answers] == [status for *_, status in SIGNING_UP]
    found = re.search(r'"access_token": "([^"]+)"', answers[1][1])
    assert found
    authorize(page, "session", found[1])

    for tag, name, expected in PREFILLED:
        status, body = execute(page, tag, name)
        assert status == expected, f"{name}: {body}"
