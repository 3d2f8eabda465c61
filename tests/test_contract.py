"""What holds for every route: strict input, true methods, and a problem for each refusal"""

from __future__ import annotations

import io
import json
import re
import socket
from collections import defaultdict
from typing import Any

import pytest
from flask import Flask, g, url_for

from taskapp.tasks.schemas import TaskQuerySchema
from taskapp.web import contract
from taskapp.web.current import Current, current
from tests import servers
from tests.calls import ADMIN, AGENT, CALLS, names_for
from tests.conftest import Client, Json, add, named, refused

pytestmark = pytest.mark.usefixtures("with_mail")
URL = "/api/v1/tasks"
NAMES = dict.fromkeys(
    (
        "project task deleted user session token comment attachment webhook"
        " invitation accepted declined"
    ).split(),
    1,
)
NAMES |= {"static": "README.txt", "refresh": "x"}
BODIES = [call for call in CALLS if call.body and call.level != AGENT]
METHODS = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "BREW"}


def paths(app: Flask) -> dict[str, set[str]]:
    """Every path with the methods that it knows."""
    known: dict[str, set[str]] = defaultdict(set)
    urls = app.url_map.bind("localhost")
    for call in CALLS:
        path = call.path.format(**NAMES)
        known[path] |= set(urls.allowed_methods(path))
    return known


def test_a_wrong_method_is_405_with_those_that_work(app: Flask, alice: Client) -> None:
    for path, known in paths(app).items():
        for method in METHODS - known:
            response = alice.open(path, method=method)
            assert response.status_code == 405, f"{method} {path}"
            assert method == "HEAD" or refused(response)[1] == "method-not-allowed"
            assert set(response.headers["Allow"].split(", ")) == known


def test_options_work_everywhere_and_for_everybody(app: Flask, anonymous: Client) -> None:
    for path, known in paths(app).items():
        response = anonymous.options(path)
        assert (response.status_code, response.data) == (200, b"")
        assert set(response.headers["Allow"].split(", ")) == known
        assert "Content-Type" not in response.headers


def test_addresses_are_built_as_flask_builds_them(app: Flask) -> None:
    with app.test_request_context():
        assert url_for("tasks.get_task", task_id=7) == "/api/v1/tasks/7"
        assert url_for("tasks.get_task", task_id=7, rule="x y") == "/api/v1/tasks/7?rule=x+y"


def test_what_has_no_body_has_no_type(alice: Client) -> None:
    deleted = alice.delete(f"/api/v1/tasks/{add(alice)['id']}")

    assert (deleted.status_code, deleted.headers.get("Content-Type")) == (204, None)


def test_head_is_get_without_a_body(alice: Client, admin: Client, shared: Json) -> None:
    names = names_for(alice, alice, shared)
    for call in CALLS:
        if call.method == "GET":
            client = admin if call.level == ADMIN else alice
            url = call.filled(names).path
            got, head = client.get(url), client.head(url)
            assert (head.status_code, head.data) == (got.status_code, b"")
            # A cursor says when it was made, and these two are asked just now.
            moves = call.path.endswith(("/changes", "/health/detailed", "/metrics"))
            always = ("Content-Type", "Cache-Control")
            for name in always if moves else (*always, "Content-Length", "ETag"):
                assert head.headers.get(name) == got.headers.get(name), f"{name} of {url}"


def test_no_header_comes_twice(alice: Client, task: Json) -> None:
    """`Date` among them: the server adds it to each answer, so the application has none."""
    url = f"/api/v1/tasks/{task['id']}/attachments"
    form = {"file": (io.BytesIO(b"x"), "a.txt")}
    made = alice.post(url, data=form, content_type="multipart/form-data").get_json()
    browser = {"Accept": "text/html"}
    for path in ("/", "/static/README.txt", f"{url}/{made['id']}", "/api/v1/tasks?format=csv"):
        response = alice.get(path, headers=browser if path == "/" else {})
        names = [name.lower() for name, _ in response.headers]

        assert response.status_code == 200
        assert sorted(set(names)) == sorted(names)
        assert "date" not in names


def test_a_trailing_slash_is_another_url(app: Flask, alice: Client) -> None:
    for path in paths(app):
        if path != "/" and "/static/" not in path and "/by-external-id/" not in path:
            for other in (f"{path}/", path.replace("/api/", "/api//")):
                assert other == path or refused(alice.get(other))[0] == 404, other


