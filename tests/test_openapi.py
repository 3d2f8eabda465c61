"""/openapi.json: valid, complete, and bounded"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from jsonschema_rs import Draft202012Validator
from openapi_spec_validator import validate

from taskapp.web import idempotency, openapi
from tests.conftest import Client, Json, add, named, refused

# Pages for people and files have no schema to show.
PAGES = {"/docs", "/redoc", "/openapi.json", "/static/{filename}", "/.well-known/security.txt"}
BOUNDS = {
    "string": ({"maxLength"}, {"enum"}, {"const"}),
    "integer": ({"minimum", "maximum"},),
    "number": ({"minimum", "maximum"},),
    "array": ({"maxItems"},),
}


@pytest.fixture
def document(anonymous: Client) -> Json:
    response = anonymous.get("/openapi.json")
    assert response.mimetype == "application/json"
    return dict(response.get_json())


def operations(document: Json) -> Iterator[tuple[str, Json]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def schemas(value: Any, path: str = "") -> Iterator[tuple[str, Json]]:
    """Everything in the document that says which type it is of."""
    if isinstance(value, dict):
        if isinstance(value.get("type"), str | list):
            yield path, value
        for name, inner in value.items():
            if name not in {"examples", "example", "enum"}:
                yield from schemas(inner, f"{path}/{name}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from schemas(inner, f"{path}/{number}")


def test_is_valid_openapi_3_1(document: Json) -> None:
    validate(document)
    assert document["openapi"].startswith("3.1.")


def test_can_be_asked_whether_it_changed(anonymous: Client) -> None:
    tag = {"If-None-Match": anonymous.get("/openapi.json").headers["ETag"]}

    assert anonymous.get("/openapi.json", headers=tag).status_code == 304


def test_every_route_is_in_it(app: Flask, document: Json) -> None:
    routes = {
        f"{method} " + openapi.ARGUMENT.sub(r"{\2}", rule.rule)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    shown = {name for name, _ in operations(document)}

    assert {route for route in routes if route.split()[1] not in PAGES} == shown


def test_every_operation_says_what_it_is(document: Json) -> None:
    for name, operation in operations(document):
        assert operation["summary"], name
        assert operation["tags"], name
    ids = [operation["operationId"] for _, operation in operations(document)]
    assert len(set(ids)) == len(ids)
    assert {tag for _, each in operations(document) for tag in each["tags"]} <= {
        tag["name"] for tag in document["tags"]
    }


def test_every_value_has_its_limits(document: Json) -> None:
    unbounded = []
    for path, schema in schemas(document):
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        for kind in kinds:
            bounds = BOUNDS.get(kind)
            if bounds and not any(bound <= schema.keys() for bound in bounds):
                unbounded.append(path)

    assert unbounded == []


def sample(document: Json, schema: Json) -> Any:
    """A value made of the examples that the document gives."""
    schema = schema.get("oneOf", [schema])[0]
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return sample(document, document["components"]["schemas"][name])
    if "examples" in schema:
        return schema["examples"][0]
    if schema["type"] == "object":
        known = schema["properties"]
        shown = [name for name in known if {"examples", "enum"} & known[name].keys()]
        names = schema.get("required") or shown[:1]
        return {name: sample(document, known[name]) for name in names}
    return [sample(document, schema["items"])] if "items" in schema else schema["enum"][0]


def test_every_body_has_an_example_that_is_valid(document: Json) -> None:
    bodies = 0
    for name, operation in operations(document):
        for media, content in operation.get("requestBody", {}).get("content", {}).items():
            if media == "application/json":
                body = sample(document, content["schema"])
                checked = {**content["schema"], "components": document["components"]}
                Draft202012Validator(checked).validate(body)
                assert body, name
                bodies += 1
    assert bodies > 10


def test_says_who_may_call(document: Json) -> None:
    open_to_all = {
        name
        for name, operation in operations(document)
        if name.split()[1].startswith("/api/v1/") and operation["security"] == []
    }

    assert open_to_all == {
        "POST /api/v1/auth/register",
        "POST /api/v1/auth/login",
        "POST /api/v1/auth/refresh",
        "GET /api/v1/feeds/{secret}.ics",
    }
    for _, operation in operations(document):
        assert ("401" in operation["responses"]) >= bool(operation["security"])


def test_every_post_may_be_sent_again(document: Json) -> None:
    keys = {
        name: each["schema"]["pattern"]
        for name, operation in operations(document)
        for each in operation["parameters"]
        if each["name"] == "Idempotency-Key"
    }

    assert set(keys.values()) == {idempotency.KEY.pattern}
    assert keys.keys() == {
        name
        for name, _ in operations(document)
        if name.startswith("POST ") and name.rpartition("/")[2] not in {"login", "refresh", "mcp"}
    }


def test_every_write_of_what_is_there_may_be_conditional(document: Json) -> None:
    for name, operation in operations(document):
        headers = {each["name"] for each in operation["parameters"] if each["in"] == "header"}
        one = name.endswith(("}", "/me"))
        if name.split()[0] in {"PATCH", "PUT", "DELETE"} and one and "sessions" not in name:
            assert "If-Match" in headers, name
        if name.startswith("GET /api/v1/") and operation["security"]:
            assert "If-None-Match" in headers, name


def test_the_limits_are_the_ones_that_hold(alice: Client, document: Json) -> None:
    task = document["components"]["schemas"]["Task"]["properties"]
    for field in ("title", "external_id", "description"):
        most = task[field]["maxLength"]
        add(alice, **{"title": "x", field: "x" * most})
        longer = alice.post("/api/v1/tasks", json={"title": "x", field: "x" * (most + 1)})
        assert named(longer) == [f"/{field}"]
    assert refused(alice.get("/api/v1/tasks?limit=201"))[0] == 422
