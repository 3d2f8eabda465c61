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

from taskapp.errors import StorageFull
from taskapp.extensions import settings

DISK_FULL_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
KEPT_FREE = 64 * 1024 * 1024  # bytes of the disk, for the database and its log
GRACE_SECONDS = 3600  # between an upload's bytes and the commit of its row lie far fewer


def path(sha256: str = "") -> Path:
    return settings().instance / "attachments" / sha256


@contextmanager
def draft(size: int = 0) -> Iterator[IO[bytes]]:
    """A file to write so many bytes into; it is gone afterwards, unless `put` kept it.

    Raises:
        StorageFull: Afterwards the disk would have too little room for other writes.
    """
    try:
        path().mkdir(exist_ok=True)
        if shutil.disk_usage(path()).free - size < KEPT_FREE:
            raise StorageFull
        with NamedTemporaryFile(dir=path(), delete=False) as file:
            try:
                yield file
            finally:
                Path(file.name).unlink(missing_ok=True)
    except OSError as error:
        if error.errno in DISK_FULL_ERRNOS:
            raise StorageFull from error
        raise


def put(file: IO[bytes]) -> str:
    """Keep a draft under the SHA-256 of its bytes, which it returns; power cuts do no harm."""
    file.flush()
    os.fsync(file.fileno())
    file.seek(0)
    sha256 = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # a real file
    with _alone():
        Path(file.name).replace(path(sha256))  # the same bytes again become young again
    folder = os.open(path(), os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
    return sha256


def sweep(is_named: Callable[[str], bool]) -> int:
    """Delete the files that no row names and that are no longer young; returns how many."""
    gone = 0
    for file in path().glob("*"):
        with suppress(FileNotFoundError), _alone():
            age = time.time() - file.stat().st_mtime
            if age > GRACE_SECONDS and not is_named(file.name):
                file.unlink()
                gone += 1
    return gone


@contextmanager
def _alone() -> Iterator[None]:
    """Nothing is swept away that somebody is just putting back."""
    with path().with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
