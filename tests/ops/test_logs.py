"""The log: one line for each request, no secret in it, nothing a client can forge"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import config
from taskapp.ops import logs
from taskapp.web.log_lines import Line, Stdout, note
from tests import servers
from tests.conftest import PASSWORD, Client, Json

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


class Lines(logging.Handler):
    """What the service writes, as it writes it."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(Line(as_json=True))
        self.written: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.written.append(self.format(record))

    def last(self) -> Json:
        return dict(json.loads(self.written[-1]))


@pytest.fixture
def lines() -> Iterator[Lines]:
    handler, logger = Lines(), logging.getLogger("taskapp")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


def test_a_request_leaves_one_line(alice: Client, lines: Lines) -> None:
    traced = {"traceparent": f"00-{TRACE}-{PARENT}-01", "X-Request-ID": "my-request"}
    alice.get("/api/v1/tasks?q=a+private+word", headers=traced)
    line = lines.last()

    assert len(lines.written) == 1
    assert line.pop("ms") >= line.pop("database_ms") > 0
    line.pop("slow", None)
    assert line.pop("at").endswith("Z")
    assert line.pop("level") in {"info", "warning"}
    assert line == {
        "event": "tasks.list_tasks",
        "request_id": "my-request",
        "trace_id": TRACE,
        "method": "GET",
        "path": "/api/v1/tasks",
        "route": "/api/v1/tasks",
        "address": "127.0.0.1",
        "user_id": alice.user["id"],
        "status": 200,
    }


@pytest.mark.parametrize(
    "sent",
    [
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        "garbage",
    ],
)
def test_a_trace_that_is_none_is_left_out(anonymous: Client, lines: Lines, sent: str) -> None:
    anonymous.get("/", headers={"traceparent": sent})

    assert "trace_id" not in lines.last()


def test_a_refusal_is_named_by_its_code(
    anonymous: Client, alice: Client, admin: Client, lines: Lines
) -> None:
    login = {"email": "alice@example.com", "password": "wrong but long enough"}
    events = []
    for act in (
        lambda: anonymous.post("/api/v1/auth/login", json=login),
        lambda: anonymous.post("/api/v1/auth/login", json={**login, "password": PASSWORD}),
        lambda: anonymous.get("/api/v1/tasks"),
        lambda: alice.get("/api/v1/users"),
        lambda: anonymous.get("/nowhere"),
    ):
        act()
        events.append(lines.last()["event"])
    assert events == ["wrong-credentials", "auth.login", "unauthorized", "forbidden", "not-found"]

    admin.patch(f"/api/v1/users/{alice.user['id']}", json={"is_active": False})
    disabled = json.loads(lines.written[-2])
    assert (disabled["event"], disabled["account"]) == ("user disabled", alice.user["id"])
    assert disabled["request_id"] == lines.last()["request_id"]


def test_secrets_stay_out(alice: Client, anonymous: Client, lines: Lines) -> None:
    made = alice.post("/api/v1/auth/tokens", json={"name": "feed", "scopes": ["feed"]})
    secret = made.get_json()["token"]
    for path in (f"/feeds/{secret}.ics", f"/feeds/{secret}", f"/api/v1/{secret}?token={secret}"):
        anonymous.get(path)
    anonymous.as_token(secret).get("/api/v1/tasks")

    assert len(lines.written) == 6  # five requests, and the token that was created
    assert secret[4:] not in "".join(lines.written)


def test_text_says_each_thing_as_json_would(alice: Client, lines: Lines) -> None:
    lines.setFormatter(Line(as_json=False))
    alice.get("/api/v1/tasks/7")

    told = lines.written[0].split()
    assert told[2] == "not-found"
    assert {'method="GET"', 'path="/api/v1/tasks/7"', "status=404"} <= set(told)


