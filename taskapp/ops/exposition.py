"""What `/metrics` shows: the counts of all workers added up, and the server's state just now."""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import prometheus_client as prometheus
from flask import current_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from taskapp.database.redis import shared
from taskapp.errors import DatabaseUnavailable
from taskapp.extensions import settings
from taskapp.ops import readers

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
# Where the numbers of proc_pid_stat(5) stand, counted from the process's state.
USER_TICKS, SYSTEM_TICKS, CHILD_USER_TICKS, CHILD_SYSTEM_TICKS, RESIDENT_PAGES = 11, 12, 13, 14, 21


def exposition() -> bytes:
    """Everything that Prometheus reads, in its text format."""
    registry = prometheus.CollectorRegistry()
    surroundings = prometheus.CollectorRegistry()
    try:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        master = os.getppid()
    except ValueError:  # no folder of shared files: one process, as under `flask run`
        registry = prometheus.REGISTRY
        master = os.getpid()
    surroundings.register(Surroundings(master))
    return prometheus.generate_latest(registry) + prometheus.generate_latest(surroundings)


class Surroundings(Collector):
    """Redis, the disk, and what the server's processes take together, at this moment."""

    def __init__(self, master: int) -> None:
        self.master = master

    def collect(self) -> Iterator[Metric]:
        yield self._degraded()
        free = shutil.disk_usage(settings().instance).free
        yield GaugeMetricFamily("taskapp_disk_free_bytes", "Free space under instance/.", free)
        load, _, _ = os.getloadavg()
        yield GaugeMetricFamily("taskapp_system_load", "Load average of the last minute.", load)
        yield from self._processes()
        with suppress(SQLAlchemyError, DatabaseUnavailable):  # it may be away, or not migrated yet
            yield from self._readers()

    def _readers(self) -> Iterator[Metric]:
        at = readers.last_turn()
        if at is not None:
            yield GaugeMetricFamily(
                "taskapp_courier_last_turn_timestamp_seconds",
                "When a courier looked for work the last time.",
                at.timestamp(),
            )
        lag = GaugeMetricFamily(
            "taskapp_reader_lag_seconds",
            "Age of the oldest event or mail that was not delivered.",
            labels=["reader"],
        )
        failures = GaugeMetricFamily(
            "taskapp_reader_failures", "Failures since the last success.", labels=["reader"]
        )
        for state in readers.states():
            lag.add_metric([state.name], state.lag)
            failures.add_metric([state.name], state.failures)
        yield lag
        yield failures

    def _degraded(self) -> Metric:
        metric = GaugeMetricFamily(
            "taskapp_degraded", "1 where a part does without something.", labels=["part"]
        )
        redis_down = int(shared().state() == "down")
        counters_down = int(shared().file.state() == "down")
        metric.add_metric(["cache"], redis_down)
        metric.add_metric(["limiter"], redis_down)
        metric.add_metric(["counters"], counters_down)
        return metric

    def _processes(self) -> Iterator[Metric]:
        children = Path(f"/proc/{self.master}/task/{self.master}/children")
        forked = children.read_text(encoding="ascii").split()
        keeper = current_app.extensions.get("taskapp.courier_keeper")
        workers = [pid for pid in forked if int(pid) != keeper]
        stats = [_stat(pid) for pid in (str(self.master), *workers)]
        running = [stat for stat in stats if stat]
        yield CounterMetricFamily(
            "process_cpu_seconds", "Processor time of master and workers.", _cpu_seconds(running)
        )
        resident = sum(stat[RESIDENT_PAGES] for stat in running) * PAGE_BYTES
        yield GaugeMetricFamily(
            "process_resident_memory_bytes", "Memory of master and workers.", resident
        )
        yield GaugeMetricFamily("taskapp_workers", "Workers running.", len(workers))


def _cpu_seconds(stats: list[list[int]]) -> float:
    """Of the master, of its workers, and of the workers that have ended."""
    ticks = sum(stat[USER_TICKS] + stat[SYSTEM_TICKS] for stat in stats)
    master = stats[0]
    ended = master[CHILD_USER_TICKS] + master[CHILD_SYSTEM_TICKS]
    return (ticks + ended) / TICKS_PER_SECOND


def _stat(pid: str) -> list[int]:
    """The numbers behind a process's name, or none when it has ended; its state counts as 0."""
    with suppress(OSError):
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        _, _, numbers = text.rpartition(")")
        return [0, *map(int, numbers.split()[1:])]
    return []
