"""Three tasks, two queues.

Look at `task_routes`: a task's queue is configuration, and each queue can have workers of its own,
so that a report of an hour keeps no greeting waiting. Look at `fetch`: what may be tried again says
so itself, with a pause that grows. And look at `acks_late`: a task that is run again when its
worker dies must bear that; one that does not (a payment) must not have it: see `queue_crash`.
"""

from __future__ import annotations

import os
import time
from typing import Any

from celery import Celery

BROKER = os.environ.get("REDIS", "redis://127.0.0.1:6379/0")
app = Celery("queues", broker=BROKER, backend=BROKER)
app.conf.update(
    task_routes={"report": "slow", "greet": "quick", "fetch": "quick"},
    task_track_started=True,  # else a task that runs is PENDING, as is one that never existed
    worker_prefetch_multiplier=1,  # nobody hoards tasks that another worker could do
    result_expires=600,  # seconds; statuses are kept in Redis until then
)


@app.task(name="greet")  # type: ignore[untyped-decorator]
def greet(name: str) -> str:
    return f"Hello, {name}!"


@app.task(name="report", acks_late=True)  # type: ignore[untyped-decorator]
def report(seconds: float) -> str:
    time.sleep(seconds)
    return "forty pages"


@app.task(name="fetch", bind=True, max_retries=3)  # type: ignore[untyped-decorator]
def fetch(self: Any, failures: int) -> str:
    """An upstream that fails so many times before it answers."""
    retries: int = self.request.retries
    if retries < failures:
        error = ConnectionError(f"attempt {retries + 1} of {failures + 1} failed")
        raise self.retry(exc=error, countdown=0.1 * 2**retries)
    return "an answer"
