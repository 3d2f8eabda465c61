"""Workers and masters die under load: every acknowledged write is there, and the file is sound"""

from __future__ import annotations

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
