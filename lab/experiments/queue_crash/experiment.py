"""Workers of job queues that die in the middle of a job: what is lost, and what is done twice?"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from lab.estimate import Estimate
from lab.results import Experiment, Finding, Panel, Point, Scale, measured
from lab.servers import ROOT, redis, tree

LOST, DOUBLED = "Effects that never happened", "Effects that happened twice"
HERE = "lab.experiments.queue_crash"
JOBS = 3  # for each kill: some are left for the next worker
PATIENCE = 90  # seconds until a worker must have begun a job
RECOVERY = 12  # seconds without news after which nobody expects any more


@dataclass(frozen=True)
class Engine:
    """A queue, how its worker is started, and when it forgets a job: before it runs, or after."""

    name: str
    module: str
    worker: tuple[str, ...]
    late: bool


CELERY = f"celery -A {HERE}.celery_app worker --concurrency 1 --without-gossip --without-mingle"
CELERY += " --without-heartbeat --loglevel ERROR"
RQ = "rq.cli worker --quiet --url REDIS"
HUEY = f"huey.bin.huey_consumer {HERE}.huey_app.huey --workers 1 --worker-type process"
DRAMATIQ = f"dramatiq {HERE}.dramatiq_app --processes 1 --threads 1"
ENGINES = (
    Engine("Celery", "celery_app", tuple(CELERY.split()), late=False),
    Engine("Celery, acks_late", "celery_app", tuple(CELERY.split()), late=True),
    Engine("RQ", "rq_app", tuple(RQ.split()), late=False),
    Engine("RQ, Retry", "rq_app", tuple(RQ.split()), late=True),
    Engine("Huey", "huey_app", tuple(HUEY.split()), late=False),
    Engine("Dramatiq", "dramatiq_app", tuple(DRAMATIQ.split()), late=True),
    Engine("taskapp's courier", "courier_app", (f"{HERE}.courier_app",), late=True),
)


def measure(scale: Scale) -> Iterator[Finding]:
    kills = scale.pick(full=20, quick=10, taste=2)
    for engine in ENGINES:
        with bench(engine) as one:
            yield from one.findings(kills)


@contextmanager
def bench(engine: Engine) -> Iterator[Bench]:
    with redis() as url, TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        log.touch()
        own_env = {"REDIS": url, "CRASH_LOG": str(log), "LATE": str(int(engine.late))}
        yield Bench(engine, log, {**os.environ, **own_env})


@dataclass(frozen=True)
class Bench:
    """An engine on a Redis of its own, and the file in which its jobs say what they do."""

    engine: Engine
    log: Path
    env: dict[str, str]

    def findings(self, kills: int) -> Iterator[Point]:
        jobs = JOBS * kills
        self.client(jobs)
        cut = [self.kill_one(after="effect" if kill % 2 else "begin") for kill in range(kills)]
        self.finish(jobs)
        effects = Counter(number for what, number in self.said() if what == "effect")
        lost = sum(not effects[number] for number in range(jobs))
        # The same job may be killed several times, and have its effect as often.
        doubled = sum(effects[number] - 1 for number in effects)
        early, late = cut.count("begin"), cut.count("effect")
        late_ones = self.engine.late
        sampling = f"{kills} kills, {jobs} jobs"
        yield self.point(LOST, 0 if late_ones else early, lost, sampling)
        yield self.point(DOUBLED, late if late_ones else 0, doubled, sampling)

    def point(self, panel: str, predicted: int, result: int, sampling: str) -> Point:
        """Both as a percentage of the kills."""
        part = 100 / int(sampling.split(maxsplit=1)[0])
        exact = Estimate.exact
        known, measured = exact(part * predicted), exact(part * result)
        return Point(panel, self.engine.name, 0, known, measured, sampling)

    def kill_one(self, after: str) -> str:
        """Start a worker, kill -9 it in the middle of a job; how far the job was."""
        with self.worker() as worker:
            self.wait_for(after, beyond=len(self.said()), worker=worker)
            kill(worker)
        return self.said()[-1][0]

    def wait_for(self, what: str, beyond: int, worker: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if any(each == what for each, _ in self.said()[beyond:]):
                return
            if worker.poll() is not None:
                raise RuntimeError(f"the worker of {self.engine.name} ended: {worker.returncode}")
            time.sleep(0.005)
        raise RuntimeError(f"no job of {self.engine.name} came to its {what} in {PATIENCE} s")

    def finish(self, jobs: int) -> None:
        """Let a last worker do what is left, until all is done or nothing comes any more."""
        with self.worker():
            said, since = 0, time.monotonic()
            while time.monotonic() - since < RECOVERY:
                time.sleep(0.2)
                if len(self.said()) > said:
                    said, since = len(self.said()), time.monotonic()
                ended = {number for what, number in self.said() if what == "end"}
                if len(ended) == jobs:
                    return
                if time.monotonic() - since > RECOVERY / 4:
                    self.client(0)

    @contextmanager
    def worker(self) -> Iterator[subprocess.Popen[bytes]]:
        words = [self.env["REDIS"] if word == "REDIS" else word for word in self.engine.worker]
        worker = subprocess.Popen(  # noqa: S603 - our own
            [sys.executable, "-m", *words],
            cwd=ROOT,
            env=self.env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            yield worker
        finally:
            kill(worker)

    def client(self, jobs: int) -> None:
        command = [sys.executable, "-m", f"{HERE}.client", self.engine.module, str(jobs)]
        subprocess.run(command, cwd=ROOT, env=self.env, check=True, timeout=60)  # noqa: S603 - our own

    def said(self) -> list[tuple[str, int]]:
        lines = self.log.read_text(encoding="ascii").split()
        pairs = zip(lines[::2], lines[1::2], strict=False)
        return [(what, int(number)) for what, number in pairs]


def kill(worker: subprocess.Popen[bytes]) -> None:
    """SIGKILL for the worker and all that came of it: what a power cut or the OOM killer does."""
    with suppress(psutil.NoSuchProcess):
        processes = tree(worker.pid)
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes, 5)
    worker.wait()


def panels(_: list[Point]) -> list[Panel]:
    return [Panel(name, "% of the kills") for name in (LOST, DOUBLED)]


def figures(points: list[Point]) -> dict[str, object]:
    kills, jobs = points[0].window.split()[0], points[0].window.split()[2]
    names = {"celery": "Celery", "late": "Celery, acks_late", "rq": "RQ", "retry": "RQ, Retry"}
    names |= {"huey": "Huey", "dramatiq": "Dramatiq"}
    result: dict[str, object] = {"kills": kills, "jobs": jobs}
    for key, name in names.items():
        result[f"{key}_lost"] = measured(points, LOST, name)
        result[f"{key}_twice"] = measured(points, DOUBLED, name)
    return result


EXPERIMENT = Experiment("queue_crash", panels, measure, figures)
