"""python -m lab.exercises.chat: some hundred clients, and what each costs."""

import argparse
import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import psutil

from lab.exercises.clock import table
from lab.servers import end


class Cost(NamedTuple):
    """What the clients cost the server."""

    threads: int
    kib_each: float  # resident memory beyond that of an empty room
    ms_median: float  # from one client's line until another one has it
    ms_last: float  # … until the last one has it


@contextmanager
def serving(kind: str) -> Iterator[tuple[int, psutil.Process]]:
    """The server in a process of its own; yields its port, and the process to look at."""
    command = [sys.executable, "-m", f"lab.exercises.chat.{kind}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own module
        try:
            assert process.stdout  # noqa: S101 - we asked for it
            yield int(process.stdout.readline()), psutil.Process(process.pid)
        finally:
            end(process)


async def cost(port: int, server: psutil.Process, clients: int, rounds: int = 20) -> Cost:
    """Fill the room, then say a line a few times and wait until all have heard it."""
    empty = server.memory_info().rss
    room = [await enter(port, f"client {number}") for number in range(clients)]
    for number, (reader, _) in enumerate(room, start=1):
        await _hear(reader, clients - number)  # those who came later
    threads, full = server.num_threads(), server.memory_info().rss
    times: list[list[float]] = []
    for _ in range(rounds):
        started = time.perf_counter()
        room[0][1].write(b"hello\n")
        times.append(await asyncio.gather(*(_heard_after(reader, started) for reader, _ in room)))
    for _, writer in room:
        writer.close()
    median = statistics.median(each for one in times for each in one)
    last = statistics.median(max(one) for one in times)
    return Cost(threads, (full - empty) / 1024 / clients, median * 1e3, last * 1e3)


async def enter(port: int, name: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Come in, and wait until that was heard: one at a time, so that all know who came when."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{name}\n".encode())
    await _hear(reader, 1)
    return reader, writer


async def _hear(reader: asyncio.StreamReader, lines: int) -> None:
    for _ in range(lines):
        await asyncio.wait_for(reader.readuntil(b"\n"), timeout=30)


async def _heard_after(reader: asyncio.StreamReader, started: float) -> float:
    await _hear(reader, 1)
    return time.perf_counter() - started


def main() -> None:
    options = argparse.ArgumentParser(description="A chat room on threads and on an event loop.")
    options.add_argument("--clients", type=int, default=300)
    arguments = options.parse_args()
    rows = []
    for kind in ("sync", "async_"):
        with serving(kind) as (port, server):
            paid = asyncio.run(cost(port, server, arguments.clients))
        numbers = (f"{paid.kib_each:.0f}", f"{paid.ms_median:.1f}", f"{paid.ms_last:.1f}")
        rows.append((kind, paid.threads, *numbers))
    heading = (f"{arguments.clients} clients", "threads", "KiB each", "median ms", "last ms")
    print(table(heading, *rows))


if __name__ == "__main__":
    main()
