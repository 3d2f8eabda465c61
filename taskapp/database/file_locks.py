"""Locks on files, which the kernel lets go of when a process ends, or is killed (flock(2))."""

import fcntl
from typing import IO


def try_lock(file: IO[bytes], kind: int = fcntl.LOCK_EX) -> bool:
    """Lock it for this process alone, unless another one has it; returns whether it is ours.

    With LOCK_SH others may share it.
    """
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
