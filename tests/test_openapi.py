"""/openapi.json: valid, complete, and bounded"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from jsonschema_rs import Draft202012Validator
from openapi_spec_validator import validate

from taskapp.web import idempotency, openapi
from tests.calls import CALLS, SESSION
from tests.conftest import Client, Json, add, named, refused

# Pages for people and files have no schema to show.
PAGES = {"/docs", "/redoc", "/openapi.json", "/static/{filename}", "/.well-known/security.txt"}
# These give out credentials once, or answer in JSON-RPC.
SENT_ONCE = {f"POST /api/v1/auth/{step}" for step in ("login", "login/totp", "refresh")}
SENT_ONCE |= {"POST /mcp", "POST /api/v1/auth/email/verify", "POST /api/v1/auth/oidc/token"}
SENT_ONCE |= {f"POST /api/v1/auth/password/{step}" for step in ("forgot", "reset")}
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


def test_the_document_and_the_service_agree_on_what_is_blank(alice: Client, document: Json) -> None:
    title = document["components"]["schemas"]["TaskInput"]["properties"]["title"]
    blank = [sign for sign in map(chr, range(0x20, 0x3001)) if sign.isspace()]
    for sign, is_valid in [*((sign, False) for sign in blank), ("\ufeff", True), ("\u200b", True)]:
        status = alice.post("/api/v1/tasks", json={"title": sign}).status_code

        assert Draft202012Validator(title).is_valid(sign) is is_valid, ascii(sign)
        assert status == (201 if is_valid else 422), ascii(sign)


def resolved(document: Json, value: Json) -> Json:
    """What a reference refers to."""
    for name in value.get("$ref", "#").split("/")[1:]:
        value = (document if name == "components" else value)[name]
    return value


def bodies(document: Json) -> Iterator[tuple[str, str, Json]]:
    """Each operation with each media type of its body, and what is said of it."""
    for name, operation in operations(document):
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
            yield name, media_type, content


def replies(document: Json) -> Iterator[tuple[str, Json]]:
    """Each operation with each status, and what is said of it."""
    for name, operation in operations(document):
        for status, response in operation["responses"].items():
            yield f"{name} {status}", resolved(document, response)


def reachable(document: Json, value: Any, seen: set[str]) -> set[str]:
    """The names of all schemas that a part of the document refers to."""
    if isinstance(value, dict):
        reference = value.get("$ref", "")
        name = reference.rpartition("/")[2]
        if name and reference not in seen:
            seen.add(reference)
            reachable(document, resolved(document, value), seen)
        for inner in value.values():
            reachable(document, inner, seen)
    elif isinstance(value, list):
        for inner in value:
            reachable(document, inner, seen)
    prefix = "#/components/schemas/"
    return {each.removeprefix(prefix) for each in seen if each.startswith(prefix)}


def explains(text: Any) -> bool:
    """Whether a description is a sentence of its own, and none that a library wrote."""
    is_sentence = isinstance(text, str) and len(text) > 5 and text[-1] in ".)"
    return is_sentence and "marshmallow" not in text and "  " not in text


def test_every_schema_and_property_is_explained(document: Json) -> None:
    mute = []
    for name, schema in document["components"]["schemas"].items():
        if not explains(schema.get("description")):
            mute.append(name)
        for field, described in schema["properties"].items():
            if not explains(described.get("description")):
                mute.append(f"{name}.{field}")

    assert mute == []


def test_every_operation_and_parameter_is_explained(document: Json) -> None:
    mute = []
    for name, operation in operations(document):
        described = [operation, *operation["parameters"]]
        if "requestBody" in operation:
            described.append(operation["requestBody"])
        mute += [name for each in described if not explains(each["description"])]
        if len(operation["description"]) <= len(operation["summary"]) + 10:
            mute.append(f"{name} says no more than its summary")

    assert mute == []


def test_every_reply_header_and_credential_is_explained(document: Json) -> None:
    described = dict(replies(document))
    described |= document["components"]["headers"] | document["components"]["securitySchemes"]

    assert [name for name, each in described.items() if not each["description"]] == []


def test_what_is_sent_and_what_is_answered_are_apart(document: Json) -> None:
    sent, shown = set[str](), set[str]()
    for _, _, content in bodies(document):
        sent |= reachable(document, content, set())
    for _, response in replies(document):
        shown |= reachable(document, response, set())

    assert sent & shown == set()
    assert sent | shown == document["components"]["schemas"].keys()
    for _, schema in schemas(document):
        assert not {"readOnly", "writeOnly"} & schema.keys()


def test_an_answer_says_what_is_always_there(document: Json) -> None:
    shown = set[str]()
    for _, response in replies(document):
        shown |= reachable(document, response, set())
    left_out = {
        f"{name}.{field}"
        for name in shown
        for field in document["components"]["schemas"][name]["properties"]
        if field not in document["components"]["schemas"][name].get("required", ())
    }
    of_lists = {each for each in left_out if each.endswith("Page.total")}
    of_messages = {f"MessageResponse.{name}" for name in ("id", "result", "error")}
    reasons = {"Problem.errors", "Problem.ticket", "Reason.pointer", "Reason.parameter"}
    cut = {each for each in left_out if each.startswith("ListedTask.")}  # `fields` says which

    assert left_out - of_lists - reasons - of_messages - cut == {
        "Error.data",
        "NewToken.feed_url",
        "OperationResult.task",
        "Health.checks",
    }
    assert len(cut) == len(document["components"]["schemas"]["Task"]["required"])


def test_names_are_enumerated(document: Json) -> None:
    task = document["components"]["schemas"]["TaskInput"]["properties"]
    event = document["components"]["schemas"]["Event"]["properties"]

    assert task["status"]["enum"] == ["todo", "in_progress", "done", "cancelled"]
    assert task["priority"]["enum"] == ["none", "low", "medium", "high", "urgent"]
    assert {"created", "reminder", "webhook-disabled"} <= {*event["kind"]["enum"]}


def test_every_body_has_an_example_that_is_valid(document: Json) -> None:
    examples = 0
    for name, media_type, content in bodies(document):
        if media_type == "multipart/form-data":
            continue  # a file, of whatever bytes
        example = content["example"]
        if media_type.endswith("json") and isinstance(example, dict):
            checked = {**content["schema"], "components": document["components"]}
            Draft202012Validator(checked, validate_formats=True).validate(example)
        assert example, name
        examples += 1
    assert examples > 20


def test_no_example_is_of_an_operation_that_is_gone(document: Json) -> None:
    names = {operation["operationId"] for _, operation in operations(document)}
    with_bodies = {name for name in openapi.EXAMPLES if name in names}

    assert openapi.EXAMPLES.keys() == with_bodies
    assert {name for name in openapi.SECURITY if name} <= names


def test_a_problem_looks_as_it_is_answered(document: Json, alice: Client) -> None:
    """Each example is what a client gets, but for the request's id."""
    answered = {
        "not-found": alice.get("/api/v1/nothing"),
        "validation-error": alice.post("/api/v1/tasks", json={}),
        "invalid-cursor": alice.get("/api/v1/tasks?cursor=x"),
        "malformed-json": alice.post("/api/v1/tasks", data="{", content_type="application/json"),
        "unsupported-media-type": alice.post("/api/v1/tasks", data="a", content_type="text/plain"),
        "unauthorized": alice.application.test_client().get("/api/v1/tasks"),
    }
    for code, response in answered.items():
        example = document["components"]["examples"][code]["value"]
        problem = response.get_json()
        assert {**example, "request_id": problem["request_id"]} == problem


