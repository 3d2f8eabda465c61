"""What operators do to the files of a running service: it refuses, says why, and loses nothing"""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest

from tests import servers
from tests.faults.conftest import running
from tests.faults.test_sqlite import sound

UNAVAILABLE = (503, "database-unavailable")


def rows(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT count(*) FROM tasks").fetchone()[0])


def test_a_database_that_is_exchanged_takes_no_write(
    on_sqlite: dict[str, str], tmp_path: Path
) -> None:
    """`mv backup.db taskapp.db` under a running server: writes would go into an unnamed file."""
    log, database = tmp_path / "log", tmp_path / "taskapp.db"
    with running(log=log, **on_sqlite) as service:
        assert service.create("before") == (201, "")
        with closing(sqlite3.connect(database)) as live:
            live.execute("VACUUM INTO ?", (str(tmp_path / "backup.db"),))
        assert service.create("after the backup") == (201, "")
        (tmp_path / "backup.db").replace(database)

        assert {service.create(f"refused {n}") for n in range(6)} == {UNAVAILABLE}
        status, _, problem = service.ask("/health/ready")
        assert (status, problem["code"]) == UNAVAILABLE
        assert "restart the service" in problem["detail"]
    assert log.read_text().count("was replaced or removed: restart") == 1

    with running(**on_sqlite) as service:
        assert service.create("restarted") == (201, "")
    assert sound(tmp_path)
    assert rows(database) == 2


@pytest.mark.parametrize("asked", [True, False], ids=["asked meanwhile", "stopped at once"])
def test_what_was_acknowledged_is_in_the_file_that_was_moved_away(
    on_sqlite: dict[str, str], tmp_path: Path, *, asked: bool
) -> None:
    """Its log keeps its name, and would damage the new file and be missed in the old one."""
    database, old = tmp_path / "taskapp.db", tmp_path / "old.db"
    with running(**on_sqlite) as service:
        assert service.create("before") == (201, "")
        with closing(sqlite3.connect(database)) as live:
            live.execute("VACUUM INTO ?", (str(tmp_path / "backup.db"),))
        titles = [f"{n:02} {'long ' * 35}" for n in range(20)]
        assert {service.create(title) for title in titles} == {(201, "")}
        database.rename(old)
        (tmp_path / "backup.db").rename(database)
        if asked:
            assert service.create("refused") == UNAVAILABLE

    assert sound(tmp_path)
    assert (rows(database), rows(old)) == (1, 21)


def test_a_database_that_is_removed_takes_no_write_and_is_not_made_anew(
    on_sqlite: dict[str, str], tmp_path: Path
) -> None:
    with running(**on_sqlite) as service:
        (tmp_path / "taskapp.db").rename(tmp_path / "elsewhere.db")

        assert {service.create(f"refused {n}") for n in range(6)} == {UNAVAILABLE}
        assert service.ask("/health/ready")[0] == 503
        assert not (tmp_path / "taskapp.db").exists()

        (tmp_path / "elsewhere.db").rename(tmp_path / "taskapp.db")
        assert service.create("put back") == (201, "")


@pytest.mark.parametrize("content", [b"no database at all" * 400, b""])
def test_damaged_counters_are_thrown_away_and_limits_hold(
    on_sqlite: dict[str, str], tmp_path: Path, content: bytes
) -> None:
    """What every request counts is in that file, too, where there is no table beside it."""
    counters = tmp_path / "counters.db"
    with servers.gunicorn(**on_sqlite, RATELIMIT_DEFAULT="20 per hour", FAST="0") as base:
        servers.ask(f"{base}/api/v1/tasks")
        for suffix in ("-wal", "-shm"):
            Path(f"{counters}{suffix}").unlink(missing_ok=True)
        with counters.open("r+b") as file:
            file.truncate(0)
            file.write(content)
        statuses = [servers.ask(f"{base}/api/v1/tasks")[0] for _ in range(80)]
        ready = servers.ask(f"{base}/health/ready")[2]

    assert set(statuses) == {401, 429}
    # What was counted before, from the memory of one worker, and by all together once more.
    assert statuses.count(401) <= 45
    assert ready["checks"]["counters"] == "ok"
    # Workers that go on with what is in memory leave the file as it is: the next start replaces it.
    with servers.gunicorn(**on_sqlite, FAST="0") as base:
        servers.ask(f"{base}/api/v1/tasks")
    with closing(sqlite3.connect(counters)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_counters_that_cannot_be_written_are_said_everywhere_and_still_limit(
    on_sqlite: dict[str, str], tmp_path: Path
) -> None:
    """A folder stands where the file should be: not even root can write that."""
    log = tmp_path / "log"
    (tmp_path / "counters.db").mkdir()
    with servers.gunicorn(log=log, **on_sqlite, RATELIMIT_DEFAULT="5 per hour") as base:
        statuses = [servers.ask(f"{base}/api/v1/tasks")[0] for _ in range(30)]
        ready = servers.ask(f"{base}/health/ready")
        with urllib.request.urlopen(f"{base}/metrics") as answer:  # noqa: S310 - our own
            metrics = answer.read().decode()

    assert 2 <= statuses.count(401) <= 5  # half of them for each of two workers
    assert statuses[-1] == 429
    assert (ready[0], ready[2]["status"], ready[2]["checks"]["counters"]) == (
        200, "degraded", "down",
    )  # fmt: skip
    assert 'taskapp_degraded{part="counters"} 1' in metrics
    assert 1 <= log.read_text().count("counters file unavailable") <= 2  # once for each worker
    doctor = servers.flask("doctor", **on_sqlite)
    assert "degraded  counters" in doctor.stdout
    purge = servers.process("purge", **on_sqlite)
    assert purge.returncode == 0, purge.stderr
    assert "Traceback" not in purge.stderr


def test_nobody_else_may_read_what_the_service_creates(tmp_path: Path) -> None:
    place = tmp_path / "what?100%#x"
    command = f"umask 022; exec {sys.executable} -m flask --app wsgi db upgrade"
    variables = servers.environment(TASKAPP_INSTANCE=str(place))
    subprocess.run(["/bin/sh", "-c", command], cwd=servers.ROOT, env=variables, check=True)

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in place.iterdir()}
    assert modes["taskapp.db"] == 0o600
    assert not any(mode & 0o077 for mode in modes.values())
    assert {path.name for path in tmp_path.iterdir()} == {place.name}
    with running(TASKAPP_INSTANCE=str(place)) as service:
        assert service.create("inside") == (201, "")


@pytest.mark.skipif(os.geteuid() != 0, reason="giving rights away takes root")
def test_an_instance_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    place = tmp_path / "instance"
    place.mkdir(mode=0o555)
    prefix = [str(shutil.which("setpriv")), "--bounding-set=-dac_override"]
    prefix += ["--inh-caps=-dac_override"]
    done = subprocess.run(
        [*prefix, sys.executable, "-m", "gunicorn", "wsgi:app"],
        cwd=servers.ROOT,
        env=servers.environment(TASKAPP_INSTANCE=str(place)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode != 0
    assert f"TASKAPP_INSTANCE: {place} cannot be written" in done.stderr
    assert done.stderr.count("\n") <= 2
