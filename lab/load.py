"""The load generator: a process of its own, so that it never shares a loop with what it measures.

Two ways to ask, because they answer two questions:

- `closed`: a number of users who each ask again once they are answered. How much gets done?
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
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

ROOT = Path(__file__).parents[1]
PATIENCE = 60  # seconds until a request counts as failed
DRIBBLES = 10  # pieces in which a slow client sends its body


class LoadError(Exception):
    """Requests failed: figures that left them out would flatter the server."""


@dataclass(frozen=True)
class Arrival:
    """One request: when it is due, what it asks for, and for how long it sends its body."""

    at: float
    path: str = "/"
    sending: float = 0  # seconds; 0 is a GET without a body


class Generator:
    """The door to the process: one plan in, one list of answers out."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def closed(self, port: int, path: str, users: int, seconds: float) -> float:
        """Answers per second, over the time to the last of them."""
        plan = {"port": port, "path": path, "users": users, "seconds": seconds}
        ends = [end for end, _ in self._run(plan)]
        return len(ends) / max(ends)

    def arrivals(self, port: int, arrivals: Sequence[Arrival]) -> list[float]:
        """The wait of each, in the order given, from its intended start to its answer."""
        plan = [[arrival.at, arrival.path, arrival.sending] for arrival in arrivals]
        ends = self._run({"port": port, "arrivals": plan})
        return [end - arrival.at for (end, _), arrival in zip(ends, arrivals, strict=True)]

    def drain(self, port: int, path: str) -> None:
        """Stand last in line, until the server has got through everybody who gave up."""
        self._run({"port": port, "arrivals": [[0, path, 0]]})

    def _run(self, plan: dict[str, Any]) -> list[tuple[float, int]]:
        answers = json.loads(self._exchange(json.dumps(plan)))
        failed = [status for _, status in answers if status != 200]
        if failed:
            raise LoadError(f"{len(failed)} of {len(answers)} requests failed: {set(failed)}")
        return [(end, status) for end, status in answers]

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
            process.terminate()


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


async def run_closed(port: int, path: str, users: int, seconds: float) -> list[tuple[float, int]]:
    """What was answered within the time, or the first answer; who still waits then gives up."""
    loop, answers, first = asyncio.get_running_loop(), list[tuple[float, int]](), asyncio.Event()
    start = loop.time()

    async def user() -> None:
        while True:
            status = await ask(port, path)
            answers.append((loop.time() - start, status))
            first.set()

    tasks = [asyncio.create_task(user()) for _ in range(users)]
    await asyncio.wait(tasks, timeout=seconds)
    await first.wait()
    within = list(answers)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)  # what they closed is closed in the loop's next round
    return within


async def run_arrivals(port: int, arrivals: list[tuple[float, str, float]]) -> list[Any]:
    """Start each when it is due, also while earlier ones still wait."""
    loop = asyncio.get_running_loop()
    start = loop.time() + 0.02

    async def one(at: float, path: str, sending: float) -> tuple[float, int]:
        await asyncio.sleep(start + at - loop.time())
        status = await ask(port, path, sending)
        return loop.time() - start, status

    return await asyncio.gather(*(one(*arrival) for arrival in arrivals))


def answer(plan: dict[str, Any]) -> list[Any]:
    """Carry out one plan."""
    return uvloop.run(run_arrivals(**plan) if "arrivals" in plan else run_closed(**plan))


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)  # noqa: T201 - the reply
