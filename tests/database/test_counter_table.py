"""Counters that every request adds to: exact across processes, whatever happens to the table"""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from taskapp.database import counter_table
from taskapp.database.counter_table import BUCKET_SLOTS, HEADER, CounterTable
from taskapp.database.counters import CountersFile

forks = multiprocessing.get_context("fork")


def opened(folder: Path, buckets: int = 64) -> CounterTable:
    file = CountersFile(folder / "counters.db")
    return CounterTable(folder / "counters.table", file, buckets)


@pytest.fixture
def table(tmp_path: Path) -> Iterator[CounterTable]:
    one = opened(tmp_path)
    yield one
    close(one)


def close(table: CounterTable) -> None:
    table.close()
    for name in ("connection", "memory"):
        if connection := vars(table.file).pop(name, None):
            connection.close()


def count(table: CounterTable, key: str = "key", seconds: int = 60) -> int:
    return table.add_all([(key, seconds)])[key][0]


def is_in_file(table: CounterTable, key: str) -> bool:
    return table.file.get(key)[0] > 0


def work(folder: Path, number: int, times: int, counted: Any) -> None:
    """A worker that adds to a counter of all, and to one of its own."""
    table = opened(folder, buckets=2)
    for _ in range(times):
        counts = table.add_all([("all", 60), (f"own {number}", 60)])
        counted.put(counts["all"][0])
    counted.close()
    counted.join_thread()
    close(table)
    os._exit(0)


def test_several_processes_count_exactly(table: CounterTable, tmp_path: Path) -> None:
    """Also where so many keys meet in two buckets that some of them are counted in the file."""
    workers, times = 4, 150
    crowd = opened(tmp_path, buckets=2)
    for number in range(2 * BUCKET_SLOTS - 2):
        count(crowd, f"crowd {number}")
    counted: Any = forks.Queue()
    processes = [
        forks.Process(target=work, args=(tmp_path, number, times, counted))
        for number in range(workers)
    ]
    for process in processes:
        process.start()
    seen = [counted.get(timeout=60) for _ in range(workers * times)]
    for process in processes:
        process.join()

    assert sorted(seen) == list(range(1, workers * times + 1))
    for number in range(workers):
        assert count(crowd, f"own {number}") == times + 1
    close(crowd)


def hammer(folder: Path, done: Any) -> None:
    table = opened(folder)
    while True:
        count(table)
        done.value += 1


def test_a_worker_that_is_killed_keeps_nobody_out(table: CounterTable, tmp_path: Path) -> None:
    done = 0
    for number in range(20):
        counter: Any = forks.Value("q", 0, lock=False)
        process = forks.Process(target=hammer, args=(tmp_path, counter))
        process.start()
        while counter.value < 5 + number:
            time.sleep(0.001)
        process.kill()
        process.join()
        done += counter.value

    began = time.monotonic()
    assert done < count(table) <= done + 1 + 20  # each may have had one in hand
    assert time.monotonic() - began < counter_table.LOCK_TIMEOUT
    assert not is_in_file(table, "key")


def hold(path: str, held: Any) -> None:
    descriptor = os.open(path, os.O_RDWR)
    fcntl.lockf(descriptor, fcntl.LOCK_EX)
    held.set()
    signal.pause()


def test_a_holder_that_was_stopped_is_not_waited_for(
    table: CounterTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counter_table, "RETRY_FILE_AFTER", 0.1)
    assert count(table) == 1
    held = forks.Event()
    process = forks.Process(target=hold, args=(table.path, held))
    process.start()
    held.wait(20)
    began = time.monotonic()
    assert [count(table) for _ in range(3)] == [1, 2, 3]  # in the file, for everybody
    assert time.monotonic() - began < 5 * counter_table.LOCK_TIMEOUT
    assert is_in_file(table, "key")

    process.kill()
    process.join()
    time.sleep(0.1)
    assert count(table) == 2


