"""Two agents and a person change the same tasks, and one answer in five is lost.

Each creates tasks of its own and adds a line to the description of tasks that all share. What was
lost is sent again, as any client does. At the end every task and every line is counted.

    python -m tests.agents.race     # the table of docs/agents.md
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol
from uuid import uuid4

import httpx

from tests import servers
from tests.conftest import new_database

Json = dict[str, Any]
OPERATIONS, LOST, SHARED = 1000, 0.2, 3
MODERN, META = "2026-07-28", "io.modelcontextprotocol/"


class AnswerLost(Exception):
    """The service has answered, and the client has not heard it."""


@dataclass
class Wire:
    """A connection on which one answer in five is lost, after the service has done its work."""

    base: str
    token: str
    dice: Random
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=30))

    def send(self, method: str, path: str, body: Json, **headers: str) -> httpx.Response:
        headers["Authorization"] = f"Bearer {self.token}"
        response = self.client.request(method, self.base + path, json=body, headers=headers)
        if self.dice.random() < LOST:
            raise AnswerLost
        return response

    def until_heard(self, method: str, path: str, body: Json, **headers: str) -> httpx.Response:
        """Send the same request again until its answer comes through."""
        for _ in range(50):
            try:
                return self.send(method, path, body, **headers)
            except AnswerLost:
                continue
        raise AssertionError("fifty answers in a row were lost")


class Participant(Protocol):
    def create(self, title: str) -> None: ...

    def append(self, task_id: int, line: str) -> None: ...


@dataclass
class Agent:
    """Uses the tools of /mcp: a request_id for each change, the revision that was read."""

    wire: Wire

    def create(self, title: str) -> None:
        self._call("create_task", request_id=str(uuid4()), title=title)

    def append(self, task_id: int, line: str) -> None:
        while True:
            task = self._call("get_task", id=task_id)["structuredContent"]["task"]
            changed = self._call(
                "update_task",
                request_id=str(uuid4()),
                id=task_id,
                revision=task["revision"],
                description=f"{task['description']}{line}\n",
            )
            if not changed["isError"]:
                return
            assert "precondition-failed" in changed["content"][0]["text"]

    def _call(self, tool: str, **arguments: Any) -> Json:
        meta = {f"{META}protocolVersion": MODERN, f"{META}clientCapabilities": {}}
        params = {"name": tool, "arguments": arguments, "_meta": meta}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        headers = {"MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": tool}
        response = self.wire.until_heard("POST", "/mcp", body, **headers)
        result: Json = response.json()["result"]
        return result


@dataclass
class Person:
    """Uses the API as the page does: Idempotency-Key and If-Match."""

    wire: Wire

    def create(self, title: str) -> None:
        headers = {"Idempotency-Key": str(uuid4())}
        self.wire.until_heard("POST", "/api/v1/tasks", {"title": title}, **headers)

    def append(self, task_id: int, line: str) -> None:
        path = f"/api/v1/tasks/{task_id}"
        while True:
            task = self.wire.until_heard("GET", path, {}).json()
            wanted = {"description": f"{task['description']}{line}\n"}
            tag = f'"{task["project_id"]}-{task["revision"]}"'
            response = self.wire.until_heard("PATCH", path, wanted, **{"If-Match": tag})
            if response.status_code == 200:
                return
            now = self.wire.until_heard("GET", path, {}).json()
            if line in now["description"].splitlines():  # our own write, whose answer was lost
                return


@dataclass
class NaiveAgent:
    """A thin wrapper of the plain API: no key, no condition, and what is lost is sent again."""

    wire: Wire

    def create(self, title: str) -> None:
        self.wire.until_heard("POST", "/api/v1/tasks", {"title": title})

    def append(self, task_id: int, line: str) -> None:
        path = f"/api/v1/tasks/{task_id}"
        task = self.wire.until_heard("GET", path, {}).json()
        wanted = {"description": f"{task['description']}{line}\n"}
        self.wire.until_heard("PATCH", path, wanted)


@dataclass(frozen=True)
class Outcome:
    """What a race has left behind."""

    created: int
    duplicates: int  # tasks more than were meant
    edits: int
    lost: int  # lines whose writer was told "done", and which are gone
    doubled: int  # lines that are there twice


def run(base: str, kinds: list[Callable[[Wire], Participant]], operations: int) -> Outcome:
    """Let one participant of each kind work at once, as one user on the same tasks."""
    token = servers.sign_up(base, f"{uuid4().hex}@example.com")
    shared = [_create(base, token, f"Shared {number}") for number in range(SHARED)]
    wires = [Wire(base, token, Random(seed)) for seed in range(len(kinds))]  # noqa: S311 - dice
    people = [kind(wire) for kind, wire in zip(kinds, wires, strict=True)]
    each = operations // len(people)
    with ThreadPoolExecutor(len(people)) as pool:
        jobs = [pool.submit(_work, who, n, each, shared) for n, who in enumerate(people)]
        done = [job.result() for job in jobs]
    titles = [title for created, _ in done for title in created]
    lines = [line for _, written in done for line in written]
    return _count(base, token, shared, titles, lines)


def _create(base: str, token: str, title: str) -> int:
    status, _, task = servers.ask(f"{base}/api/v1/tasks", {"title": title}, token=token)
    assert status == 201
    task_id: int = task["id"]
    return task_id


def _work(
    who: Participant, number: int, operations: int, shared: list[int]
) -> tuple[list[str], list[str]]:
    """What one participant was told is done: the titles it created, the lines it added."""
    dice = Random(100 + number)  # noqa: S311 - dice
    created: list[str] = []
    written: list[str] = []
    for step in range(operations):
        name = f"{number}-{step}"
        if dice.random() < 0.3:
            who.create(name)
            created.append(name)
        else:
            who.append(dice.choice(shared), name)
            written.append(name)
    return created, written


def _count(
    base: str, token: str, shared: list[int], titles: list[str], lines: list[str]
) -> Outcome:
    there: Counter[str] = Counter()
    text: Counter[str] = Counter()
    for task in _all_tasks(base, token):
        if task["id"] in shared:
            text.update(task["description"].splitlines())
        else:
            there[task["title"]] += 1
    assert all(there[title] for title in titles), "a created task is gone"
    return Outcome(
        created=len(titles),
        duplicates=there.total() - len(titles),
        edits=len(lines),
        lost=sum(text[line] == 0 for line in lines),
        doubled=sum(text[line] > 1 for line in lines),
    )


def _all_tasks(base: str, token: str) -> Iterator[Json]:
    headers = {"Authorization": f"Bearer {token}"}
    url: str | None = f"{base}/api/v1/tasks?limit=200"
    while url is not None:
        response = httpx.get(url, headers=headers)
        yield from response.json()["items"]
        link = response.links.get("next")
        url = None if link is None else str(httpx.URL(url).join(link["url"]))


@contextmanager
def service(database: str) -> Iterator[str]:
    """The service in processes of its own, on an empty database of this kind."""
    with tempfile.TemporaryDirectory() as folder:
        variables = {"TASKAPP_INSTANCE": folder, "RATELIMIT_ENABLED": "false", "LOG_LEVEL": "error"}
        if database == "sqlite":
            servers.migrate(**variables)
            with servers.gunicorn(**variables) as base:
                yield base
            return
        with servers.postgresql() as maintenance:
            variables["DATABASE_URL"] = new_database(maintenance, f"race_{uuid4().hex}")
            servers.migrate(**variables)
            with servers.gunicorn(**variables) as base:
                yield base


def main() -> None:
    careful: list[Callable[[Wire], Participant]] = [Agent, Agent, Person]
    naive: list[Callable[[Wire], Participant]] = [NaiveAgent, NaiveAgent, Person]
    print("| database | agents use | tasks | created twice | edits | lost | doubled |")  # noqa: T201
    print("|---|---|---|---|---|---|---|")  # noqa: T201
    for database in ("sqlite", "postgresql"):
        for name, kinds in (("`/mcp`", careful), ("a naive wrapper", naive)):
            with service(database) as base:
                outcome = run(base, kinds, OPERATIONS)
            cells = (database, name, outcome.created, outcome.duplicates)
            more = (outcome.edits, outcome.lost, outcome.doubled)
            print("|", " | ".join(map(str, (*cells, *more))), "|", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
