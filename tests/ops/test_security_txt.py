"""GET /.well-known/security.txt (RFC 9116)"""

from __future__ import annotations

import datetime as dt

from tests.conftest import Client


def test_says_where_holes_are_reported(anonymous: Client) -> None:
    response = anonymous.get("/.well-known/security.txt")
    told = dict(line.split(": ", 1) for line in response.text.splitlines())
    left = dt.datetime.fromisoformat(told["Expires"]) - dt.datetime.now(dt.UTC)

    assert response.content_type == "text/plain; charset=utf-8"
    assert dt.timedelta(days=300) < left < dt.timedelta(days=366)
    page = anonymous.get(told["Contact"].removeprefix("http://localhost"))
    assert page.status_code == 200
    assert "report it privately" in page.text