def test_threads_count_exactly(table: CounterTable) -> None:
    def some() -> None:
        for _ in range(100):
            count(table)

    threads = [threading.Thread(target=some) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert count(table) == 401


def test_a_counter_ends_and_its_place_is_used_again(tmp_path: Path) -> None:
    table = opened(tmp_path, buckets=1)
    for number in range(BUCKET_SLOTS):
        assert count(table, f"{number}", seconds=60 if number else 0) == 1
    assert count(table, "0", seconds=0) == 1
    assert count(table, "another") == 1
    assert not is_in_file(table, "another")
    assert [count(table, "1"), count(table, "another")] == [2, 2]
    close(table)


def test_a_key_without_a_place_is_counted_in_the_file_until_it_ends_there(tmp_path: Path) -> None:
    table = opened(tmp_path, buckets=1)
    for number in range(BUCKET_SLOTS):
        count(table, f"{number}", seconds=1 if number == 0 else 60)
    assert [count(table, "late", seconds=3), count(table, "late", seconds=3)] == [1, 2]
    assert is_in_file(table, "late")

    time.sleep(1.05)  # there is a place now, and others may take it
    assert count(table, "late", seconds=3) == 3
    assert count(table, "new") == 1
    assert not is_in_file(table, "new")
    time.sleep(2)
    assert count(table, "late", seconds=3) == 1
    close(table)


def test_a_clock_that_is_put_back_keeps_nobody_out(
    table: CounterTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    monkeypatch.setattr(counter_table.time, "time", lambda: now + 3600)
    assert [count(table), count(table)] == [1, 2]
    monkeypatch.setattr(counter_table.time, "time", lambda: now)

    counted, ends = table.add_all([("key", 60)])["key"]
    assert (counted, ends) == (1, now + 60)


@pytest.mark.parametrize("content", [None, b"", b"x" * 5000, b"\xff" * 200_000])
def test_a_table_that_is_removed_cut_or_damaged_counts_on(
    table: CounterTable, tmp_path: Path, content: bytes | None
) -> None:
    other = opened(tmp_path)
    assert [count(table), count(other)] == [1, 2]
    path = Path(table.path)
    if content is None:
        path.unlink()
    else:
        with path.open("r+b") as file:
            file.truncate(0)
            file.write(content)

    seen = [count(table), count(other), count(table), count(other)]
    assert seen == [1, 2, 3, 4]
    assert path.stat().st_size >= table.size
    close(other)


def test_another_table_in_its_place_is_used_by_all(table: CounterTable, tmp_path: Path) -> None:
    other = opened(tmp_path)
    assert [count(table), count(other)] == [1, 2]
    fresh = tmp_path / "fresh"
    fresh.write_bytes(bytes(table.size))
    fresh.replace(table.path)

    assert [count(table), count(other), count(table)] == [1, 2, 3]
    close(other)


def test_where_it_cannot_be_the_file_counts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "counters.table").mkdir()
    tables = [opened(tmp_path), opened(tmp_path)]

    assert [count(each) for each in (*tables, *tables)] == [1, 2, 3, 4]
    assert caplog.text.count("counter table unavailable") == 1
    for each in tables:
        close(each)


def without_room(folder: Path, sent: Any) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (HEADER, HEADER))
    table = opened(folder)
    sent.put([count(table) for _ in range(3)])
    sent.close()
    sent.join_thread()
    os._exit(0)


def test_without_room_a_process_counts_for_itself_and_lives(tmp_path: Path) -> None:
    sent: Any = forks.Queue()
    process = forks.Process(target=without_room, args=(tmp_path, sent))
    process.start()

    assert sent.get(timeout=20) == [1, 2, 3]
    process.join()
    assert process.exitcode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting takes root")
def test_on_a_full_disk_it_counts_in_the_room_that_it_took(tmp_path: Path) -> None:
    mount = ["/bin/mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("nothing may be mounted here")
    try:
        table = opened(tmp_path)
        assert count(table) == 1
        with pytest.raises(OSError, match="No space left"):
            (tmp_path / "large").write_bytes(bytes(2_000_000))
        for number in range(300):
            assert count(table, f"{number}") == 1
        assert count(table) == 2

        Path(table.path).unlink()
        (tmp_path / "more").write_bytes(b"")
        with pytest.raises(OSError, match="No space left"), (tmp_path / "more").open("wb") as more:
            more.write(bytes(2_000_000))
        seen = [count(table) for _ in range(3)]
        assert seen == list(range(seen[0], seen[0] + 3))
        close(table)
    finally:
        subprocess.run(["/bin/umount", "--lazy", str(tmp_path)], check=True)