@pytest.mark.parametrize("as_json", [True, False])
def test_nobody_can_forge_a_line_or_steer_a_terminal(
    anonymous: Client, lines: Lines, as_json: bool
) -> None:
    lines.setFormatter(Line(as_json=as_json))
    anonymous.get(
        "/%0A%7B%22event%22:%22forged%22%7D%1B%5B2J%C2%9B%E2%80%AE", headers={"Host": "x"}
    )
    try:
        int("\n{forged} \x1b[2J\x9b")
    except ValueError:
        logging.getLogger("taskapp").exception("it\nbroke \x1b", extra={"fields": {"a": "\n\x1b"}})

    for written in lines.written:
        assert written.isascii()
        assert "\x1b" not in written
        assert not [
            line for line in written.split("\n") if line.startswith(("{", '"')) and not as_json
        ]
    assert "\n" not in lines.written[0]
    assert as_json == ("\n" not in lines.written[1])


def test_what_is_slow_is_marked(alice: Client, lines: Lines, monkeypatch: Any) -> None:
    monkeypatch.setattr("taskapp.web.request_log.SLOW", 0)
    alice.get("/api/v1/projects?limit=7")
    statements = [json.loads(line) for line in lines.written[:-1]]

    assert lines.last()["slow"] is True
    assert {line["event"] for line in statements} == {"slow statement"}
    assert all(line["statement"].startswith("SELECT") for line in statements)
    assert alice.user["email"] not in "".join(lines.written)


def test_gunicorn_writes_as_the_service_does(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with servers.gunicorn(log=log, TASKAPP_INSTANCE=str(tmp_path), LOG_FORMAT="json") as base:
        servers.ask(f"{base}/")
    lines = [json.loads(line) for line in log.read_text().splitlines()]

    assert {"Handling signal: term", "docs.index"} <= {line["event"] for line in lines}
    assert all(line.keys() >= {"at", "level", "event"} for line in lines)


@pytest.fixture
def as_served(tmp_path: Path) -> logging.Logger:
    """The log as gunicorn.conf.py sets it up, in this process, for a logger of its own."""
    settings = config.load({"TASKAPP_INSTANCE": str(tmp_path)})
    assert logs.configuration(settings)["handlers"]["stdout"]["()"] is Stdout
    handler = Stdout()
    handler.setFormatter(Line(as_json=False))
    logger = logging.Logger("served", logging.INFO)  # noqa: LOG001 - pytest adds handlers to others
    logger.addHandler(handler)
    return logger


FIELDS = {"path": "/\n\x1b\xfc\u20ac", "status": 200, "ms": 1.5, "slow": True}


@pytest.mark.parametrize("as_json", [True, False])
def test_a_line_without_a_record_is_the_line_of_a_record(
    as_served: logging.Logger, capfd: pytest.CaptureFixture[str], as_json: bool
) -> None:
    as_served.handlers[0].setFormatter(Line(as_json=as_json))
    below = logging.Logger("below")  # noqa: LOG001 - as above
    below.parent = as_served
    note(below, logging.WARNING, "it happened", dict(FIELDS))
    as_served.warning("it happened", extra={"fields": dict(FIELDS)})
    note(as_served, logging.DEBUG, "nobody wants to know", {})
    one, other = capfd.readouterr().out.splitlines()

    assert one[25:] == other[25:] if not as_json else one[40:] == other[40:]
    assert "it happened" in one
    assert one.isascii()


def test_whoever_else_listens_gets_a_record(
    as_served: logging.Logger, lines: Lines, capfd: pytest.CaptureFixture[str]
) -> None:
    as_served.addHandler(lines)
    note(as_served, logging.INFO, "it happened", dict(FIELDS))
    as_served.removeHandler(lines)
    records: list[logging.LogRecord] = []
    as_served.addFilter(lambda record: records.append(record) or True)  # type: ignore[func-returns-value]
    note(as_served, logging.INFO, "it happened", dict(FIELDS))
    note(as_served, logging.ERROR, "it broke", dict(FIELDS))

    assert lines.last()["event"] == "it happened"
    assert [record.getMessage() for record in records] == ["it broke"]
    assert len(capfd.readouterr().out.splitlines()) == 3


def test_a_log_that_nobody_takes_refuses_nobody(
    as_served: logging.Logger, capfd: pytest.CaptureFixture[str]
) -> None:
    kept = os.dup(1)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, 1)
    try:
        note(as_served, logging.INFO, "it happened", dict(FIELDS))
        as_served.error("it broke", extra={"fields": dict(FIELDS)})
    finally:
        os.dup2(kept, 1)
        os.close(full)
        os.close(kept)

    assert capfd.readouterr().out == ""
