"""taskapp beside itself: the same question over 10,000, 100,000 and 1,000,000 tasks.

What grows is counted in CPU of the service and its database together, because a query that
degrades does so in the database.
"""

from __future__ import annotations

import json
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count, cycle, islice
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bench import load, servers
from bench.compare import say
from bench.data import Person
from bench.report import machine
from bench.servers import Server
from bench.stage import Stage, new_database, postgresql, prepare

SIZES = (10_000, 100_000, 1_000_000)
ROUNDS, REQUESTS, FEW = 3, 100, 5
FLAT = 1.2
WRITERS = 16
JUNE = "2026-06-01T00:00:00Z"
FILTERS = (
    *("status=done", "status=todo,in_progress", "priority=urgent", "label=home"),
    *("label=home,office", "label=home&sort=title", "assignee=me", "assignee=none", "parent=none"),
    "due=none",
    *("due=overdue", "due=today", "due_before=2026-01-02T12:00:00Z", f"due_after={JUNE}"),
    *("created_after=2026-01-02T00:00:00Z", f"created_before={JUNE}"),
    *("updated_after=2026-01-02T00:00:00Z", "q=water", "q=water+fern+toge", "q=9999", "total=true"),
    "q=water&sort=title",
)
SORTS = tuple(
    f"sort={sign}{name}"
    for name in ("id", "title", "status", "priority", "due_at", "created_at", "updated_at")
    for sign in ("", "-")
)
Ask = Callable[[Person, int], "urllib.request.Request"]


@dataclass
class Told:
    """Every sample, by database, question and size."""

    machine: dict[str, Any] = field(default_factory=machine)
    sizes: tuple[int, ...] = SIZES
    rounds: int = ROUNDS
    flat: float = FLAT
    cpu_us: dict[str, dict[str, dict[str, list[float]]]] = field(default_factory=dict)
    contention: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)


@dataclass
class Scene:
    """A running service on one filled database."""

    stage: Stage
    server: Server
    engine: sa.Engine
    paths: set[str]  # that this version of the service has

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server.port}{path}"

    def cpu_seconds(self) -> float:
        return self.server.cpu_seconds() + self.stage.database_cpu_seconds()

    def ask(self, person: Person, path: str, **more: Any) -> urllib.request.Request:
        headers = {"Authorization": f"Bearer {person.token}", **more.pop("headers", {})}
        if isinstance(more.get("data"), dict):
            more["data"] = json.dumps(more["data"]).encode()
            headers["Content-Type"] = "application/json"
        return urllib.request.Request(self.url(f"/api/v1{path}"), headers=headers, **more)  # noqa: S310 - loopback

    def has(self, path: str) -> bool:
        return f"/api/v1{path}" in self.paths


def run(sizes: tuple[int, ...] = SIZES, rounds: int = ROUNDS) -> dict[str, Any]:
    told = Told(sizes=sizes, rounds=rounds)
    with postgresql() as maintenance:
        for name in ("PostgreSQL", "SQLite"):
            with ExitStack() as stack:
                stages = {
                    size: stack.enter_context(_filled(maintenance, name, size)) for size in sizes
                }
                _measure(told, name, stages)
                say(f"{WRITERS} writers on {name}")
                told.contention[name] = _contention(stages[sizes[-1]])
    return vars(told)


@contextmanager
def _filled(maintenance: str, name: str, size: int) -> Iterator[Stage]:
    say(f"filling {name} with {size:,} tasks")
    url = new_database(maintenance, f"t{size}") if name == "PostgreSQL" else None
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        yield prepare(Path(folder), size, url)


