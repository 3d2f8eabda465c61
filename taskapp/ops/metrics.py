"""What Prometheus reads: counts and times of all workers added up, and what they take.

Labels are bounded: a route is a rule of the URL map, a method one that HTTP names. Under gunicorn
the numbers lie in files that the workers share (see gunicorn.conf.py), else in this process.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import prometheus_client as prometheus
import sqlalchemy as sa
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.multiprocess import MultiProcessCollector
from sqlalchemy.orm import Session

from taskapp.extensions import db, settings
from taskapp.ops.shared import shared

BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)  # seconds
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
REQUESTS = Counter("taskapp_requests", "Answers.", ["method", "route", "status"])
SECONDS = Histogram("taskapp_request_seconds", "Time.", ["method", "route"], buckets=BUCKETS)
IN_PROGRESS = Gauge("taskapp_requests_in_progress", "Now.", multiprocess_mode="livesum")
DATABASE = Histogram("taskapp_database_seconds", "Database time of a request.", buckets=BUCKETS)
POOL = Gauge("taskapp_database_pool_connections", "Open ones.", multiprocess_mode="livesum")
SIGN_INS = Counter("taskapp_sign_ins", "Sign-ins that were tried.", ["outcome"])
CREATED = Counter("taskapp_tasks_created", "Tasks made.")
DONE = Counter("taskapp_tasks_done", "Tasks that became done.")
LOOKUPS = Counter("taskapp_cache_lookups", "Lists looked for in the cache.", ["outcome"])
_answered = lru_cache(4096)(REQUESTS.labels)
_timed = lru_cache(1024)(SECONDS.labels)
for each in ("GC", "PLATFORM", "PROCESS"):  # they tell of one worker; ours add up all
    prometheus.REGISTRY.unregister(getattr(prometheus, f"{each}_COLLECTOR"))
PAGE, TICKS = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")


def count_request(method: str, route: str, status: int, seconds: float, database: float) -> None:
    method = method if method in METHODS else "other"
    _answered(method, route, status).inc()
    _timed(method, route).observe(seconds)
    if database:
        DATABASE.observe(database)
    if route == "/api/v1/auth/login" and method == "POST" and status in {200, 401, 429}:
        SIGN_INS.labels({200: "ok", 401: "refused", 429: "limited"}[status]).inc()


@sa.event.listens_for(db.session, "after_commit")
def _count_events(session: Session) -> None:
    for event in session.info.pop("events", ()):
        if event["kind"] == "created" and event["task_id"]:
            CREATED.inc()
        if event["changes"].get("status", ("",))[-1] == "done":
            DONE.inc()


@sa.event.listens_for(db.session, "after_rollback")
def _forget_events(session: Session) -> None:
    session.info.pop("events", None)


def exposition() -> bytes:
    registry, master = prometheus.CollectorRegistry(), os.getppid()
    try:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    except ValueError:  # no folder of shared files: one process, as under `flask run`
        registry, master = prometheus.REGISTRY, os.getpid()
    return prometheus.generate_latest(registry) + b"".join(_surroundings(master))


def _surroundings(master: int) -> Iterator[bytes]:
    """Redis, the disk, and the server's processes added up, asked just now (proc_pid_stat(5))."""
    down = int(shared().state() == "down")
    yield _gauge("taskapp_degraded", down, '{part="cache"}', '{part="limiter"}')
    yield _gauge("taskapp_disk_free_bytes", shutil.disk_usage(settings().instance).free)
    yield _gauge("taskapp_system_load", os.getloadavg()[0])
    workers = Path(f"/proc/{master}/task/{master}/children").read_text(encoding="ascii").split()
    stats = [stat for pid in (str(master), *workers) if (stat := _stat(pid))]
    ticks = sum(sum(stat[11:13]) for stat in stats) + sum(stats[0][13:15])  # and of workers gone
    yield _gauge("process_cpu_seconds_total", ticks / TICKS)
    yield _gauge("process_resident_memory_bytes", sum(stat[21] for stat in stats) * PAGE)
    yield _gauge("taskapp_workers", len(workers))


def _stat(pid: str) -> list[int]:
    """The numbers behind a process's name, or none when it is gone; the state is no number."""
    with suppress(OSError):
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return [0, *map(int, text.rpartition(")")[2].split()[1:])]
    return []


def _gauge(name: str, value: float, *labels: str) -> bytes:
    kind = "counter" if name.endswith("_total") else "gauge"
    lines = [f"# TYPE {name} {kind}", *(f"{name}{label} {value}" for label in labels or ("",))]
    return ("\n".join(lines) + "\n").encode()
