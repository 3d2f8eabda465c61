"""The load generator tells the truth, above all about servers that stall."""

from collections.abc import Iterator

import pytest

from lab.load import Arrival, Generator, LoadError, Window, generator
from lab.servers import Server, gunicorn, slow_upstream

pytestmark = pytest.mark.xdist_group("load")  # what is timed is timed alone


@pytest.fixture(scope="module")
def load() -> Iterator[Generator]:
    with generator() as running:
        yield running


@pytest.fixture(scope="module")
def worker() -> Iterator[Server]:
    """One sync worker whose view takes as long as it is told to."""
    with gunicorn("lab.experiments.queue.sync:app") as server:
        yield server


def test_a_stall_is_counted_for_everybody_who_was_due_in_it(
    load: Generator, worker: Server
) -> None:
    stall = Arrival(0, "/wait/0.5")
    due = [Arrival(0.1 * n, "/wait/0.0") for n in range(1, 5)]

    _, *waits = load.arrivals(worker.port, [stall, *due])

    # A generator that held back until the stall was over would report milliseconds for each.
    assert [wait + asked.at for wait, asked in zip(waits, due, strict=True)] == pytest.approx(
        [0.5] * 4, abs=0.2
    )


def test_arrivals_do_not_wait_for_one_another(load: Generator) -> None:
    with slow_upstream() as upstream:
        upstream.set(0.3)
        waits = load.arrivals(upstream.port, [Arrival(0.01 * n) for n in range(20)])

    assert all(0.29 < wait < 0.6 for wait in waits)


@pytest.mark.parametrize("most", [1.0, 2.0, 4.0])
def test_users_ask_again_once_they_are_answered(load: Generator, most: float) -> None:
    """However long the window is: this one's ends are not part of the rate."""
    with slow_upstream() as upstream:
        upstream.set(0.1)
        result = load.closed(
            upstream.port, "/", 10, Window(10, spread=0.1, least=most / 2, most=most)
        )

    assert 50 < result.per_second.value < 101
    by_little = result.per_second.value * result.response.value
    assert by_little == pytest.approx(10, rel=0.1)  # also on a busy machine
    assert result.rounds >= 5
    assert result.answers >= 10 * result.rounds


def test_a_slow_answer_is_waited_for_beyond_the_bound(load: Generator, worker: Server) -> None:
    result = load.closed(worker.port, "/wait/0.3", 1, Window(1, most=0.05))

    assert result.per_second.value == pytest.approx(1 / 0.3, rel=0.2)


def test_who_gave_up_is_got_through_before_the_next_measurement(
    load: Generator, worker: Server
) -> None:
    load.closed(worker.port, "/wait/0.02", 10, Window(1, most=0.1))
    load.drain(worker.port, "/wait/0.0")

    assert load.arrivals(worker.port, [Arrival(0, "/wait/0.0")])[0] < 0.02 * 5


def test_waits_are_counted_in_less_than_milliseconds(load: Generator) -> None:
    with slow_upstream() as upstream:
        waits = load.arrivals(upstream.port, [Arrival(0.01 * n) for n in range(20)])

    assert any(abs(1000 * wait - round(1000 * wait)) > 0.02 for wait in waits)


def test_a_server_that_fails_ends_the_measurement(load: Generator, worker: Server) -> None:
    with pytest.raises(LoadError, match=r"requests failed: \{404\}"):
        load.closed(worker.port, "/nowhere", 2, Window(1))


def test_failed_requests_are_not_left_out(load: Generator, worker: Server) -> None:
    with pytest.raises(LoadError, match=r"1 of 2 requests failed: \{404\}"):
        load.arrivals(worker.port, [Arrival(0, "/wait/0.0"), Arrival(0, "/nowhere")])


def test_a_server_that_is_gone_is_a_failure(load: Generator) -> None:
    with slow_upstream() as upstream:
        port = upstream.port

    with pytest.raises(LoadError, match="1 of 1"):
        load.arrivals(port, [Arrival(0)])
