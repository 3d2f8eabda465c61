"""python -m lab.experiments.storm.clients PLAN: callers who give up and try again, by a policy.

A process of its own, like the load generator. The plan, one line of JSON, is a Plan; the answer is,
for each caller, when it was due, after how many seconds it was answered (null: never), and its
attempts.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from dataclasses import dataclass
from time import perf_counter

import uvloop

from lab.load import ask

TIMEOUT = 0.5  # seconds until a caller gives up an attempt
ATTEMPTS = 4  # at most, the first included
BUDGET = 0.1  # retries for each first attempt, where there is a budget
FIRST_PAUSE = 0.25  # seconds, doubled each time, and a random part of it is waited


@dataclass(frozen=True)
class Plan:
    """Who asks when, and what a caller does after a timeout or a 503."""

    port: int
    path: str
    rate: float  # callers per second, at random moments
    seconds: float
    policy: str  # none, at once, backoff, budget, retry after
    stall_at: float  # seconds
    stall: list[str]  # paths asked for then, which hold up the server


class Callers:
    """All of them; they share one budget, as one client library in one service would."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.dice = random.Random(7)  # noqa: S311 - no secret
        self.first = self.retries = 0
        self.answers: list[tuple[float, float | None, int]] = []

    async def run(self) -> None:
        start = perf_counter()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.stall(start))
            at = 0.0
            while (at := at + self.dice.expovariate(self.plan.rate)) < self.plan.seconds:
                group.create_task(self.caller(start, at))

    async def stall(self, start: float) -> None:
        await asyncio.sleep(start + self.plan.stall_at - perf_counter())
        await asyncio.gather(*(ask(self.plan.port, path) for path in self.plan.stall))

    async def caller(self, start: float, at: float) -> None:
        await asyncio.sleep(start + at - perf_counter())
        self.first += 1
        attempt = 1
        while not (answered := await self.attempt()) and await self.again(attempt):
            attempt += 1
        took = perf_counter() - start - at if answered else None
        self.answers.append((at, took, attempt))

    async def attempt(self) -> bool:
        try:
            async with asyncio.timeout(TIMEOUT):
                self.status = await ask(self.plan.port, self.plan.path)
        except TimeoutError:
            self.status = 0
        return self.status == 200

    async def again(self, attempt: int) -> bool:
        """Whether to try once more, after the pause that the policy wants."""
        policy = self.plan.policy
        if attempt == ATTEMPTS or policy == "none":
            return False
        if policy == "budget" and self.retries + 1 > BUDGET * self.first:
            return False
        self.retries += 1
        if policy == "retry after":
            await asyncio.sleep(1 + self.dice.random())  # what the 503 says, and not all at once
        elif policy != "at once":
            await asyncio.sleep(self.dice.uniform(0, FIRST_PAUSE * 2**attempt))
        return True


async def main(plan: Plan) -> None:
    callers = Callers(plan)
    await callers.run()
    json.dump(sorted(callers.answers), sys.stdout)


if __name__ == "__main__":
    uvloop.run(main(Plan(**json.loads(sys.argv[1]))))
