"""Intervals, and when a stream of answers is steady: held against what is known beforehand."""

import random
import statistics

import pytest

from lab import estimate
from lab.estimate import Estimate


@pytest.mark.parametrize(("freedom", "table"), [(4, 2.776), (9, 2.262), (19, 2.093), (100, 1.984)])
def test_students_t_is_that_of_the_tables(freedom: int, table: float) -> None:
    assert estimate.students_t(freedom) == pytest.approx(table, abs=0.01)


def test_the_interval_of_a_mean_holds_the_truth_in_95_of_100_draws() -> None:
    dice = random.Random(1)
    held = 0
    for _ in range(1000):
        result = estimate.mean([dice.gauss(10, 3) for _ in range(6)])
        held += result.low <= 10 <= result.high

    assert 930 <= held <= 970


def stream(users: int, seats: int, service: float, seconds: float, empty: float) -> list[float]:
    """When a server with these seats answers, after some seconds in which it answers nobody."""
    free = [empty] * min(users, seats)
    ends = []
    while (at := min(free)) + service < seconds:
        free[free.index(at)] = at + service
        ends.append(at + service)
    return ends


@pytest.mark.parametrize("seconds", [3.0, 8.0, 32.0])
def test_the_rate_does_not_depend_on_the_window(seconds: float) -> None:
    """32 seats in step at 200 ms: counted answers over time gave 85 in 0.44 s and 153 in 8 s."""
    result = estimate.rate(stream(40, 32, 0.2, seconds, empty=0.3), each=32)

    assert result is not None
    assert result.per_second.value == pytest.approx(160, rel=0.001)
    assert result.enough


def test_seats_in_step_and_out_of_step_give_the_same_rate() -> None:
    dice = random.Random(2)
    apart = sorted(dice.uniform(0, 0.1) + 0.1 * n for n in range(40) for _ in range(8))

    result = estimate.rate(apart, each=8)

    assert result is not None
    assert result.per_second.value == pytest.approx(80, rel=0.05)


def test_four_rounds_are_too_few_to_say() -> None:
    assert estimate.rate([0.1 * n for n in range(6)], each=1) is None


def test_a_server_that_gets_slower_and_slower_is_not_settled() -> None:
    result = estimate.rate([1.3**n for n in range(30)], each=1)

    assert result is not None
    assert not result.settled
    assert not result.enough


def test_a_noisy_rate_has_an_interval_that_holds_the_truth() -> None:
    dice = random.Random(3)
    held = 0
    for _ in range(200):
        at, ends = 0.0, []
        for _ in range(300):
            at += dice.expovariate(50)
            ends.append(at)
        result = estimate.rate(ends, each=1)
        assert result is not None
        held += result.per_second.low <= 50 <= result.per_second.high

    assert held >= 180


def test_a_median_lies_between_its_lowest_and_its_highest() -> None:
    samples = [3.0, 1.0, 2.0]

    assert estimate.median(samples) == Estimate(statistics.median(samples), 1, 3)
