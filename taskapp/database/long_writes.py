"""An import holds SQLite's one lock for seconds: who else writes waits for it only briefly.

A worker that waits serves nobody, so reads would wait behind it. The sign is a lock on a file,
which the kernel lets go of when a worker is killed (flock(2)); the file's time says since when.
"""

import fcntl
import os
import time
from pathlib import Path

from flask import g

from taskapp.database.file_locks import try_lock
from taskapp.extensions import settings

PATIENCE = 0.2  # seconds that an import may hold up other writes


def begin() -> None:
    """Say that this request begins a long write; `end` says that it is over."""
    try:
        file = _sign().open("ab")
        with _look().open("ab") as look:
            fcntl.flock(look, fcntl.LOCK_EX)
            if try_lock(file):  # a second one begins no new time
                os.utime(file.fileno())
            fcntl.flock(file, fcntl.LOCK_SH)
    except OSError:  # a full disk refuses no import for this
        return
    g.long_write = file


def end() -> None:
    file = g.pop("long_write", None)
    if file is not None:
        file.close()


def is_in_the_way() -> bool:
    """Whether another request has been at a long write for longer than others wait for it."""
    if "long_write" in g:
        return False
    try:
        with _look().open("ab") as look, _sign().open("rb") as file:
            age = time.time() - os.fstat(file.fileno()).st_mtime
            if age <= PATIENCE or not try_lock(look):
                return False  # somebody else looks, which is a lock, too: the next look tells
            return not try_lock(file)
    except OSError:
        return False


def _sign() -> Path:
    return settings().instance / "long-write.lock"


def _look() -> Path:
    """Whoever looks holds this one, so that nobody takes another look for an import."""
    return settings().instance / "long-write.look"
