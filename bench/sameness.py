"""Who is measured must answer alike: the same four questions, the same tasks, before any clock."""

from __future__ import annotations

import datetime as dt
import json
import urllib.error
import urllib.request
from typing import Any

from bench.data import Person
from bench.servers import Server

ENDS = ("created_at", "updated_at", "completed_at", "due_at")


class DiffersError(Exception):
    """A server answers otherwise than taskapp does."""


def ask(server: Server, person: Person, method: str, path: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {person.token}", "Content-Type": "application/json"}
    url = f"http://127.0.0.1:{server.port}/api/v1{path}"
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
            return json.load(answer)
    except urllib.error.HTTPError as error:
        said = f"{server.kind.name}: {method} {path}: {error.code} {error.read(500)!r}"
        raise DiffersError(said) from error


def check(servers: list[Server], person: Person) -> None:
    """Refuse to go on unless all read the same, and then all write the same."""
    for answers in (reads, writes):
        _compare({server.kind.name: answers(server, person) for server in servers})


def reads(server: Server, person: Person) -> dict[str, Any]:
    page = ask(server, person, "GET", "/tasks?limit=20")
    one = ask(server, person, "GET", f"/tasks/{page['items'][7]['id']}")
    further = page["next_cursor"] is not None
    return {"list": [moments(task) for task in page["items"]], "more": further, "get": moments(one)}


def writes(server: Server, person: Person) -> dict[str, Any]:
    """Without what is new each time: ids and instants."""
    wanted = {"title": "Water the fern", "status": "done", "priority": "high"}
    made = ask(server, person, "POST", "/tasks", wanted)
    change = {"title": "Water the ferns", "description": "Both.", "status": "todo"}
    changed = ask(server, person, "PATCH", f"/tasks/{made['id']}", change)
    kept = ask(server, person, "GET", f"/tasks/{made['id']}")
    if moments(kept) != moments(changed):
        raise DiffersError(f"{server.kind.name}: a change was answered and not kept")
    return {"create": timeless(made), "update": timeless(changed)}


def moments(task: dict[str, Any]) -> dict[str, Any]:
    """The same instant may be written in several ways."""
    told = {name: task[name] and dt.datetime.fromisoformat(task[name]) for name in ENDS}
    return {**task, **told}


def timeless(task: dict[str, Any]) -> dict[str, Any]:
    """A new row: whether it has its instants, not which; a plain insert knows no revision."""
    told = {name: bool(task[name]) for name in ENDS}
    return {**task, **told, "id": 0, "revision": 0}


def _compare(found: dict[str, dict[str, Any]]) -> None:
    first, expected = next(iter(found.items()))
    for name, answered in found.items():
        for question, answer in answered.items():
            if answer != expected[question]:
                raise DiffersError(
                    f"{question}: {name} answers otherwise than {first}:\n"
                    f"{answer!r}\n{expected[question]!r}"
                )
