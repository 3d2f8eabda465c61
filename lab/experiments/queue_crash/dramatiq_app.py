"""Dramatiq: a message is acknowledged after the actor; a dead worker's go back to the queue."""

from __future__ import annotations

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from lab.experiments.queue_crash.work import work

# As it comes, a worker is dead after a minute, and one command in a thousand looks for such.
broker = RedisBroker(  # type: ignore[no-untyped-call]
    url=os.environ["REDIS"], heartbeat_timeout=2000, maintenance_chance=1_000_000
)
dramatiq.set_broker(broker)


@dramatiq.actor
def job(number: int) -> None:
    work(number)


def enqueue(number: int) -> None:
    job.send(number)


def recover() -> None:
    """Any worker's commands look for the messages of dead ones."""
