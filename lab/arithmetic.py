"""What arithmetic says before anything runs: Little's law, the bottleneck law, the M/M/c queue.

Times are seconds, rates are requests per second. A *seat* is whatever holds one request from its
first byte to its answer: a process, a thread, a database connection. The first parameter of each
formula is what its plot has along the bottom.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence


def throughput(
    users: float, seats: float, service: float, overhead: float = 0, ceiling: float = math.inf
) -> float:
    """Answers per second when `users` ask again as soon as they are answered.

    Little's law, N = X * R, for whoever is in a seat; `overhead` is what a request costs besides
    `service`, `ceiling` the rate at which the processor is saturated (the bottleneck law).
    """
    return min(min(users, seats) / (service + overhead), ceiling)


def response(
    users: float, seats: float, service: float, overhead: float = 0, ceiling: float = math.inf
) -> float:
    """Milliseconds until such a user is answered, by Little's law."""
    return 1000 * users / throughput(users, seats, service, overhead, ceiling)


def erlang_c(servers: int, offered: float) -> float:
    """The chance that an arrival must wait (Erlang, 1917); `offered` = arrival rate * service."""
    if offered >= servers:
        return 1.0
    blocked = 1.0  # Erlang B, by its recursion: no factorials, no overflow
    for n in range(1, servers + 1):
        blocked = offered * blocked / (n + offered * blocked)
    return servers * blocked / (servers - offered * (1 - blocked))


def mmc_response(rate: float, servers: int, service: float) -> float:
    """Mean time from arrival to answer in M/M/c: random arrivals, random service, one queue."""
    offered = rate * service
    if offered >= servers:
        return math.inf
    return service + erlang_c(servers, offered) * service / (servers - offered)


def response_when_busy(busy: float, seats: float, service: float) -> float:
    """Milliseconds to the answer in M/M/c whose seats are taken for `busy` percent of the time."""
    return 1000 * mmc_response(busy / 100 * seats / service, int(seats), service)


def straight(x: float, base: float, slope: float = 0) -> float:
    """So much for none, and so much more for each."""
    return base + slope * x


def seats_taken(connections: float, seats: float) -> float:
    """Requests in hand."""
    return min(connections, seats)


def step(x: float, seats: float, below: float, above: float) -> float:
    """One figure while a seat is free, another when none is."""
    return above if x >= seats else below


def slowest_of(calls: float, part: float, fast: float, slow: float, chance: float) -> float:
    """A quantile of the slowest of `calls`, each of which is slow with a small `chance`.

    The median (`part` 0.5) is slow as soon as more than half of all requests meet a slow call:
    1 - (1 - chance) ** calls > 1 - part.
    """
    return slow if 1 - (1 - chance) ** calls > 1 - part else fast


Formula = Callable[..., float]
FORMULAS: dict[str, Formula] = {
    formula.__name__: formula
    for formula in (
        throughput,
        response,
        response_when_busy,
        straight,
        seats_taken,
        step,
        slowest_of,
    )
}


def in_order(arrivals: Sequence[float], services: Sequence[float], servers: int) -> list[float]:
    """Each request's time in the system, worked through one by one: first come, first served."""
    free = [0.0] * servers
    responses = []
    for arrival, service in zip(arrivals, services, strict=True):
        done = max(arrival, heapq.heappop(free)) + service
        heapq.heappush(free, done)
        responses.append(done - arrival)
    return responses