def test_every_problem_has_its_example(document: Json) -> None:
    problem = {"$ref": "#/components/schemas/Problem", "components": document["components"]}
    validator = Draft202012Validator(problem)
    for code, example in document["components"]["examples"].items():
        validator.validate(example["value"])
        assert example["value"]["code"] == code
    for name, response in document["components"]["responses"].items():
        examples = response["content"]["application/problem+json"]["examples"]
        assert list(examples) == name.split(".")


def headers_of(document: Json, path: str, method: str, status: int) -> set[str]:
    operation = document["paths"][path][method]
    return {*resolved(document, operation["responses"][str(status)])["headers"]}


def test_says_which_headers_come_with_an_answer(document: Json) -> None:
    always = {"X-Request-ID", "Link", "Server-Timing"}
    limited = always | {"RateLimit", "RateLimit-Policy"}
    created = headers_of(document, "/api/v1/tasks", "post", 201)

    assert created == limited | {"ETag", "Location", "Idempotency-Replayed"}
    assert headers_of(document, "/api/v1/tasks/{task_id}", "get", 304) == limited | {"ETag"}
    assert headers_of(document, "/api/v1/tasks", "get", 429) == limited | {"Retry-After"}
    assert headers_of(document, "/api/v1/tasks", "get", 401) == limited | {"WWW-Authenticate"}
    assert headers_of(document, "/health", "get", 200) == always | {"ETag"}


def test_says_who_may_call(document: Json) -> None:
    open_to_all = {
        name
        for name, operation in operations(document)
        if name.split()[1].startswith("/api/v1/") and operation["security"] == []
    }

    assert open_to_all == {
        "POST /api/v1/auth/register",
        "POST /api/v1/auth/login",
        "POST /api/v1/auth/login/totp",
        "POST /api/v1/auth/refresh",
        "GET /api/v1/auth/providers",
        "GET /api/v1/auth/oidc/login",
        "GET /api/v1/auth/oidc/callback",
        "POST /api/v1/auth/oidc/token",
        "POST /api/v1/auth/password/forgot",
        "POST /api/v1/auth/password/reset",
        "POST /api/v1/auth/email/verify",
        "GET /api/v1/feeds/{secret}.ics",
    }
    for _, operation in operations(document):
        assert ("401" in operation["responses"]) >= bool(operation["security"])


def test_says_with_which_credential(document: Json) -> None:
    schemes = document["components"]["securitySchemes"]
    for name, operation in operations(document):
        for requirement in operation["security"]:
            assert requirement.keys() <= schemes.keys(), name
    tasks = document["paths"]["/api/v1/tasks"]["get"]

    assert tasks["security"] == [{"session": []}, {"token": []}, {"basic": []}]
    assert [schemes[name]["scheme"] for name in ("session", "token", "basic")] == [
        *("bearer", "bearer", "basic")
    ]


def test_says_what_only_a_session_may_do(document: Json) -> None:
    sessions_only = {
        name.replace("{session_id}", "{session}")
        for name, operation in operations(document)
        if operation["security"] == [{"session": []}]
    }
    calls = {f"{call.method} {call.path}" for call in CALLS if call.level == SESSION}

    assert sessions_only == calls - {"DELETE /api/v1/auth/tokens/{token}"}  # it may end itself


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
        if name.startswith("POST ") and name not in SENT_ONCE
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
    task = document["components"]["schemas"]["TaskInput"]["properties"]
    for field in ("title", "external_id", "description"):
        most = task[field]["maxLength"]
        add(alice, **{"title": "x", field: "x" * most})
        longer = alice.post("/api/v1/tasks", json={"title": "x", field: "x" * (most + 1)})
        assert named(longer) == [f"/{field}"]
    assert refused(alice.get("/api/v1/tasks?limit=201"))[0] == 422
