"""Where the bytes of attachments lie: one file for each SHA-256, however often it is attached.

This is the only door to them; behind it could stand an object store.
"""

import errno
import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from taskapp.database.file_locks import try_lock
from taskapp.errors import DatabaseBusy, StorageFull
from taskapp.extensions import settings

DISK_FULL_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
KEPT_FREE = 64 * 1024 * 1024  # bytes of the disk, for the database and its log
GRACE_SECONDS = 3600  # between an upload's bytes and the commit of its row lie far fewer
PATIENCE = 1.0  # seconds; a lock is held for a commit, unless its holder is frozen
LOOK = 0.005  # seconds


def path(sha256: str = "") -> Path:
    return settings().instance / "attachments" / sha256


@contextmanager
def draft(size: int = 0) -> Iterator[IO[bytes]]:
    """A file to write so many bytes into; it is gone afterwards, unless it was `kept`.

    Raises:
        StorageFull: Afterwards the disk would have too little room for other writes.
    """
    with _refused_where_full():
        path().mkdir(exist_ok=True)
        if shutil.disk_usage(path()).free - size < KEPT_FREE:
            raise StorageFull
        with NamedTemporaryFile(dir=path(), delete=False) as file:
            try:
                yield file
            finally:
                Path(file.name).unlink(missing_ok=True)


def synced(file: IO[bytes]) -> str:
    """Bring the bytes of a draft to the disk; returns their SHA-256."""
    file.flush()
    os.fsync(file.fileno())
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # a real file


@contextmanager
def kept(file: IO[bytes], sha256: str) -> Iterator[None]:
    """Give a draft its place, where nobody removes it before its row is committed, inside of this.

    Power cuts do no harm.

    Raises:
        StorageFull, DatabaseBusy
    """
    with _refused_where_full(), _locked(fcntl.LOCK_SH) as is_locked:
        if not is_locked:
            raise DatabaseBusy
        with suppress(FileNotFoundError):  # it has its place: the transaction is tried again
            Path(file.name).replace(path(sha256))  # the same bytes again become young again
        folder = os.open(path(), os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
        yield


@contextmanager
def removed(sha256: str, is_named: Callable[[str], bool]) -> Iterator[None]:
    """Remove bytes that no row names, once the deletion of a row is committed, inside of this.

    What is not removed, since that failed or somebody is in the way, goes with a later sweep.
    """
    with _locked(fcntl.LOCK_EX) as is_locked, _backup_lock() as lock:
        is_removed = is_locked and try_lock(lock) and not is_named(sha256)
        yield
        if is_removed:
            with suppress(OSError):
                path(sha256).unlink(missing_ok=True)


def sweep(is_named: Callable[[str], bool]) -> int:
    """Delete the files that no row names and that are no longer young; returns how many."""
    gone = 0
    for file in path().glob("*"):
        with suppress(FileNotFoundError), _locked(fcntl.LOCK_EX) as is_locked:
            age = time.time() - file.stat().st_mtime
            if is_locked and age > GRACE_SECONDS and not is_named(file.name):
                file.unlink()
                gone += 1
    return gone


@contextmanager
def as_it_is() -> Iterator[None]:
    """Keep what is there while it is backed up, but for what a sweep takes."""
    with _backup_lock() as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield


@contextmanager
def _refused_where_full() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL_ERRNOS:
            raise StorageFull from error
        raise


@contextmanager
def _locked(kind: int) -> Iterator[bool]:
    """Whether nobody removes bytes (LOCK_SH), or names or removes them (LOCK_EX), inside of this.

    It is the last thing that a transaction waits for, so that no two wait for each other.
    """
    deadline = time.monotonic() + PATIENCE
    with path().with_suffix(".lock").open("wb") as lock:
        while True:
            is_locked = try_lock(lock, kind)
            if is_locked or time.monotonic() > deadline:
                break
            time.sleep(LOOK)
        yield is_locked


def _backup_lock() -> IO[bytes]:
    return path().with_suffix(".backup.lock").open("wb")