def _measure(told: Told, name: str, stages: dict[int, Stage]) -> None:
    """Ask each question of all sizes in turn: a machine is not as fast now as in ten minutes."""
    rows = told.cpu_us.setdefault(name, {})
    with ExitStack() as stack:
        scenes = {size: stack.enter_context(scene_of(stage)) for size, stage in stages.items()}
        asked = {size: _questions(scene) for size, scene in scenes.items()}
        questions = list(asked[told.sizes[0]])
        say(f"asking {name} {len(questions)} questions")
        for question in questions:
            samples = rows.setdefault(question, {str(size): [] for size in scenes})
            for size, scene in scenes.items():
                _cost(scene, question, asked[size][question], FEW)  # a first run makes statements
            for _ in range(told.rounds):
                for size, scene in scenes.items():
                    ask = asked[size][question]
                    samples[str(size)].append(_cost(scene, question, ask, REQUESTS))


@contextmanager
def scene_of(stage: Stage) -> Iterator[Scene]:
    engine = sa.create_engine(stage.url.replace("postgresql:", "postgresql+psycopg2:"))
    with servers.running(servers.TASKAPP, stage.environment) as server:
        port = server.port
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/openapi.json", timeout=30) as answer:
            paths = set(json.load(answer)["paths"])
        yield Scene(stage, server, engine, paths)
    engine.dispose()


def _cost(scene: Scene, question: str, ask: Ask, most: int) -> float:
    """µs of CPU for one request; each list is out of date before it, so that none is remembered."""
    requests = min(most, FEW) if question.startswith(("batch", "import", "export")) else most
    people = scene.stage.people
    asked = [ask(person, n) for n, person in enumerate(islice(cycle(people), requests))]
    if "304" not in question:
        with scene.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE projects SET revision = revision + 1")
    before = scene.cpu_seconds()
    for request in asked:
        answered(request)
    return (scene.cpu_seconds() - before) / requests * 1e6


def answered(request: urllib.request.Request) -> tuple[Any, bytes]:
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310 - loopback
            return answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        if error.code == 304:
            return error.headers, b""
        raise RuntimeError(f"{request.full_url}: {error.code} {error.read(500)!r}") from error


def _questions(scene: Scene) -> dict[str, Ask]:
    asked = {"get": _get(scene), "get, unchanged (304)": _again(_get(scene))}
    lists = ("limit=20", *(f"limit=20&{part}" for part in (*FILTERS, *SORTS)))
    asked |= {_title(query): list_of(scene, query) for query in lists}
    asked["list, unchanged (304)"] = _again(list_of(scene, "limit=20"))
    asked["list, page 2"] = _next(scene, "limit=20", "limit=20")
    asked["list, page 200 of one task each"] = _next(scene, "limit=199", "limit=1")
    asked["list sort=priority, page 2"] = _next(
        scene, "limit=20&sort=-priority", "limit=20&sort=-priority"
    )
    asked["list of one project"] = lambda person, _: scene.ask(
        person, f"/tasks?limit=20&project_id={person.project_ids[-1]}"
    )
    return asked | _newer(scene) | _writes(scene)


def _title(query: str) -> str:
    return f"list {query.removeprefix('limit=20').removeprefix('&')}".strip()


def _get(scene: Scene) -> Ask:
    """A task of each person: the newest when the measurement began."""
    newest = {
        p.user_id: _json(scene.ask(p, "/tasks?limit=1"))["items"][0]["id"]
        for p in scene.stage.people
    }
    return lambda person, _: scene.ask(person, f"/tasks/{newest[person.user_id]}")


def _json(request: urllib.request.Request) -> Any:
    return json.loads(answered(request)[1])


def list_of(scene: Scene, query: str) -> Ask:
    return lambda person, _: scene.ask(person, f"/tasks?{query}")


def _again(ask: Ask) -> Ask:
    """The same with the ETag of a moment ago."""

    def asked(person: Person, number: int) -> urllib.request.Request:
        request = ask(person, number)
        request.add_header("If-None-Match", answered(request)[0]["ETag"])
        return request

    return asked


def _next(scene: Scene, first: str, then: str) -> Ask:
    """The page behind the first one, by its cursor."""

    def asked(person: Person, _: int) -> urllib.request.Request:
        cursor = _json(scene.ask(person, f"/tasks?{first}"))["next_cursor"]
        return scene.ask(person, f"/tasks?{then}&cursor={cursor}")

    return asked


