"""The load generator: a process of its own, so that it never shares a loop with what it measures.

Two ways to ask, because they answer two questions:

- `closed`: a number of users who each ask again once they are answered. How much gets done? It runs
  until the rate is steady and its interval is within 5 %, or until its time is up.
- `arrivals`: requests that start when the plan says, whatever became of those before them. How long
  does a caller wait? Every wait is counted from the *intended* start: a generator that holds back
  while the server stalls leaves out exactly the waits that matter (coordinated omission).

Why none of the known ones: wrk, hey and Locust wait for an answer before they ask again, so they
omit. wrk2, vegeta, oha and k6 do not, but no registry that `make` can use on every machine has them
from their makers. What is left to write is small. Every request has a connection of its own, as
gunicorn's sync workers have it anyway, so that no pool on the client's side queues anything unseen.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter  # a loop's own clock counts in milliseconds (uvloop issue 359)
from typing import Any

import uvloop

from lab import estimate
from lab.estimate import Estimate, Rate
from lab.servers import end

ROOT = Path(__file__).parents[1]
PATIENCE = 60  # seconds until a request counts as failed
DRIBBLES = 10  # pieces in which a slow client sends its body
LOOK = 0.1  # seconds between two looks at whether the rate is steady


class LoadError(Exception):
    """Requests failed: figures that left them out would flatter the server."""


@dataclass(frozen=True)
class Arrival:
    """One request: when it is due, what it asks for, and for how long it sends its body."""

    at: float
    path: str = "/"
    sending: float = 0  # seconds; 0 is a GET without a body


@dataclass(frozen=True)
class Window:
    """How long a rate is measured: as long as steadiness needs, between two bounds."""

    each: int  # answers in a round: one from each seat that is taken
    spread: float = 0.05  # seconds over which the users arrive, so that they are not in step
    least: float = 0.4  # seconds of measurement at least
    most: float = 4.0  # seconds until it ends in any case


@dataclass(frozen=True)
class Measured(Rate):
    """A rate, how long an answer took on average, and all answers that the server gave for it."""

    response: Estimate  # seconds
    answers: int  # also those of the warm-up: what the server's processor time was spent on


class Generator:
    """The door to the process: one plan in, one list of answers out."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def closed(self, port: int, path: str, users: int, window: Window) -> Measured:
        """The steady rate at which `users` are answered.

        Raises:
            LoadError: a request failed, or too few were answered within the window's bound.
        """
        plan = {"port": port, "path": path, "users": users, "window": dataclasses.asdict(window)}
        spans = [(start, end) for start, end, _ in self._run(plan)]
        spans.sort(key=lambda span: span[1])
        result = estimate.rate([end for _, end in spans], window.each)
        if result is None:
            raise LoadError(f"{len(spans)} answers in {window.most:.0f} s are too few for a rate")
        kept = spans[len(spans) // estimate.WARM_UP :]
        response = estimate.mean([end - start for start, end in kept])
        return Measured(**vars(result), response=response, answers=len(spans))

    def arrivals(self, port: int, arrivals: Sequence[Arrival]) -> list[float]:
        """The wait of each, in the order given, from its intended start to its answer."""
        plan = [[arrival.at, arrival.path, arrival.sending] for arrival in arrivals]
        return [end - start for start, end, _ in self._run({"port": port, "arrivals": plan})]

    def warm_up(self, port: int, path: str, users: int, requests: int = 40) -> None:
        """The first requests pay for what is made once: imports, connections, caches."""
        gap = 0.2 / requests
        for _ in range(max(1, requests // users)):
            self.arrivals(port, [Arrival(number * gap, path) for number in range(users)])

    def drain(self, port: int, path: str) -> None:
        """Stand last in line, until the server has got through everybody who gave up."""
        self._run({"port": port, "arrivals": [[0, path, 0]]})

    def _run(self, plan: dict[str, Any]) -> list[tuple[float, float, int]]:
        answers = json.loads(self._exchange(json.dumps(plan)))
        failed = [status for *_, status in answers if status != 200]
        if failed:
            raise LoadError(f"{len(failed)} of {len(answers)} requests failed: {set(failed)}")
        return [(start, end, status) for start, end, status in answers]

    def _exchange(self, line: str) -> str:
        stdin, stdout = self.process.stdin, self.process.stdout
        if stdin is None or stdout is None:
            raise LoadError("the generator needs pipes")
        stdin.write(f"{line}\n")
        stdin.flush()
        return stdout.readline()


@contextmanager
def generator() -> Iterator[Generator]:
    """A load generator that ends with the block."""
    command = [sys.executable, "-m", "lab.load"]
    pipe = subprocess.PIPE
    with subprocess.Popen(  # noqa: S603 - our own
        command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True
    ) as process:
        try:
            yield Generator(process)
        finally:
            end(process)


async def ask(port: int, path: str, sending: float = 0) -> int:
    """One request on a connection of its own; the status, or 0 if there was no answer."""
    writer = None
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            await _send(writer, path, sending)
            answer = await reader.read()
            while more := await reader.read():
                answer += more
        return int(answer[9:12])
    except (OSError, TimeoutError, ValueError):
        return 0
    finally:
        if writer:
            writer.close()


async def _send(writer: asyncio.StreamWriter, path: str, sending: float) -> None:
    head = "{} {} HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n"
    if not sending:
        writer.write(f"{head.format('GET', path)}\r\n".encode())
        return
    writer.write(f"{head.format('POST', path)}Content-Length: {DRIBBLES}\r\n\r\n".encode())
    for _ in range(DRIBBLES):
        await asyncio.sleep(sending / DRIBBLES)
        writer.write(b".")


Answers = list[tuple[float, float, int]]  # asked at, answered at, status


async def run_closed(port: int, path: str, users: int, window: Window) -> Answers:
    """Until the rate is known well enough, or the time is up; who still waits then gives up."""
    answers, start = Answers(), perf_counter()
    dice = random.Random(users)  # noqa: S311 - no secret

    async def user(after: float) -> None:
        await asyncio.sleep(after)
        while True:
            sent = perf_counter() - start
            status = await ask(port, path)
            answers.append((sent, perf_counter() - start, status))

    tasks = [asyncio.create_task(user(dice.uniform(0, window.spread))) for _ in range(users)]
    while not _enough(answers, window, perf_counter() - start):
        await asyncio.sleep(LOOK)
    within = list(answers)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)  # what they closed is closed in the loop's next round
    return within


def _enough(answers: Answers, window: Window, passed: float) -> bool:
    if any(status != 200 for *_, status in answers[-1:]):
        return True  # nobody wants figures of a server that fails
    result = estimate.rate([end for _, end, _ in answers], window.each)
    if result is None:
        return passed >= 2 * PATIENCE
    return passed >= window.most or (result.enough and result.seconds >= window.least)


async def run_arrivals(port: int, arrivals: list[tuple[float, str, float]]) -> Answers:
    """Start each when it is due, also while earlier ones still wait."""
    start = perf_counter() + 0.02

    async def one(at: float, path: str, sending: float) -> tuple[float, float, int]:
        await asyncio.sleep(start + at - perf_counter())
        status = await ask(port, path, sending)
        return at, perf_counter() - start, status

    return await asyncio.gather(*(one(*arrival) for arrival in arrivals))


def answer(plan: dict[str, Any]) -> Answers:
    """Carry out one plan."""
    if "arrivals" in plan:
        return uvloop.run(run_arrivals(**plan))
    plan["window"] = Window(**plan["window"])
    return uvloop.run(run_closed(**plan))


if __name__ == "__main__":
    # With PYTHONUNBUFFERED what a pipe does not take at once would be lost: this has a buffer.
    with open(1, "w", encoding="utf-8", closefd=False) as stdout:
        for line in sys.stdin:
            print(json.dumps(answer(json.loads(line))), file=stdout, flush=True)
