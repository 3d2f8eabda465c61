"""Retries: what helps one caller through a short stall can keep a server down after it."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean

from lab.estimate import Estimate
from lab.experiments.storm.clients import ATTEMPTS, BUDGET, TIMEOUT, Plan
from lab.load import Window, generator
from lab.results import Experiment, Finding, Panel, Point, Scale, measured
from lab.servers import ROOT, gunicorn

APP = "lab.experiments.storm.sync:app"
WORK, SEATS = 0.05, 4
RATE = 50  # callers per second: five eighths of what four seats do in 50 ms each
STALL_AT, STALL = 2.0, 2.0  # seconds
RECOVERY, LOAD = "From the end of the stall until callers are answered again", "Attempts per caller"
NONE, AT_ONCE, BACKOFF = "no retries", "retries at once", "retries with backoff"
BUDGETED, SHED = "backoff and a budget of 10 %", "503 with Retry-After"
BIN = 0.5  # seconds
WELL = 0.9  # of the callers of a bin are answered


@dataclass(frozen=True)
class Policy:
    name: str
    policy: str
    path: str = "/wait"

    def recovery(self, capacity: float, most: float) -> float:
        """Seconds, by arithmetic.

        During the stall a line of dead requests forms: whoever gives up stays in it. It is got
        through at the capacity less what comes, until the rest of it takes less than a timeout.
        """
        if self.name == SHED:
            return BIN
        comes = {NONE: RATE, BUDGETED: RATE * (1 + BUDGET)}.get(self.name, RATE * ATTEMPTS)
        if comes >= capacity:
            return most  # never: the line grows for ever
        seconds = (comes * STALL - capacity * TIMEOUT) / (capacity - comes)
        return min(most, max(BIN, seconds))

    def attempts(self) -> float:
        """For each caller who comes while nobody is answered in time."""
        return {NONE: 1.0, BUDGETED: 1 + BUDGET}.get(self.name, float(ATTEMPTS))


POLICIES = (
    Policy(NONE, "none"),
    Policy(AT_ONCE, "at once"),
    Policy(BACKOFF, "backoff"),
    Policy(BUDGETED, "budget"),
    Policy(SHED, "retry after", "/shed"),
)


def measure(scale: Scale) -> Iterator[Finding]:
    after = scale.pick(full=16.0, quick=10.0, taste=1.0)
    with generator() as load, gunicorn(APP, threads=600) as server:
        load.warm_up(server.port, "/wait/0.0", 4)
        result = load.closed(server.port, f"/wait/{WORK}", 2 * SEATS, Window(SEATS, most=3))
        capacity = result.per_second.value
    for policy in POLICIES:
        # Threads, so that 503 needs no seat; the four seats are a semaphore in the app.
        with gunicorn(APP, threads=600) as server:
            yield from measure_one(policy, server.port, capacity, after)


def measure_one(policy: Policy, port: int, capacity: float, after: float) -> Iterator[Point]:
    plan = Plan(
        port=port,
        path=f"{policy.path}/{WORK}",
        rate=RATE,
        seconds=STALL_AT + STALL + after,
        policy=policy.policy,
        stall_at=STALL_AT,
        stall=[f"/wait/{STALL}"] * SEATS,
    )
    answers = run(plan)
    end = STALL_AT + STALL
    exact, sampling = Estimate.exact, f"{len(answers)} callers"
    known, result = policy.recovery(capacity, after), recovery(answers, end, after)
    yield Point(RECOVERY, policy.name, 0, exact(known), exact(result), sampling)
    during = [attempts for at, _, attempts in answers if STALL_AT + 0.5 <= at < end - 0.5]
    where = (LOAD, policy.name, 0)
    independent = policy.name not in {SHED, BUDGETED}  # theirs depends on how long it lasts
    known, result = policy.attempts(), fmean(during)
    yield Point(*where, exact(known), exact(result), sampling, independent=independent)


def run(plan: Plan) -> list[tuple[float, float | None, int]]:
    command = [sys.executable, "-m", "lab.experiments.storm.clients"]
    command.append(json.dumps(dataclasses.asdict(plan)))
    done = subprocess.run(  # noqa: S603 - our own
        command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    return [tuple(answer) for answer in json.loads(done.stdout)]


def recovery(answers: list[tuple[float, float | None, int]], end: float, after: float) -> float:
    """Seconds until nine of ten callers are answered, at whichever attempt, and stay so."""
    recovered = 0.0
    number = 0
    while (number + 1) * BIN <= after - TIMEOUT:
        low = end + number * BIN
        here = [took for at, took, _ in answers if low <= at < low + BIN]
        if sum(took is not None for took in here) < WELL * len(here):
            recovered = (number + 1) * BIN
        number += 1
    return after if recovered >= number * BIN else max(BIN, recovered)


def panels(_: list[Point]) -> list[Panel]:
    return [Panel(RECOVERY, "seconds", noise=1.5), Panel(LOAD, "attempts", noise=0.2)]


def figures(points: list[Point]) -> dict[str, object]:
    names = {"none": NONE, "at_once": AT_ONCE, "backoff": BACKOFF, "budget": BUDGETED, "shed": SHED}
    result: dict[str, object] = {
        key: measured(points, RECOVERY, name) for key, name in names.items()
    }
    return {
        **result,
        "stall": STALL,
        "after": max(p.measured.value for p in points if p.panel == RECOVERY),
    }


EXPERIMENT = Experiment("storm", panels, measure, figures)