def test_an_unknown_or_repeated_parameter_is_named(
    alice: Client, admin: Client, shared: Json
) -> None:
    names = names_for(alice, alice, shared)
    for call in (call.filled(names) for call in CALLS):
        if call.path.endswith("/oidc/callback"):  # a provider may send along what it wants
            continue
        if call.path.startswith("/api/v1/") and not call.path.endswith(".ics"):
            client = admin if call.level == ADMIN else alice
            for query, name in (("colour=red", "colour"), ("a=1&a=1", "a"), ("%ff=1", None)):
                response = call._replace(path=f"{call.path}?{query}").send(client)
                assert refused(response) == (422, "validation-error"), f"{call.method} {call.path}"
                assert name in (None, *named(response))


def test_a_query_is_read_once_and_means_the_same_to_everybody(
    app: Flask, alice: Client, bob: Client
) -> None:
    """What it means is remembered; whom it is answered for, and what is refused, is not."""
    mine, theirs = add(alice, "Fern", labels=["home"]), add(bob, "Moss", labels=["home"])
    for _ in range(3):
        for client, task in ((alice, mine), (bob, theirs)):
            page = client.get("/api/v1/tasks?label=home&limit=1&sort=title").get_json()
            assert [item["id"] for item in page["items"]] == [task["id"]]
        assert refused(alice.get("/api/v1/tasks?limit=0&limit=1")) == (422, "validation-error")
    add(alice, "Zinnia", labels=["home"])
    link = alice.get("/api/v1/tasks?label=home&limit=1&sort=title").get_json()["next_cursor"]
    assert (
        alice.get(f"/api/v1/tasks?label=home&limit=1&sort=title&cursor={link}").status_code == 200
    )
    for _ in range(2):
        assert (
            bob.get(f"/api/v1/tasks?label=home&limit=1&sort=title&cursor={link}").status_code == 422
        )


@pytest.mark.parametrize("is_remembered", [True, False])
def test_nothing_that_is_done_to_a_query_is_remembered(
    app: Flask, monkeypatch: pytest.MonkeyPatch, is_remembered: bool
) -> None:
    schema = TaskQuerySchema()
    monkeypatch.setattr(contract, "REMEMBERED_QUERY", 300 if is_remembered else 5)
    contract._remembered_query.cache_clear()
    with app.test_request_context("/api/v1/tasks?label=home&limit=3") as context:
        g.current = Current(context.request, [], app.extensions["taskapp"], app)
        first = contract.load_query(schema)
        expected = {**first, "label": list(first["label"])}
        first["label"].append("work")
        first["limit"] = 77
        current().query["limit"] = "78"
        assert contract.load_query(schema) == expected
        assert current().query == {"label": "home", "limit": "3"}
    assert contract._remembered_query.cache_info().currsize == is_remembered


def test_names_each_parameter_that_is_no_text(alice: Client) -> None:
    for query in ("q=%00", "q=%ff", "q=%ed%a0%80", "q=a%1b"):
        assert named(alice.get(f"{URL}?{query}")) == ["q"]


def deep(depth: int) -> bytes:
    return b'{"title":' + b"[" * depth + b"]" * depth + b"}"


MALFORMED = {
    "empty": b"",
    "blank": b" ",
    "cut": b'{"title": "x"',
    "trailing text": b'{"title": "x"} x',
    "two values": b'{"title": "x"}{}',
    "comment": b'{"title": "x" /* y */}',
    "single quotes": b"{'title': 'x'}",
    "trailing comma": b'{"title": "x",}',
    "duplicate key": b'{"title": "x", "title": "x"}',
    "duplicate key inside": b'{"title": {"a": 1, "a": 1}}',
    "NaN": b'{"title": NaN}',
    "Infinity": b'{"title": -Infinity}',
    "past double": b'{"title": 1e999}',
    "past int64": b'{"title": 9223372036854775808}',
    "5,000 digits": b'{"title": ' + b"9" * 5000 + b"}",
    "not UTF-8": b'{"title": "\xff"}',
    "encoded surrogate": b'{"title": "\xed\xa0\x80"}',
    "UTF-16": '{"title": "x"}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"title": "x"}',
    "a control character": b'{"title": "a\nb"}',
    "33 deep": deep(32),
    "50,000 deep": deep(50_000),
}


