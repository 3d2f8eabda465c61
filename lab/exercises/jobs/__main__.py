"""python -m lab.exercises.jobs: jobs that wait, then jobs that compute."""

import argparse
import asyncio
import time
from collections.abc import Callable
from hashlib import pbkdf2_hmac

from lab.exercises.clock import seconds, table
from lab.exercises.jobs import async_, sync


def with_threads(work: Callable[[], object], jobs: int, workers: int) -> None:
    with sync.JobQueue(workers=workers) as queue:
        for number in range(jobs):
            queue.submit(str(number), work)


async def on_a_loop(work: async_.Work, jobs: int, workers: int) -> None:
    async with async_.JobQueue(workers=workers) as queue:
        for number in range(jobs):
            await queue.submit(str(number), work)


def compute() -> None:
    """Some milliseconds of C code that lets go of the interpreter's lock, as argon2 does."""
    pbkdf2_hmac("sha256", b"password", b"salt", 20_000)


async def compute_on_the_loop() -> None:
    compute()


def main() -> None:
    options = argparse.ArgumentParser(description="Run jobs on threads and on an event loop.")
    options.add_argument("--jobs", type=int, default=100)
    options.add_argument("--workers", type=int, default=10)
    options.add_argument("--wait", type=float, default=0.02, help="seconds for each waiting job")
    arguments = options.parse_args()
    size = (arguments.jobs, arguments.workers)
    waits = (
        seconds(lambda: with_threads(lambda: time.sleep(arguments.wait), *size)),
        seconds(lambda: asyncio.run(on_a_loop(lambda: asyncio.sleep(arguments.wait), *size))),
    )
    computes = (
        seconds(lambda: with_threads(compute, *size)),
        seconds(lambda: asyncio.run(on_a_loop(compute_on_the_loop, *size))),
    )
    print(
        table(
            (f"{arguments.jobs} jobs, {arguments.workers} workers", "threads s", "asyncio s"),
            (f"each waits {arguments.wait * 1e3:.0f} ms", *(f"{each:.2f}" for each in waits)),
            ("each computes", *(f"{each:.2f}" for each in computes)),
        )
    )


if __name__ == "__main__":
    main()
