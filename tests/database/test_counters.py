"""A counters file that was damaged: it is thrown away once, and what comes after counts together"""

from __future__ import annotations

import multiprocessing
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from multiprocessing.pool import Pool
from pathlib import Path

import pytest

from taskapp.database.counters import CountersFile

GARBAGE = b"no database at all" * 400
WORKERS, EACH = 4, 5


@contextmanager
def opened(path: Path) -> Iterator[CountersFile]:
    """The file as one worker has it."""
    file = CountersFile(path)
    try:
        yield file
    finally:
        file.connection.close()
        file.memory.close()


def count(path: str, number: int) -> list[int]:
    """A worker that opens the file for the first time, and counts."""
    with opened(Path(path)) as file:
        return [file.add(f"tries-{number}", 1, 60)[0] for _ in range(EACH)]


def overwrite(path: Path, content: bytes) -> None:
    """Damage the file in place, and take its log away."""
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    path.write_bytes(content)


def test_workers_that_find_it_damaged_at_once_count_together(tmp_path: Path) -> None:
    """None of them throws away what another has just begun."""
    with multiprocessing.get_context("fork").Pool(WORKERS) as pool:
        for number in range(30):
            path = tmp_path / f"{number}.db"
            path.write_bytes(GARBAGE)
            counts = _count_at_once(pool, path, number)
            assert counts == list(range(1, WORKERS * EACH + 1))
            with closing(sqlite3.connect(path)) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def _count_at_once(pool: Pool, path: Path, number: int) -> list[int]:
    each = pool.starmap(count, [(str(path), number)] * WORKERS, chunksize=1)
    return sorted(number for counts in each for number in counts)


@pytest.mark.parametrize("content", [GARBAGE, b""])
def test_the_request_that_finds_it_damaged_is_counted_in_the_new_one(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "counters.db"
    with opened(path) as first, opened(path) as second:
        second.add("tries", 1, 60)
        first.add("tries", 1, 60)  # so that the other one has to read again
        first.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        overwrite(path, content)

        assert second.add("tries", 1, 60)[0] == 1
        assert first.add("tries", 1, 60)[0] == 2
        assert (first.state(), second.state()) == ("ok", "ok")


@pytest.mark.parametrize("content", [GARBAGE, b""])
def test_a_worker_that_opens_it_later_ends_what_others_count_from_memory(
    tmp_path: Path, content: bytes
) -> None:
    """SQLite reads its own log and pages as long as nobody changes them."""
    path = tmp_path / "counters.db"
    with opened(path) as first, opened(path) as second:
        first.add("tries", 1, 60)
        overwrite(path, content)
        first.add("tries", 1, 60)

        assert second.add("tries", 1, 60)[0] == 1
        assert first.add("tries", 1, 60)[0] == 2


def test_what_cannot_be_thrown_away_is_counted_by_each_worker(tmp_path: Path) -> None:
    path = tmp_path / "counters.db"
    with opened(path) as file:
        file.add("tries", 1, 60)
        file.connection.close()
        vars(file).pop("connection")
        path.unlink()
        path.mkdir()

        assert [file.add("tries", 1, 60)[0] for _ in range(3)] == [1, 2, 3]
        assert file.state() == "down"

        path.rmdir()
        assert file.state() == "ok"


def test_without_a_file_a_worker_counts_for_all_of_them(tmp_path: Path) -> None:
    """A limit that is as wide as there are workers would be an invitation to fill the disk."""
    path = tmp_path / "counters.db"
    path.mkdir()  # not even root can write that
    file = CountersFile(path, workers=4)

    assert [file.add("tries", 1, 60)[0] for _ in range(3)] == [4, 8, 12]
    assert file.get("tries")[0] == 12
    assert [file.is_first_this_minute("warning") for _ in range(3)] == [True, False, False]
    path.rmdir()
    file.retry_at = 0.0
    assert [file.add("tries", 1, 60)[0] for _ in range(2)] == [1, 2]
    assert file.is_first_this_minute("another warning")
    file.connection.close()
    file.memory.close()
