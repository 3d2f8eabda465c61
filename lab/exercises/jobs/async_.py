"""A task queue on an event loop.

Look for the lock: there is none. Nothing else runs between two awaits, so appending to a list is
safe. Look at what a worker may catch: `except Exception` lets `CancelledError` through, as it must.
And try a job that computes instead of waiting: with threads the others go on, slowly; here they
stand still.

Look at `timeout`: a task can be stopped wherever it awaits, so a job that takes too long ends, and
so does the whole queue when whoever opened it is cancelled. That is what threads do not have.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Self

from lab.exercises.jobs import Outcome

Work = Callable[[], Awaitable[Any]]
Job = tuple[str, Work]


class JobQueue:
    """Runs jobs in `workers` tasks; at most `capacity` wait; each is tried `attempts` times.

    An attempt that takes longer than `timeout` seconds is cancelled, and fails with TimeoutError.
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
        self._waiting: asyncio.Queue[Job | None] = asyncio.Queue(capacity)
        self._attempts, self._pause, self._timeout = attempts, pause, timeout
        self._count = workers

    async def __aenter__(self) -> Self:
        self._workers = [asyncio.create_task(self._work()) for _ in range(self._count)]
        return self

    async def __aexit__(self, error: type[BaseException] | None, *_: object) -> None:
        """Every job that was taken is finished; after an error or a cancellation, none is."""
        try:
            if not error:
                for _worker in self._workers:
                    await self._waiting.put(None)
                await asyncio.gather(*self._workers)
        finally:
            for worker in self._workers:
                worker.cancel()
            await asyncio.gather(*self._workers, return_exceptions=True)

    async def submit(self, name: str, work: Work) -> None:
        """Hand in a job; waits while `capacity` jobs are waiting."""
        await self._waiting.put((name, work))

    async def _work(self) -> None:
        while (job := await self._waiting.get()) is not None:
            self.outcomes.append(await self._run(*job))

    async def _run(self, name: str, work: Work) -> Outcome:
        for attempt in range(1, self._attempts):
            try:
                return Outcome(name, attempt, await self._within(work))
            except Exception:  # noqa: BLE001 - a job may fail in any way, and is tried again
                await asyncio.sleep(self._pause * 2**attempt)
        try:
            return Outcome(name, self._attempts, await self._within(work))
        except Exception as error:  # noqa: BLE001 - the worker must outlive the job
            return Outcome(name, self._attempts, error=error)

    async def _within(self, work: Work) -> Any:
        async with asyncio.timeout(self._timeout):
            return await work()
