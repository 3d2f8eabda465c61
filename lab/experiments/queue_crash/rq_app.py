"""RQ: a job of a dead worker is "started" until its heartbeat expires, then failed, or retried."""

from __future__ import annotations

import logging
import os
import time

from redis import Redis
from rq import Queue, Retry
from rq.registry import StartedJobRegistry

from lab.experiments.queue_crash.work import work

EXPIRED = 300  # seconds, more than any heartbeat lasts
logging.getLogger("rq.registry").setLevel(logging.CRITICAL)  # it names every job of a dead worker
connection = Redis.from_url(os.environ["REDIS"])
queue = Queue(connection=connection)


def enqueue(number: int) -> None:
    queue.enqueue(work, number, retry=Retry(max=3) if os.environ.get("LATE") == "1" else None)


def recover() -> None:
    """What a worker does every ten minutes, as if that time, and the heartbeats', had passed."""
    registry = StartedJobRegistry(queue=queue)
    registry.cleanup(timestamp=time.time() + EXPIRED)
