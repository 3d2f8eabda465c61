"""python -m lab.exercises.queues: a Redis, a worker for each queue, and what becomes of tasks."""

from __future__ import annotations

import argparse
import gc
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from celery.states import READY_STATES

from lab.exercises.clock import table
from lab.servers import MissingError, redis

PATIENCE = 60  # seconds until a worker must have started, or a task ended


@contextmanager
def worker(queue: str, url: str) -> Iterator[None]:
    command = ["celery", "-A", "lab.exercises.queues.app", "worker", "--queues", queue]
    command += ["--concurrency", "1", "--hostname", f"{queue}@lab", "--loglevel", "ERROR"]
    process = subprocess.Popen(  # noqa: S603 - our own
        [sys.executable, "-m", *command, "--without-gossip", "--without-mingle"],
        env={**os.environ, "REDIS": url},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()  # it finishes what it has begun
        process.wait()


def watch(results: dict[str, Any]) -> dict[str, tuple[list[str], float]]:
    """The statuses that each task went through, and the seconds until its last."""
    begin, known = time.monotonic(), {name: (list[str](), 0.0) for name in results}
    waiting = dict(results)
    while waiting and time.monotonic() - begin < PATIENCE:
        for name, result in list(waiting.items()):
            statuses, _ = known[name]
            status = result.status
            if statuses[-1:] != [status]:
                statuses.append(status)
            known[name] = (statuses, time.monotonic() - begin)
            if status in READY_STATES:
                del waiting[name]
        time.sleep(0.01)
    return known


def main() -> None:
    parser = argparse.ArgumentParser(description="Queues, retries and statuses with Celery.")
    parser.add_argument("--report", type=float, default=3, help="seconds that the report takes")
    options = parser.parse_args()
    with ExitStack() as stack:
        try:
            url = stack.enter_context(redis())
        except MissingError as missing:
            sys.exit(f"This exercise needs Redis: {missing}")
        os.environ["REDIS"] = url
        for queue in ("quick", "slow"):
            stack.enter_context(worker(queue, url))
        rows = send_and_watch(options.report)
        gc.collect()  # results unsubscribe when they end, and need a Redis for that
    print(table(("task", "its statuses", "seconds"), *rows))


def send_and_watch(seconds: float) -> list[tuple[str, str, str]]:
    from lab.exercises.queues.app import fetch, greet, report  # now that Redis is known

    greet.delay("whoever starts first").get(timeout=PATIENCE)  # its worker has started
    report.delay(0).get(timeout=PATIENCE)
    sent = {
        "a report, on the slow queue": report.delay(seconds),
        "a greeting, sent after it": greet.delay("Ann"),
        "a fetch that fails twice": fetch.delay(2),
        "a fetch that fails always": fetch.delay(9),
    }
    return [
        (name, " > ".join(statuses), f"{took:.2f}")
        for name, (statuses, took) in watch(sent).items()
    ]


if __name__ == "__main__":
    main()