def test_json_is_strict(alice: Client) -> None:
    for name, data in MALFORMED.items():
        response = alice.post(URL, data=data, content_type="application/json")
        assert refused(response) == (400, "malformed-json"), name
    response = alice.post(URL, data=deep(31), content_type="application/json")
    assert named(response) == ["/title"]  # deep enough, but no title


def test_the_body_is_an_object(alice: Client) -> None:
    for data in (b"null", b"[]", b'"x"', b"1", b"true", b"1.5"):
        response = alice.post(URL, data=data, content_type="application/json")
        assert refused(response) == (422, "validation-error")
        assert response.get_json()["errors"][0]["pointer"] == ""


def test_every_body_is_json_and_plain(alice: Client, admin: Client, shared: Json) -> None:
    names = names_for(alice, alice, shared)
    for call in (call.filled(names) for call in BODIES):
        client = admin if call.level == ADMIN else alice
        data, post = json.dumps(call.body), call._replace(body=None)
        for wrong in (
            {"content_type": "text/plain"},
            {"content_type": "application/x-www-form-urlencoded"},
            {"content_type": None},
            {"content_type": "application/json", "headers": {"Content-Encoding": "gzip"}},
        ):
            response = client.open(post.path, method=post.method, data=data, **wrong)
            assert refused(response) == (415, "unsupported-media-type"), f"{call.path} {wrong}"
        for data in ("", "["):
            response = client.open(
                post.path, method=post.method, data=data, content_type="application/json"
            )
            assert refused(response) == (400, "malformed-json"), call.path
        plain = {"content_type": "application/json", "headers": {"Content-Encoding": "IDENTITY"}}
        response = client.open(post.path, method=post.method, data="[", **plain)
        assert refused(response) == (400, "malformed-json"), call.path


def test_a_media_type_may_have_its_parameters(alice: Client) -> None:
    for media in (
        "application/json; charset=UTF-8",
        "application/json; charset=utf8",
        "application/json; charset=latin-1",
        "Application/JSON",
        "application/json;v=1",
    ):
        response = alice.post(URL, data='{"title": "x"}', content_type=media)
        assert response.status_code == 201, media


def test_what_is_too_large_is_refused_unread(alice: Client) -> None:
    most = 1024 * 1024
    padded = b'{"title": "x"' + b" " * (most - 14) + b"}"

    assert alice.post(URL, data=padded, content_type="application/json").status_code == 201
    larger = alice.post(URL, data=padded + b" ", content_type="application/json")
    assert refused(larger) == (413, "payload-too-large")


def test_a_flood_of_values_is_refused_quickly(alice: Client) -> None:
    assert named(alice.post(URL, json={"title": "x", "labels": ["a"] * 100_000})) == ["/labels"]
    flood = {str(number): 1 for number in range(50_000)}
    assert len(named(alice.post(URL, json=flood))) <= 50_001


def test_every_body_names_what_it_does_not_know(alice: Client, admin: Client, shared: Json) -> None:
    names = names_for(alice, alice, shared)
    for call in (call.filled(names) for call in BODIES):
        client = admin if call.level == ADMIN else alice
        body = {**(call.body or {}), "colour": "red", "a/b~c": 1}
        response = call._replace(body=body).send(client)
        assert sorted(named(response)) == ["/a~1b~0c", "/colour"], f"{call.method} {call.path}"


def test_no_url_is_a_problem_too(alice: Client, anonymous: Client) -> None:
    for path in ("/nowhere", "/api/v1/nowhere", "/api/v2/tasks", "/static/nowhere", "/problems/x",
                 "/static/../wsgi.py", "/%00", "/%ff", "/api/v1/tasks/%2e%2e"):  # fmt: skip
        for client in (alice, anonymous):
            assert refused(client.get(path))[0] in (404, 401), path


def test_explains_every_problem_to_people_and_to_programs(anonymous: Client) -> None:
    items = anonymous.get("/problems").get_json()["items"]
    assert len({item["code"] for item in items}) == len(items) > 30
    for item in items:
        assert "curl " in item["fix"]
        assert anonymous.get(f"/problems/{item['code']}").get_json() == item
    accept = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    for path in ("/problems", "/problems/conflict"):
        page = anonymous.get(path, headers=accept)
        assert page.mimetype == "text/html"
        assert "conflict" in page.text
        assert "Accept" in page.headers["Vary"]


