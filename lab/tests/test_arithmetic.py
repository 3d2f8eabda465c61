"""The predictions, held against figures that are known from elsewhere."""

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import arithmetic


def test_users_below_the_seats_all_get_served() -> None:
    assert arithmetic.throughput(users=3, seats=8, service=0.1) == pytest.approx(30)


def test_users_above_the_seats_change_nothing() -> None:
    rates = {arithmetic.throughput(users, seats=4, service=0.2) for users in (4, 40, 400)}

    assert rates == {20}


def test_overhead_takes_a_seat_too_and_the_processor_is_a_ceiling() -> None:
    assert arithmetic.throughput(1, 1, service=0.09, overhead=0.01) == pytest.approx(10)
    assert arithmetic.throughput(200, 1_000_000, service=0.1, ceiling=700) == 700


@pytest.mark.parametrize(
    ("servers", "offered", "chance"),
    # Published Erlang C tables.
    [(1, 0.5, 0.5), (2, 1.0, 1 / 3), (5, 4.0, 0.5541), (10, 8.0, 0.4092), (4, 4.5, 1.0)],
)
def test_erlang_c_is_that_of_the_tables(servers: int, offered: float, chance: float) -> None:
    assert arithmetic.erlang_c(servers, offered) == pytest.approx(chance, abs=5e-4)


def test_a_single_server_is_the_textbook_queue() -> None:
    # M/M/1: 1 / (mu - lambda)
    assert arithmetic.mmc_response(rate=8, servers=1, service=0.1) == pytest.approx(0.5)
    assert arithmetic.mmc_response(rate=10, servers=1, service=0.1) == float("inf")


def test_first_come_first_served_by_hand() -> None:
    waits = arithmetic.in_order(arrivals=[0, 0, 0, 5], services=[2, 3, 1, 1], servers=2)

    assert waits == [2, 3, 3, 1]


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1), st.integers(1, 6))
def test_nobody_is_done_before_their_work_is(pairs: list[tuple[float, float]], seats: int) -> None:
    arrivals, services = sorted(at for at, _ in pairs), [work for _, work in pairs]

    waits = arithmetic.in_order(arrivals, services, seats)

    assert all(wait >= work - 1e-9 for wait, work in zip(waits, services, strict=True))
    alone = arithmetic.in_order(arrivals, services, len(pairs))
    assert statistics.fmean(waits) >= statistics.fmean(alone) - 1e-9


def test_seats_are_taken_until_none_is_left() -> None:
    assert [arithmetic.seats_taken(n, seats=4) for n in (1, 4, 5, 5000)] == [1, 4, 4, 4]
    assert [arithmetic.step(n, seats=2, below=1, above=9) for n in (1, 2, 3)] == [1, 9, 9]


def test_the_tail_of_one_is_the_median_of_many() -> None:
    """One call in fifty is slow: 1 - 0.98 ** 34 is just below a half, 1 - 0.98 ** 35 above."""
    known = {"fast": 50, "slow": 500, "chance": 0.02}

    assert [arithmetic.slowest_of(n, part=0.5, **known) for n in (1, 34, 35, 100)] == [
        50, 50, 500, 500
    ]  # fmt: skip
    assert arithmetic.slowest_of(1, part=0.99, **known) == 500


def test_response_time_follows_from_throughput_by_littles_law() -> None:
    assert arithmetic.response(40, seats=5, service=0.05) == pytest.approx(400)
    assert arithmetic.response_when_busy(50, seats=1, service=0.03) == pytest.approx(60)
