"""What `/metrics` says: the counts of all workers added up, and what the server takes just now."""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import prometheus_client as prometheus
from prometheus_client.multiprocess import MultiProcessCollector

from taskapp.database.redis import shared
from taskapp.extensions import settings

PAGE, TICKS = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")


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
