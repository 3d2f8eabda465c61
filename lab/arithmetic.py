"""What arithmetic says before anything runs: Little's law, the bottleneck law, the M/M/c queue.

Times are seconds, rates are requests per second. A *seat* is whatever holds one request from its
first byte to its answer: a process, a thread, a database connection.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence


def throughput(
    users: float, seats: float, service: float, overhead: float = 0, ceiling: float = math.inf
) -> float:
    """Answers per second when `users` ask again as soon as they are answered.

    Little's law, N = X * R, for whoever is in a seat; `overhead` is what a request costs besides
    `service`, `ceiling` the rate at which the processor is busy (the bottleneck law).
    """
    return min(min(users, seats) / (service + overhead), ceiling)


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


def in_order(arrivals: Sequence[float], services: Sequence[float], servers: int) -> list[float]:
    """Each request's time in the system, worked through one by one: first come, first served."""
    free = [0.0] * servers
    responses = []
    for arrival, service in zip(arrivals, services, strict=True):
        done = max(arrival, heapq.heappop(free)) + service
        heapq.heappush(free, done)
        responses.append(done - arrival)
    return responses
