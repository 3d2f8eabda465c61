"""A view that waits for the upstream, and users who ask it: what several experiments share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lab.estimate import Estimate
from lab.load import Generator, Measured, Window
from lab.results import Finding, Line, Point
from lab.servers import Upstream

MANY = 100_000  # seats on an event loop: more than anybody here asks at once


@dataclass(frozen=True)
class Bench:
    """One view of one running server."""

    port: int
    path: str
    upstream: Upstream
    load: Generator

    def calibrate(self, users: int) -> tuple[Estimate, Estimate]:
        """With an upstream that answers at once: seconds for a request, and the most per second."""
        self.upstream.set(0)
        self.load.warm_up(self.port, self.path, users)
        alone = self.load.closed(self.port, self.path, 1, Window(1, most=1.5))
        most = self.load.closed(self.port, self.path, users, Window(users, most=2))
        self.load.drain(self.port, self.path)
        return alone.per_second.inverse(), most.per_second

    def rate(self, delay: float, users: int, window: Window) -> Measured:
        """The steady rate when the upstream takes that long."""
        self.upstream.set(delay)
        try:
            return self.load.closed(self.port, self.path, users, window)
        finally:
            self.upstream.set(0)  # whoever still waits in the server's queue gets through quickly
            self.load.drain(self.port, self.path)


def window(users: int, seats: float, service: float, most: float = 4) -> Window:
    """For `users` who share `seats`: arrivals spread over a round, a bound of fifteen rounds."""
    each = int(min(users, seats))
    spread = min(2.0, service * max(1, users / seats))
    return Window(each, spread, most=max(most, 15 * service))


def described(result: Measured) -> str:
    """For how long a rate was measured, and whether it was steady by then."""
    said = f"{result.seconds:.1f} s, {result.rounds:.0f} rounds"
    return said if result.settled else f"{said}, not steady"


def crowds(
    bench: Bench, prediction: Line, delay: float, users: tuple[int, ...]
) -> Iterator[Finding]:
    """The line of one server, and its throughput for each number of users."""
    yield prediction
    known = prediction.known
    for count in users:
        predicted = prediction(count)
        service = min(count, known["seats"].value) / predicted.value
        result = bench.rate(delay, count, window(count, known["seats"].value, service))
        where = (prediction.panel, prediction.series, count)
        yield Point(*where, predicted, result.per_second, described(result))
