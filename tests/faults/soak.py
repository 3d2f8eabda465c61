"""Eight people at work, and beside them one attacker of every kind, behind the shipped nginx.

    python -m tests.faults.soak --seconds 300 [--postgresql] [--alone]

Counts what the others notice: how long their requests waited, what was refused to them, how much
memory the service took, and whether anything that was acknowledged is missing. The service is as
it ships: two workers, SQLite unless told otherwise, every limit on; each attacker has an account
and an address of its own (of the loopback network), as far as it needs them. The attackers are a
process of their own, so that their work is not in the others' clocks. Needs nginx. It prints what
docs/security.md shows; with `--alone` the attackers come one after the other, which says whose
fault a wait is.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import threading
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import psutil

from tests import leftovers, servers
from tests.faults.attackers import API, ATTACKS, MIB, Caller, Rounds, attack
from tests.faults.test_nginx import nginx

CLIENTS = 8
PACE = 0.3  # seconds between two requests of one client: within the limit of 300 a minute
LONGEST_WAIT, MOST_MEMORY = 1.0, 256 * MIB


class Wait(NamedTuple):
    """One request of somebody at work, by the clock that the attackers have, too."""

    began: float
    ended: float
    what: str

    @property
    def seconds(self) -> float:
        return self.ended - self.began


class Person(Caller):
    """Creates, reads, changes and lists; remembers each wait and what was acknowledged."""

    def __init__(self, *who: Any) -> None:
        super().__init__(*who)
        self.waits: list[Wait] = []
        self.acknowledged: dict[int, str] = {}  # the title of each task

    def timed(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        began = time.monotonic()
        status, answer = self.ask(method, path, body)
        self.waits.append(Wait(began, time.monotonic(), f"{method} {path.partition('?')[0]}"))
        time.sleep(PACE)
        return status, answer

    def work(self, over: threading.Event) -> None:
        while not over.is_set():
            status, task = self.timed("POST", f"{API}/tasks", {"title": uuid4().hex})
            if status != 201:
                continue
            self.acknowledged[task["id"]] = task["title"]
            one = f"{API}/tasks/{task['id']}"
            self.timed("GET", one)
            title = f"changed {uuid4().hex}"
            if self.timed("PATCH", one, {"title": title})[0] == 200:
                self.acknowledged[task["id"]] = title
            self.timed("GET", f"{API}/tasks?limit=20")

    def missing(self) -> list[int]:
        return [
            task_id
            for task_id, title in self.acknowledged.items()
            if (self.ask("GET", f"{API}/tasks/{task_id}")[1] or {}).get("title") != title
        ]


@dataclass
class Outcome:
    """What the others noticed."""

    seconds: float
    statuses: Counter[str]
    waits: list[Wait]
    samples: list[tuple[float, int]]  # when, and the memory of the service in bytes
    acknowledged: int
    lost: int
    attacks: dict[str, Rounds]

    def __post_init__(self) -> None:
        self.waits.sort(key=lambda wait: wait.seconds, reverse=True)

    @property
    def memory(self) -> int:
        """The most that master and workers took, in bytes; what they share is counted once."""
        return max(memory for _, memory in self.samples)

    def memory_beside(self, rounds: Rounds) -> int:
        """The most that they took while this attacker was at work; 0 if it never was."""
        if not rounds.times:
            return 0
        began, ended = rounds.times[0][0], rounds.times[-1][1]
        return max((memory for at, memory in self.samples if began <= at <= ended), default=0)

    @property
    def is_good(self) -> bool:
        patient = self.waits[0].seconds <= LONGEST_WAIT
        return patient and self.memory < MOST_MEMORY and not self.lost

    def quantile(self, share: float) -> float:
        return self.waits[int(len(self.waits) * (1 - share))].seconds

    def longest_of(self, *methods: str) -> float:
        """An import holds up writers on SQLite, which has one lock, and never readers."""
        return next(wait.seconds for wait in self.waits if wait.what.startswith(methods))

    def longest_beside(self, rounds: Rounds) -> float:
        """The longest wait that one of these rounds overlapped."""
        begins = [began for began, _ in rounds.times]
        for wait in self.waits:
            last = bisect_right(begins, wait.ended) - 1
            if last >= 0 and rounds.times[last][1] >= wait.began:
                return wait.seconds
        return 0.0

    def markdown(self, title: str) -> Iterator[str]:
        reads, writes = self.longest_of("GET"), self.longest_of("POST", "PATCH")
        yield f"### {title}"
        yield ""
        yield f"| {self.seconds:.0f} s beside {CLIENTS} people | |"
        yield "|---|---|"
        yield f"| requests of the people | {len(self.waits):,}: {_told(self.statuses)} |"
        yield f"| longest wait | reads {reads:.2f} s, writes {writes:.2f} s |"
        yield f"| of 1,000 requests one waited | {self.quantile(0.999):.2f} s |"
        yield f"| median wait | {self.quantile(0.5) * 1000:.0f} ms |"
        yield f"| memory of master and workers at most | {self.memory / MIB:.0f} MiB |"
        yield f"| writes acknowledged, lost | {self.acknowledged:,}, {self.lost} |"
        yield ""
        yield "| attacker | rounds | answers | meanwhile: longest wait of the people, memory |"
        yield "|---|---|---|---|"
        for name, rounds in self.attacks.items():
            wait = f"{self.longest_beside(rounds):.2f} s"
            memory = f"{self.memory_beside(rounds) / MIB:.0f} MiB"
            answers = _told(rounds.answers)
            yield f"| {name} | {len(rounds.times):,} | {answers} | {wait}, {memory} |"


def _told(answers: Counter[str]) -> str:
    return ", ".join(f"{answer}: {number:,}" for answer, number in sorted(answers.items()))


def soak(seconds: float, folder: Path, *, alone: bool = False, **more: str) -> Outcome:
    variables = {"TASKAPP_INSTANCE": str(folder / "instance"), "INVITATIONS": "true", **more}
    variables |= {"TRUSTED_PROXIES": "1", "METRICS_TOKEN": uuid4().hex}
    servers.migrate(**variables)
    public = folder / "nginx"
    public.mkdir()
    with ExitStack() as stack:
        base = stack.enter_context(servers.gunicorn(log=folder / "log", **variables))
        port = int(stack.enter_context(nginx(public, base, {})).rpartition(":")[2])
        people = [
            Person(port, f"127.0.1.{n + 1}", _join(base, f"person{n}")) for n in range(CLIENTS)
        ]
        attackers = [
            (kind, Caller(port, f"127.0.2.{n + 1}", _join(base, f"attacker{n}")))
            for n, kind in enumerate(ATTACKS)
        ]
        groups = [[one] for one in attackers] if alone else [attackers]
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, spawn) as pool:
            attacks = [pool.submit(attack, seconds / len(groups), group) for group in groups]
            samples = _at_work(people, attacks, servers.masters[base])
        time.sleep(61)  # the limits of those who ask what is there begin anew
        lost = sum(len(person.missing()) for person in people)
    waits = [wait for person in people for wait in person.waits]
    statuses = sum((person.answers for person in people), Counter[str]())
    acknowledged = sum(len(person.acknowledged) for person in people)
    rounds = [one for done in attacks for one in done.result()]
    names = [kind.__name__.replace("_", " ") for kind in ATTACKS]
    by_name = dict(zip(names, rounds, strict=True))
    return Outcome(seconds, statuses, waits, samples, acknowledged, lost, by_name)


def _join(base: str, name: str) -> str:
    """An account; each is registered from an address of its own."""
    number = sum(name.encode()) % 250
    return servers.sign_up(base, f"{name}@example.com", X_Forwarded_For=f"10.0.{number}.1")


def _at_work(
    people: list[Person], attacks: list[Future[list[Rounds]]], master: psutil.Process
) -> list[tuple[float, int]]:
    """Everybody at once, until the attacks end; returns when the service took how much memory."""
    over = threading.Event()
    threads = [threading.Thread(target=person.work, args=(over,)) for person in people]
    for thread in threads:
        thread.start()
    samples = []
    while not all(attack.done() for attack in attacks):
        samples.append((time.monotonic(), _memory(master)))
        time.sleep(0.5)
    over.set()
    for thread in threads:
        thread.join()
    return samples


def _memory(master: psutil.Process) -> int:
    total = 0
    for process in (master, *master.children()):
        with suppress(psutil.NoSuchProcess):
            total += process.memory_full_info().pss
    return total


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--postgresql", action="store_true", help="on a PostgreSQL of its own")
    parser.add_argument("--alone", action="store_true", help="one attacker after the other")
    told = parser.parse_args()
    with ExitStack() as stack:
        folder = stack.enter_context(leftovers.folder())
        more = {}
        if told.postgresql:
            more["DATABASE_URL"] = stack.enter_context(servers.postgresql())
        outcome = soak(told.seconds, folder, alone=told.alone, **more)
    database = "PostgreSQL" if told.postgresql else "SQLite"
    crowd = "one after the other" if told.alone else "all at once"
    lines = outcome.markdown(f"On {database}, {crowd}")
    longest = [f"{wait.seconds:.2f} s {wait.what}" for wait in outcome.waits[:5]]
    verdict = "good" if outcome.is_good else "NOT good: 1 s at most, below 256 MiB, nothing lost"
    sys.stdout.write("\n".join([*lines, ""]))
    sys.stderr.write(f"the longest: {', '.join(longest)}\n{verdict}\n")
    sys.exit(not outcome.is_good)


if __name__ == "__main__":
    main()
