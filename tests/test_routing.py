"""A path has the route that werkzeug finds, the second time as the first"""

from __future__ import annotations

from typing import Any, cast

import pytest
from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.routing import MapAdapter, RequestRedirect

from taskapp.web.routing import RememberingMap, Routes

KEYED = "/api/v1/projects/7/tasks/by-external-id"
PATHS = [
    *(
        "",
        "/",
        "/7",
        "/docs",
        "/static/7",
        "/static/7/8",
        "/api/v1/tasks",
        "/api/v1/tasks/",
        "/api//v1/tasks",
    ),
    *(
        f"/api/v1/tasks/{name}"
        for name in ("7", "8", "0", "07", "7\n", "٣", "7 ", "-7", "7.0", "x")
    ),
    *(f"/api/v1/tasks/{name}" for name in ("9" * 18, "9" * 19, "7/", "7//8", "7/comments/9")),
    *(f"/api/v1/tasks/{name}" for name in ("0/comments/9", "7/comments/0", "/comments/9", "batch")),
    *(KEYED, f"{KEYED}/", f"{KEYED}/8", f"{KEYED}/8/9", f"{KEYED}/0", f"{KEYED}/<id:7>"),
]
METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "BREW"]


def found(adapter: MapAdapter) -> Any:
    try:
        rule, arguments = adapter.match(return_rule=True)
    except RequestRedirect as redirect:
        return redirect.new_url
    except HTTPException as refusal:
        return refusal.code, sorted(getattr(refusal, "valid_methods", None) or ())
    return rule, arguments


@pytest.mark.parametrize("method", METHODS)
def test_a_remembered_route_is_the_one_that_would_be_found(app: Flask, method: str) -> None:
    for path in (*PATHS, *PATHS):
        asked = ("example.com", "/", "", "http", path, method)
        ours, plain = Routes(cast("Any", app.url_map), *asked), MapAdapter(app.url_map, *asked)
        assert found(ours) == found(plain), path
        assert ours.allowed_methods() == plain.allowed_methods(), path


def test_clients_cannot_make_it_remember_more_than_the_rules(app: Flask) -> None:
    routes = cast("RememberingMap", app.url_map)
    for number in range(100, 200):
        for path in (f"/api/v1/tasks/{number}", f"{KEYED}/{number}", f"/static/{number}"):
            found(Routes(routes, "example.com", "/", "", "http", path, "GET"))

    assert ("GET", "/api/v1/tasks/", "") in routes.found
    assert len(routes.found) <= sum(len(rule.methods or ()) for rule in routes.iter_rules())
    assert not any("external" in part for around in routes.found for part in around)
