"""A task queue on threads.

Look at `submit`: when the queue is full it blocks, and that is all the back-pressure there is: a
producer that is too fast is made to wait. Look at `__exit__`: threads are not told to stop, they
are handed a last job each. And look at the lock: two threads may finish at the same moment.

Look at `_within`, too: a thread cannot be stopped from outside. Giving up means to stop waiting for
it; what it does, it goes on doing, and its retry runs beside it.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, Queue
from typing import Any, Self

from lab.exercises.jobs import Outcome

Job = tuple[str, Callable[[], Any]]


class JobQueue:
    """Runs jobs on `workers` threads; at most `capacity` wait; each is tried `attempts` times.

    An attempt that takes longer than `timeout` seconds fails with TimeoutError.
    """

    def __init__(
        self,
        *,
        workers: int = 4,
        capacity: int = 10,
        attempts: int = 3,
        pause: float = 0.01,
        timeout: float | None = None,
    ) -> None:
        self.outcomes: list[Outcome] = []
        self._waiting: Queue[Job | None] = Queue(capacity)
        self._attempts, self._pause, self._timeout = attempts, pause, timeout
        self._lock = threading.Lock()
        self._workers = [threading.Thread(target=self._work) for _ in range(workers)]

    def __enter__(self) -> Self:
        for worker in self._workers:
            worker.start()
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        """Every job that was taken is finished; after an error, only those that have begun."""
        if error:
            self._forget()
        for _worker in self._workers:
            self._waiting.put(None)
        for worker in self._workers:
            worker.join()

    def submit(self, name: str, work: Callable[[], Any]) -> None:
        """Hand in a job; waits while `capacity` jobs are waiting."""
        self._waiting.put((name, work))

    def _forget(self) -> None:
        """Jobs that wait can be given up; those that run cannot."""
        try:
            while True:
                self._waiting.get_nowait()
        except Empty:
            return

    def _work(self) -> None:
        while (job := self._waiting.get()) is not None:
            outcome = self._run(*job)
            with self._lock:
                self.outcomes.append(outcome)

    def _run(self, name: str, work: Callable[[], Any]) -> Outcome:
        for attempt in range(1, self._attempts):
            try:
                return Outcome(name, attempt, self._within(work))
            except Exception:  # noqa: BLE001 - a job may fail in any way, and is tried again
                time.sleep(self._pause * 2**attempt)
        try:
            return Outcome(name, self._attempts, self._within(work))
        except Exception as error:  # noqa: BLE001 - the worker must outlive the job
            return Outcome(name, self._attempts, error=error)

    def _within(self, work: Callable[[], Any]) -> Any:
        if self._timeout is None:
            return work()
        answer: Future[Any] = Future()
        threading.Thread(target=_fulfil, args=(answer, work), daemon=True).start()
        return answer.result(self._timeout)  # or TimeoutError, and the thread goes on


def _fulfil(answer: Future[Any], work: Callable[[], Any]) -> None:
    try:
        answer.set_result(work())
    except Exception as error:  # noqa: BLE001 - it is raised where the answer is waited for
        answer.set_exception(error)
