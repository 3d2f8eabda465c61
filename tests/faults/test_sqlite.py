"""A full disk, a read-only file, a file that is no database: writes are refused, reads go on"""

from __future__ import annotations

import fcntl
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from taskapp.database import long_writes
from tests import servers
from tests.faults.conftest import Service, running

ROOT = os.geteuid() == 0
FULL = (503, "storage-full")


def sound(folder: Path) -> bool:
    with closing(sqlite3.connect(folder / "taskapp.db")) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@contextmanager
def no_more_room(service: Service) -> Iterator[None]:
    """The workers may not make any file longer: for everybody what a full disk is for root."""
    for worker in service.workers:
        resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        for worker in service.workers:
            unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, unlimited)


def test_without_room_writes_are_refused_and_reads_go_on(
    on_sqlite: dict[str, str], tmp_path: Path
) -> None:
    with running(**on_sqlite) as service:
        assert service.create("before") == (201, "")
        workers = {worker.pid for worker in service.workers}
        with no_more_room(service):
            assert {service.create("refused") for _ in range(6)} == {FULL}
            assert {service.read() for _ in range(6)} == {200}
            assert service.total() == 1

        assert service.create("after") == (201, "")
        assert service.total() == 2
        assert {worker.pid for worker in service.workers} == workers
    assert sound(tmp_path)


def test_without_room_signing_in_is_refused_as_other_writes_are(on_sqlite: dict[str, str]) -> None:
    """Its limit counts in memory then, and tries the file again every few seconds."""
    with servers.gunicorn(**on_sqlite, WEB_CONCURRENCY="1") as base:
        servers.sign_up(base, "alice@example.com")
        service = Service(base, "")
        login = {"email": "alice@example.com", "password": "seven mossy lanterns"}
        over, answers = time.monotonic() + 9, set()
        with no_more_room(service):
            while time.monotonic() < over:
                for body in (login, {**login, "password": "not the right one"}):
                    status, _, problem = service.ask("/api/v1/auth/login", body)
                    answers.add((status, problem["code"]))

        assert answers == {FULL, (401, "wrong-credentials"), (429, "rate-limited")}


@pytest.mark.faults
@pytest.mark.skipif(not ROOT, reason="mounting a small disk takes root")
def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", "size=3m", "none", disk], check=True)
    try:
        variables = {"TASKAPP_INSTANCE": str(disk)}
        servers.migrate(**variables)
        with running(**variables) as service:
            taken = 0
            while (answer := service.create(f"{taken} " + 180 * "x")) == (201, ""):
                taken += 1
            assert answer == FULL
            assert service.read() == 200
            assert service.total() == taken > 0
        assert sound(disk)
    finally:
        subprocess.run(["/bin/umount", "--lazy", disk], check=True)


@contextmanager
def without_rights(folder: Path) -> Iterator[list[str]]:
    """The database file may only be read; root's right to write it anyhow is given away."""
    (folder / "taskapp.db").chmod(0o444)
    yield ["setpriv", "--bounding-set=-dac_override"] if ROOT else []
    (folder / "taskapp.db").chmod(0o644)


def test_refuses_to_start_on_a_file_that_may_not_be_written(
    on_sqlite: dict[str, str], tmp_path: Path
) -> None:
    with without_rights(tmp_path) as prefix:
        started = start(prefix, **on_sqlite)

    assert started.returncode != 0
    assert f"DATABASE_URL: {tmp_path / 'taskapp.db'} cannot be opened: Permission" in started.stderr


@pytest.mark.parametrize("content", [b"no database", b"SQLite format 2\0" + 4096 * b"x"])
def test_refuses_to_start_on_a_file_that_is_no_database(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "taskapp.db").write_bytes(content)
    started = start([], TASKAPP_INSTANCE=str(tmp_path))

    assert started.returncode != 0
    assert f"DATABASE_URL: {tmp_path / 'taskapp.db'} is not a SQLite database" in started.stderr
    assert (tmp_path / "taskapp.db").read_bytes() == content


def start(prefix: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    """A server that is expected to give up."""
    return subprocess.run(
        [*prefix, sys.executable, "-m", "gunicorn", "wsgi:app"],
        cwd=servers.ROOT,
        env=servers.environment(PORT=str(servers.free_port()), **variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_file_that_becomes_unreadable_is_a_503(on_sqlite: dict[str, str], tmp_path: Path) -> None:
    """Whatever overwrites it, nothing is answered but that the database is gone."""
    with running(**on_sqlite) as service:
        assert service.create("before") == (201, "")
        for worker in service.workers:  # the next ones open the file anew
            worker.send_signal(signal.SIGKILL)
        for name in ("taskapp.db-wal", "taskapp.db-shm"):
            (tmp_path / name).unlink(missing_ok=True)
        shutil.copy(__file__, tmp_path / "taskapp.db")

        statuses = {service.ask("/health/ready")[0] for _ in range(4)}
        assert statuses == {503}
        assert service.create("refused") == (503, "database-unavailable")


@contextmanager
def writing(tmp_path: Path, seconds: float) -> Iterator[None]:
    """As another worker whose import has written for so long."""
    sign = tmp_path / "long-write.lock"
    with (
        closing(sqlite3.connect(tmp_path / "taskapp.db", isolation_level=None)) as other,
        sign.open("ab") as file,
    ):
        fcntl.flock(file, fcntl.LOCK_SH)
        began = time.time() - seconds
        os.utime(sign, (began, began))
        other.execute("BEGIN IMMEDIATE")
        yield


def test_an_import_holds_nobody_up_for_long(on_sqlite: dict[str, str], tmp_path: Path) -> None:
    """A write that waits holds a worker, behind which reads would wait."""
    with running(**on_sqlite, WEB_CONCURRENCY="1") as service:
        with writing(tmp_path, seconds=long_writes.PATIENCE):
            answers = [service.create(f"refused {number}") for number in range(20)]
            assert answers == [(503, "database-busy")] * 20
            assert service.read() == 200
        assert service.create("taken") == (201, "")
        assert service.total() == 1


def test_a_write_waits_for_a_short_import(on_sqlite: dict[str, str], tmp_path: Path) -> None:
    with running(**on_sqlite) as service, ThreadPoolExecutor(1) as pool:
        with writing(tmp_path, seconds=-60):  # it will be for long in a minute
            waiting = pool.submit(service.create, "waiting")
            time.sleep(0.2)
            assert not waiting.done()
        assert waiting.result() == (201, "")


@pytest.mark.faults
def test_a_lock_held_by_another_process(on_sqlite: dict[str, str], tmp_path: Path) -> None:
    with (
        running(**on_sqlite) as service,
        closing(sqlite3.connect(tmp_path / "taskapp.db", isolation_level=None)) as other,
        ThreadPoolExecutor(1) as pool,
    ):
        other.execute("BEGIN IMMEDIATE")
        waiting = pool.submit(service.create, "waiting")
        assert service.read() == 200
        assert waiting.result() == (503, "database-busy")
        other.execute("ROLLBACK")
        assert service.create("waiting") == (201, "")
        assert service.total() == 1
