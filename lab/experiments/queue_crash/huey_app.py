"""Huey: a worker takes a task off the list; from then on it is in that worker's memory only."""

from __future__ import annotations

import os

from huey import RedisHuey

from lab.experiments.queue_crash.work import work

huey = RedisHuey("crash", url=os.environ["REDIS"])


@huey.task(retries=3)  # type: ignore[untyped-decorator]
def job(number: int) -> None:
    work(number)


def enqueue(number: int) -> None:
    job(number)


def recover() -> None:
    """There is nothing to recover from: the queue does not know of it any more."""
