"""taskapp beside its peers, in interleaved rounds on one PostgreSQL."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psycopg2

from bench import load, questions, sameness, servers
from bench.questions import QUESTIONS, Question
from bench.report import machine
from bench.servers import Kind, Server
from bench.stage import Stage, new_database, postgresql, prepare

Samples = dict[str, list[float]]
CONNECTIONS = 8
FRESH_EVERY = 0.05  # seconds between changes of every project, while lists are asked for


@dataclass(frozen=True)
class Plan:
    """How much to measure; seconds are of each cell, a server asked one question."""

    tasks: int = 100_000
    rounds: int = 4
    warm_up: float = 0.5
    seconds: float = 3.0
    latency_rounds: int = 1
    latency_seconds: float = 5.0
    rate: float = 150.0  # requests a second, a third of what the slowest of them can do
    starts: int = 5


QUICK = Plan(20_000, 2, 0.2, 0.8, 1, 1.5, 150.0, 2)
TASTE = Plan(1_000, 1, 0.05, 0.2, 1, 0.3, 20.0, 1)  # shows that it runs, measures nothing


@dataclass
class Results:
    """Every sample, by server and question."""

    plan: Plan
    titles: dict[str, str]
    machine: dict[str, Any] = field(default_factory=machine)
    cpu_us: dict[str, Samples] = field(default_factory=dict)
    database_us: dict[str, Samples] = field(default_factory=dict)
    per_second: dict[str, Samples] = field(default_factory=dict)
    latency_ms: dict[str, dict[str, Samples]] = field(default_factory=dict)
    memory_mib: Samples = field(default_factory=dict)
    start_s: Samples = field(default_factory=dict)


def run(plan: Plan) -> dict[str, Any]:
    kinds = [servers.TASKAPP, *servers.newest(), *servers.PEERS]
    with postgresql() as maintenance, tempfile.TemporaryDirectory(prefix="bench-") as folder:
        say(f"filling a PostgreSQL with {plan.tasks:,} tasks")
        stage = prepare(Path(folder), plan.tasks, new_database(maintenance, "bench"))
        _let_peers_insert(stage)
        results = Results(plan, {kind.name: kind.title for kind in kinds})
        small = Path(folder) / "small"
        small.mkdir()
        _starts(results, kinds, stage, prepare(small, 1_000))
        with ExitStack() as stack:
            started = [stack.enter_context(servers.running(k, stage.environment)) for k in kinds]
            say("checking that all answer alike")
            sameness.check(started, stage.people[0])
            for number in range(plan.rounds):
                say(f"round {number + 1} of {plan.rounds}")
                _round(results, stage, started, latency=number < plan.latency_rounds)
                started.append(started.pop(0))
            for server in started:
                if not server.kind.closes:
                    results.memory_mib[server.kind.name] = [server.pss_mib()]
    return asdict(results)


def say(text: str) -> None:
    print(f"bench: {text}", flush=True)  # noqa: T201 - it runs for minutes, and tells where it is


def _let_peers_insert(stage: Stage) -> None:
    """A plain insert knows neither search words nor revisions: they are defaults here."""
    with psycopg2.connect(stage.url) as connection:
        cursor = connection.cursor()
        cursor.execute("ALTER TABLE tasks ALTER words SET DEFAULT '', ALTER revision SET DEFAULT 1")
    connection.close()


def _starts(results: Results, kinds: list[Kind], stage: Stage, on_sqlite: Stage) -> None:
    """From exec to the first answer, each alone; the default install and an empty app, too."""
    results.titles |= {"sqlite": "taskapp, default install (SQLite)", "empty": servers.EMPTY.title}
    each = [(kind.name, kind, stage) for kind in kinds if not kind.closes]
    alone = [("sqlite", servers.TASKAPP, on_sqlite), ("empty", servers.EMPTY, on_sqlite)]
    for _ in range(results.plan.starts):
        for name, kind, there in each + alone:
            with servers.running(kind, there.environment) as server:
                results.start_s.setdefault(name, []).append(server.seconds_to_first_answer)
                if there is on_sqlite:
                    results.memory_mib.setdefault(name, []).append(_used(server, there))
    say("measured start-ups")


def _used(server: Server, stage: Stage) -> float:
    """Memory after some work, not before it."""
    stream = questions.lists(stage, server)
    load.closed_loop(server.port, stream, 1.0, CONNECTIONS)
    return server.pss_mib()


def _round(results: Results, stage: Stage, started: list[Server], *, latency: bool) -> None:
    for question in QUESTIONS:
        for server in started:
            if question.ours and server.kind is not servers.TASKAPP:
                continue
            with changing(stage) if question.fresh else ExitStack():
                _cell(results, stage, server, question)
                if latency and server.kind.latency:
                    _latency(results, stage, server, question)


def _cell(results: Results, stage: Stage, server: Server, question: Question) -> None:
    """One server, one question, as fast as it answers."""
    plan, stream = results.plan, question.stream(stage, server)
    if server.kind.closes:
        stream = map(load.closing, stream)
    load.closed_loop(server.port, stream, plan.warm_up, CONNECTIONS)
    server_before, database_before = server.cpu_seconds(), stage.database_cpu_seconds()
    done = load.closed_loop(server.port, stream, plan.seconds, CONNECTIONS)
    used = server.cpu_seconds() - server_before
    used_there = stage.database_cpu_seconds() - database_before
    _checked(done, server, question)
    name, answers = server.kind.name, len(done.latencies)
    _samples(results.cpu_us, name, question.name).append(used / answers * 1e6)
    _samples(results.database_us, name, question.name).append(used_there / answers * 1e6)
    _samples(results.per_second, name, question.name).append(done.per_second)


def _latency(results: Results, stage: Stage, server: Server, question: Question) -> None:
    """The same at a fixed rate: how long an answer takes when there is room."""
    plan, stream = results.plan, question.stream(stage, server)
    done = load.open_loop(server.port, stream, plan.latency_seconds, plan.rate)
    _checked(done, server, question)
    cell = results.latency_ms.setdefault(server.kind.name, {}).setdefault(question.name, {})
    for part in (50, 95, 99):
        cell.setdefault(f"p{part}", []).append(done.percentile(part / 100))


def _samples(table: dict[str, Samples], server: str, question: str) -> list[float]:
    return table.setdefault(server, {}).setdefault(question, [])


def _checked(done: load.Load, server: Server, question: Question) -> None:
    if set(done.statuses) != {question.status}:
        raise RuntimeError(f"{server.kind.name}, {question.name}: {done.statuses}")


@contextmanager
def changing(stage: Stage) -> Iterator[None]:
    """While lists are asked for, every project keeps changing: each list is made anew."""
    stop = threading.Event()

    def change() -> None:
        connection = psycopg2.connect(stage.url)
        connection.autocommit = True
        while not stop.wait(FRESH_EVERY):
            connection.cursor().execute("UPDATE projects SET revision = revision + 1")
        connection.close()

    thread = threading.Thread(target=change)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
