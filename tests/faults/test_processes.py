"""Workers and masters die under load: every acknowledged write is there, and the file is sound"""

from __future__ import annotations

import resource
import signal
import time
from pathlib import Path

import psutil

from tests.faults.conftest import Load, running, wait_until
from tests.faults.test_sqlite import sound


def test_no_signal_loses_what_was_acknowledged(fresh_environment: dict[str, str]) -> None:
    with running(**fresh_environment) as service:
        load, master = Load(service), service.master
        with load.going():
            for number in (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGHUP):
                seen = len(load.acknowledged)
                wait_until(lambda seen=seen: len(load.acknowledged) > seen + 5)  # type: ignore[misc]
                target = master if number == signal.SIGHUP else service.workers[0]
                target.send_signal(number)
            time.sleep(0.5)
            seen = len(load.acknowledged)
            wait_until(lambda: len(load.acknowledged) > seen + 5)
            master.send_signal(signal.SIGTERM)
            psutil.wait_procs([master], timeout=30)

    assert set(load.answers) <= {(201, ""), "none"}, load.answers
    with running(**fresh_environment) as service:
        assert load.missing(service) == set()
        assert len(load.acknowledged) <= service.total() <= sum(load.answers.values())
    if "DATABASE_URL" not in fresh_environment:
        assert sound(Path(fresh_environment["TASKAPP_INSTANCE"]))


def test_workers_go_when_their_idle_master_is_killed(on_sqlite: dict[str, str]) -> None:
    """Otherwise they would keep the port, and answer on it, until somebody asks for something."""
    with running(**on_sqlite) as service:
        for _ in range(100):  # the first worker answers before the second one has started
            workers = service.workers
            if len(workers) == 2:
                break
            time.sleep(0.1)
        service.master.send_signal(signal.SIGKILL)
        gone, alive = psutil.wait_procs(workers, timeout=10)

        assert (len(gone), alive) == (2, [])


def test_a_reload_without_room_in_memory_ends_nobody(on_sqlite: dict[str, str]) -> None:
    """For the master and all that it starts, `/dev/shm` is as good as full."""
    with running(**on_sqlite) as service:
        before = {worker.pid for worker in service.workers}
        for process in (service.master, *service.workers):
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        service.master.send_signal(signal.SIGHUP)
        wait_until(lambda: before.isdisjoint(worker.pid for worker in service.workers))
        wait_until(lambda: len(service.workers) == 2)

        assert {service.ask("/health")[0] for _ in range(6)} == {200}
        assert service.master.is_running()


def test_workers_go_when_their_master_is_killed_under_load(on_sqlite: dict[str, str]) -> None:
    """Each ends after the request that it has in hand, and nothing acknowledged is lost."""
    with running(**on_sqlite) as service:
        load, workers = Load(service), service.workers
        with load.going():
            wait_until(lambda: len(load.acknowledged) > 5)
            service.master.send_signal(signal.SIGKILL)
            gone, alive = psutil.wait_procs(workers, timeout=20)

    assert (len(gone), alive) == (2, [])
    with running(**on_sqlite) as service:
        assert load.missing(service) == set()
