"""A figure and how sure it is: intervals of means, and when a stream of answers is steady."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

CONFIDENCE = 0.95
PRECISE = 0.05  # the interval reaches this part of the mean to either side, and no further
WARM_UP = 3  # the first third of what was seen is warm-up
FEWEST, MOST_BATCHES = 5, 20  # below the first there is no interval; above the second, no gain


@dataclass(frozen=True)
class Estimate:
    """A figure between the ends of its interval."""

    value: float
    low: float
    high: float

    @classmethod
    def exact(cls, value: float) -> Estimate:
        return cls(value, value, value)

    @property
    def uncertainty(self) -> float:
        """How far the interval reaches from the value, as a part of the value."""
        reach = max(self.high - self.value, self.value - self.low)
        return reach / self.value if self.value else 0.0

    def map(self, change: float) -> Estimate:
        """The same in another unit."""
        return Estimate(self.value * change, self.low * change, self.high * change)

    def inverse(self) -> Estimate:
        """Seconds for one out of a rate, and back."""
        return Estimate(1 / self.value, 1 / self.high, 1 / self.low)


def students_t(freedom: int) -> float:
    """The two-sided 95 % point, by Cornish and Fisher's expansion (Abramowitz, Stegun 26.7.5)."""
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3


def mean(samples: Sequence[float]) -> Estimate:
    """The mean of independent samples and its 95 % interval (Student)."""
    middle = statistics.fmean(samples)
    if len(samples) == 1:
        return Estimate.exact(middle)
    reach = students_t(len(samples) - 1) * statistics.stdev(samples) / len(samples) ** 0.5
    return Estimate(middle, middle - reach, middle + reach)


def median(samples: Sequence[float]) -> Estimate:
    """The median between the lowest and the highest: for a handful of repeats."""
    return Estimate(statistics.median(samples), min(samples), max(samples))


def quantile(samples: Sequence[float], part: float) -> Estimate:
    """A quantile of independent samples, with the interval that order statistics give."""
    ordered = sorted(samples)
    count = len(ordered)
    middle = part * (count - 1)
    reach = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * (count * part * (1 - part)) ** 0.5
    places = (middle, middle - reach, middle + reach)
    return Estimate(*(ordered[min(count - 1, max(0, round(place)))] for place in places))


@dataclass(frozen=True)
class Rate:
    """What a steady stream of answers was worth."""

    per_second: Estimate
    seconds: float  # for how long it was measured, after the warm-up
    rounds: float  # of the seats, within that time
    settled: bool  # the two halves of that time agree

    @property
    def enough(self) -> bool:
        return self.settled and self.per_second.uncertainty <= PRECISE


def rate(ends: Sequence[float], each: int) -> Rate | None:
    """Answers per second out of the moments at which they came, in order; None if too few.

    A round is `each` answers, one from every seat that is taken: however the seats are in step with
    one another, a round lasts as long as one service, so its length does not depend on where it is
    cut. The interval is that of the mean length of batches of whole rounds (batch means).
    """
    kept = ends[len(ends) // WARM_UP :]
    rounds = (len(kept) - 1) // each
    if rounds < FEWEST:
        return None
    batches = min(rounds, MOST_BATCHES)
    answers = rounds // batches * each
    cuts = [kept[number * answers] for number in range(batches + 1)]
    lengths = [end - start for start, end in itertools.pairwise(cuts)]
    early, late = lengths[: batches // 2], lengths[-(batches // 2) :]
    drift = abs(statistics.fmean(early) - statistics.fmean(late))
    length = mean(lengths)
    if length.low <= 0:
        length = Estimate(length.value, length.value / 10, length.high)
    per_second = length.map(1 / answers).inverse()
    settled = drift <= 2 * PRECISE * length.value
    return Rate(per_second, cuts[-1] - cuts[0], batches * answers / each, settled)
