"""The jobs exercise: one queue, on threads and on an event loop, with the same promises."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from lab.exercises.jobs import Outcome, async_, sync

Jobs = Iterable[tuple[str, Callable[[], Any]]]


def on_threads(jobs: Jobs, wait: float, options: dict[str, Any]) -> list[Outcome]:
    def later(work: Callable[[], Any]) -> Callable[[], Any]:
        return lambda: (time.sleep(wait), work())[1]

    with sync.JobQueue(**options) as queue:
        for name, work in jobs:
            queue.submit(name, later(work))
    return queue.outcomes


def on_a_loop(jobs: Jobs, wait: float, options: dict[str, Any]) -> list[Outcome]:
    async def later(work: Callable[[], Any]) -> Any:
        await asyncio.sleep(wait)
        return work()

    async def produce() -> list[Outcome]:
        async with async_.JobQueue(**options) as queue:
            for name, work in jobs:
                await queue.submit(name, lambda work=work: later(work))
        return queue.outcomes

    return asyncio.run(produce())


@pytest.fixture(params=[on_threads, on_a_loop])
def run(request: pytest.FixtureRequest) -> Callable[..., list[Outcome]]:
    """Run jobs in each world in turn; each waits a moment before it works."""

    def run(jobs: Jobs, wait: float = 0.001, **options: Any) -> list[Outcome]:
        outcomes: list[Outcome] = request.param(jobs, wait, options)
        return sorted(outcomes)

    return run


def test_finishes_every_job_that_was_taken(run: Callable[..., list[Outcome]]) -> None:
    jobs = [(f"{number:03}", lambda number=number: number * number) for number in range(50)]

    outcomes = run(jobs, workers=4, capacity=3)

    assert outcomes == [Outcome(f"{number:03}", 1, number * number) for number in range(50)]


def test_tries_again_what_failed(run: Callable[..., list[Outcome]]) -> None:
    failures = [RuntimeError("once"), RuntimeError("twice")]

    def works_at_last() -> str:
        if failures:
            raise failures.pop()
        return "at last"

    assert run([("job", works_at_last)], attempts=3) == [Outcome("job", 3, "at last")]


def test_gives_up_after_its_last_attempt_and_goes_on(run: Callable[..., list[Outcome]]) -> None:
    tries: list[int] = []

    def never_works() -> None:
        tries.append(1)
        raise RuntimeError("no luck")

    bad, good = run([("bad", never_works), ("good", lambda: 1)], workers=1, attempts=3)

    assert (bad.attempts, len(tries), str(bad.error)) == (3, 3, "no luck")
    assert good == Outcome("good", 1, 1)


def test_has_no_more_at_work_than_there_are_workers(run: Callable[..., list[Outcome]]) -> None:
    lock, at_work, most = threading.Lock(), [0], [0]

    def work() -> None:
        with lock:
            at_work[0] += 1
            most[0] = max(most[0], at_work[0])
        time.sleep(0.002)
        with lock:
            at_work[0] -= 1

    run([(str(number), work) for number in range(20)], workers=3, capacity=20)

    assert 1 <= most[0] <= 3


def test_makes_a_producer_wait_that_is_too_fast(run: Callable[..., list[Outcome]]) -> None:
    """Nobody may be further ahead than the workers and the queue have room for, and one in hand."""
    done: list[int] = []
    ahead: list[int] = []

    def produce() -> Jobs:
        for number in range(30):
            ahead.append(number - len(done))
            yield str(number), lambda: done.append(1)

    run(produce(), workers=2, capacity=3)

    assert 3 < max(ahead) <= 2 + 3 + 2  # a worker that has finished may not have said so yet


def test_an_attempt_that_takes_too_long_fails_and_is_tried_again(
    run: Callable[..., list[Outcome]],
) -> None:
    (outcome,) = run([("slow", lambda: 1)], wait=0.3, attempts=2, timeout=0.02)

    assert outcome.attempts == 2
    assert isinstance(outcome.error, TimeoutError)


def test_a_cancelled_job_is_stopped_on_a_loop_and_goes_on_in_a_thread() -> None:
    """What a timeout means: there it ends the work, here it ends the waiting for it."""
    done: list[str] = []

    on_a_loop([("loop", lambda: done.append("loop"))], 0.2, {"attempts": 1, "timeout": 0.02})
    on_threads([("thread", lambda: done.append("thread"))], 0.2, {"attempts": 1, "timeout": 0.02})
    time.sleep(1)

    assert done == ["thread"]


def test_a_timeout_around_the_whole_queue_ends_it_at_once_on_a_loop() -> None:
    async def ten_seconds_of_work() -> None:
        async with asyncio.timeout(0.1), async_.JobQueue(workers=1) as queue:
            for number in range(5):
                await queue.submit(str(number), lambda: asyncio.sleep(2))

    begin = time.perf_counter()
    with pytest.raises(TimeoutError):
        asyncio.run(ten_seconds_of_work())

    assert time.perf_counter() - begin < 1.5


def test_an_error_among_threads_gives_up_what_waits_and_finishes_what_runs() -> None:
    begun: list[int] = []

    def work() -> None:
        begun.append(1)
        time.sleep(0.2)

    queue = sync.JobQueue(workers=1)

    def fail() -> None:
        with queue:
            for number in range(5):
                queue.submit(str(number), work)
            time.sleep(0.05)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert len(begun) == 1
    assert len(queue.outcomes) == 1
