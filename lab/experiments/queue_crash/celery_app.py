"""Celery: a message is acknowledged before the task runs, or after it, if one says so."""

from __future__ import annotations

import os

from celery import Celery

from lab.experiments.queue_crash.work import work

app = Celery("crash", broker=os.environ["REDIS"])
app.conf.update(
    task_acks_late=os.environ.get("LATE") == "1",
    task_reject_on_worker_lost=os.environ.get("LATE") == "1",
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    # As it comes, an hour: nobody else gets the message of a dead worker before that.
    broker_transport_options={"visibility_timeout": 5},
)


@app.task  # type: ignore[untyped-decorator]
def job(number: int) -> None:
    work(number)


def enqueue(number: int) -> None:
    job.delay(number)


def recover() -> None:
    """What a worker does some 10 s after its start and then every 100 s, ten messages at a time."""
    with app.connection_for_read() as connection:
        connection.default_channel.qos.restore_visible(num=1000)