def test_a_problem_shows_the_answer_that_there_would_be(alice: Client) -> None:
    explained = alice.get("/problems/validation-error").get_json()
    sent, shown, reading = explained["example"].split("\n\n")
    body = re.search(r"-d '(.+)'", sent, re.DOTALL)
    assert body is not None

    response = alice.post(
        "/api/v1/tasks/batch", data=body[1], content_type="application/json"
    ).get_json()

    assert {**response, "request_id": ""} == {**json.loads(shown), "request_id": ""}
    assert "`pointer`" in reading
    page = alice.get("/problems/validation-error", headers={"Accept": "text/html"})
    assert "/operations/0/body/priority" in page.text


def say(base: str, request: bytes, *, end: bool = False) -> tuple[int, str, bytes]:
    """Send bytes as they are; the status, the problem's code and the whole answer."""
    host, port = base.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(request)
        if end:
            connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    code = re.search(rb'"code":"([a-z-]+)"', answer)
    return int(answer.split()[1]), code[1].decode() if code else "", answer


def test_http_is_framed_strictly(fresh_environment: dict[str, str]) -> None:
    """RFC 9112 through a real server: whatever two parsers could read in two ways is refused."""
    with servers.gunicorn(**fresh_environment, MAX_BODY_BYTES="2000") as base:
        token = servers.sign_up(base, "alice@example.com")

        def post(*headers: str, body: bytes = b"", host: str = "Host: x", end: bool = False) -> Any:
            lines = [f"POST {URL} HTTP/1.1", host, f"Authorization: Bearer {token}"]
            lines += ["Content-Type: application/json", "Connection: close", *headers]
            head = "".join(f"{line}\r\n" for line in lines if line).encode()
            return say(base, head + b"\r\n" + body, end=end)

        task = b'{"title": "x"}'
        chunked, length = "Transfer-Encoding: chunked", f"Content-Length: {len(task)}"
        chunk = b"e\r\n" + task + b"\r\n0\r\n\r\n"
        assert post(length, body=task)[0] == 201
        assert post(chunked, body=chunk)[0] == 201
        for headers, body in (
            ((length, chunked), chunk),
            ((length, "Content-Length: 5"), task),
            (("Content-Length: -1",), task),
            (("Content-Length: +14",), task),
            (("Content-Length: 0xe",), task),
            (("Transfer-Encoding: chunked, gzip",), chunk),
            (("Transfer-Encoding: xchunked",), chunk),
            (("Transfer-Encoding: gzip, chunked",), chunk),
            (("Bad Header: x", length), task),
        ):
            status, code, answer = post(*headers, body=body)
            assert (status, code) == (400, "malformed-request"), headers
            assert b"connection: close" in answer.lower()
            assert b"content-type: application/problem+json\r\n" in answer.lower()
            assert b"x-content-type-options: nosniff\r\n" in answer.lower()
            assert b"frame-ancestors 'none'" in answer
        for much, status in (
            ("GET / HTTP/1.1\r\nX-Much: {}\r\n\r\n", 431),
            ("GET /?q={} HTTP/1.1\r\n\r\n", 414),
        ):
            told = say(base, much.format("x" * 9000).encode())[:2]
            assert told == (status, "malformed-request")
        for headers, body, end, refusal in (
            ((chunked,), b"zz\r\n" + task, True, (400, "malformed-request")),
            ((chunked,), b"e\r\n" + task[:5], True, (400, "malformed-request")),
            ((length,), task[:5], True, (400, "malformed-request")),
            ((chunked,), b"bb8\r\n" + b" " * 3000 + b"\r\n0\r\n\r\n", False,
             (413, "payload-too-large")),
            (("Content-Length: 3000",), b"", False, (413, "payload-too-large")),
            ((length, "Content-Encoding: gzip"), task, False, (415, "unsupported-media-type")),
        ):  # fmt: skip
            assert post(*headers, body=body, end=end)[:2] == refusal, (headers, body[:20])
        for host in ("", "Host: a b", "Host: a/b@c", "Host: a:xx"):
            assert post(length, body=task, host=host)[:2] == (400, "invalid-host")
        for method in ("TRACE", "BREW"):
            status, code, answer = say(
                base, f"{method} {URL} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
            )
            assert (status, code) == (405, "method-not-allowed")
            assert b"allow:" in answer.lower()
        page = servers.ask(f"{base}{URL}?total=true", token=token)[2]
        assert page["total"] == 2
