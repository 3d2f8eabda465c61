"""A task queue on threads.

Look at `submit`: when the queue is full it blocks, and that is all the back-pressure there is: a
producer that is too fast is made to wait. Look at `__exit__`: threads are not told to stop, they
are handed a last job each. And look at the lock: two threads may finish at the same moment.
"""

import threading
import time
from collections.abc import Callable
from queue import Queue
from typing import Any, Self

from lab.exercises.jobs import Outcome

Job = tuple[str, Callable[[], Any]]


class JobQueue:
    """Runs jobs on `workers` threads; at most `capacity` wait; each is tried `attempts` times."""

    def __init__(
        self, *, workers: int = 4, capacity: int = 10, attempts: int = 3, pause: float = 0.01
    ) -> None:
        self.outcomes: list[Outcome] = []
        self._waiting: Queue[Job | None] = Queue(capacity)
        self._attempts, self._pause = attempts, pause
        self._lock = threading.Lock()
        self._workers = [threading.Thread(target=self._work) for _ in range(workers)]

    def __enter__(self) -> Self:
        for worker in self._workers:
            worker.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Every job that was taken is finished."""
        for _worker in self._workers:
            self._waiting.put(None)
        for worker in self._workers:
            worker.join()

    def submit(self, name: str, work: Callable[[], Any]) -> None:
        """Hand in a job; waits while `capacity` jobs are waiting."""
        self._waiting.put((name, work))

    def _work(self) -> None:
        while (job := self._waiting.get()) is not None:
            outcome = self._run(*job)
            with self._lock:
                self.outcomes.append(outcome)

    def _run(self, name: str, work: Callable[[], Any]) -> Outcome:
        for attempt in range(1, self._attempts):
            try:
                return Outcome(name, attempt, work())
            except Exception:  # noqa: BLE001 - a job may fail in any way, and is tried again
                time.sleep(self._pause * 2**attempt)
        try:
            return Outcome(name, self._attempts, work())
        except Exception as error:  # noqa: BLE001 - the worker must outlive the job
            return Outcome(name, self._attempts, error=error)