def _newer(scene: Scene) -> dict[str, Ask]:
    """Reads that some versions have."""
    asked: dict[str, Ask] = {}
    for path in ("/labels", "/stats"):
        if scene.has(path):
            asked[path[1:]] = lambda person, _, path=path: scene.ask(person, path)  # type: ignore[misc]
    if scene.has("/changes"):
        ends = {p.user_id: _end_of_changes(scene, p) for p in scene.stage.people[:FEW]}
        few = cycle(scene.stage.people[:FEW])
        asked["changes, none"] = lambda _, __: _since(scene, next(few), ends)
    if scene.has("/tasks/{task_id}/history"):
        get = _get(scene)
        asked["history"] = lambda person, n: scene.ask(
            person, get(person, n).full_url.partition("/api/v1")[2] + "/history"
        )
    return asked


def _since(scene: Scene, person: Person, ends: dict[int, str]) -> urllib.request.Request:
    return scene.ask(person, f"/changes?cursor={ends[person.user_id]}")


def _end_of_changes(scene: Scene, person: Person) -> str:
    page = _json(scene.ask(person, "/changes?limit=200"))
    while page["has_more"]:
        page = _json(scene.ask(person, f"/changes?limit=200&cursor={page['next_cursor']}"))
    return str(page["next_cursor"])


def _writes(scene: Scene) -> dict[str, Ask]:
    get, numbers = _get(scene), count()

    def create(person: Person, _: int) -> urllib.request.Request:
        return scene.ask(person, "/tasks", data={"title": f"Water fern {next(numbers)}"})

    def update(person: Person, number: int) -> urllib.request.Request:
        path = get(person, number).full_url.partition("/api/v1")[2]
        return scene.ask(person, path, method="PATCH", data={"title": f"Fern {next(numbers)}"})

    asked: dict[str, Ask] = {"create": create, "update": update}
    if scene.has("/tasks/batch"):
        asked["batch of 500 creates"] = lambda person, _: scene.ask(
            person, "/tasks/batch", data={"operations": _operations(numbers)}
        )
    if scene.has("/tasks/import"):
        asked["import of 500 rows (NDJSON)"] = lambda person, _: scene.ask(
            *(person, f"/tasks/import?project_id={person.project_ids[0]}"),
            data="".join(
                json.dumps({"title": f"Row {next(numbers)}"}) + "\n" for _ in range(500)
            ).encode(),
            headers={"Content-Type": "application/x-ndjson"},
        )
        asked["export of all one sees (CSV)"] = lambda person, _: scene.ask(
            person, "/tasks", headers={"Accept": "text/csv"}
        )
    return asked


def _operations(numbers: Iterator[int]) -> list[dict[str, Any]]:
    return [{"op": "create", "body": {"title": f"Fern {next(numbers)}"}} for _ in range(500)]


def _contention(stage: Stage) -> dict[str, dict[str, float]]:
    """16 workers, 16 clients: all in one project, then each in one of their own."""
    told = {**stage.environment, "WEB_CONCURRENCY": str(WRITERS)}
    alone, crowd = stage.people[:1], stage.people[:WRITERS]
    with servers.running(servers.TASKAPP, told) as server:
        return {name: _written(server, who) for name, who in (("one", alone), ("many", crowd))}


def _written(server: Server, people: list[Person]) -> dict[str, float]:
    def creates() -> Iterator[load.Raw]:
        for number, person in enumerate(cycle(people)):
            body = {"title": f"Fern {number}", "project_id": person.project_ids[0]}
            yield load.request("POST", "/api/v1/tasks", person.token, json.dumps(body).encode())

    load.closed_loop(server.port, creates(), 1.0, WRITERS)
    done = load.closed_loop(server.port, creates(), 5.0, WRITERS)
    if set(done.statuses) != {201}:
        raise RuntimeError(f"contention: {done.statuses}")
    return {"per_second": done.per_second, "p95_ms": done.percentile(0.95)}
