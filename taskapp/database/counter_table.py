"""Counters that every request adds to: a table of slots in memory that all workers share.

The table is a file in the page cache, read and written by pread(2) and pwrite(2) under one lock. It
is not mapped: on a full disk, or when somebody cuts the file, a mapped page is a SIGBUS, and a
written one is an error. A worker that is killed leaves no lock behind, and at most its own count
uncounted: a slot is written by one call.
"""

import fcntl
import logging
import os
import struct
import threading
import time
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from taskapp.database.counters import RETRY_FILE_AFTER, Count, CountersFile

SLOT = struct.Struct("=16sqd")  # digest of a key, count, end
BUCKET_SLOTS = 8  # that a key may be in
BUCKET = struct.Struct("=" + "16sqd" * BUCKET_SLOTS)
BUCKETS = 4096  # 1 MiB, and up to 32,768 keys at a time
HEADER = 4096  # bytes; until when some key may be counted in the file of counters
ENDS = struct.Struct("=d")
LOCK_TIMEOUT = 0.25  # seconds; a holder that was stopped keeps the others no longer
LOCK_RETRY = 0.0002  # seconds
_threads = threading.Lock()  # a lock on a file is its process's
log = logging.getLogger(__name__)


class CounterTable:
    """Exact across the workers of one machine; what it cannot count, the file of counters does.

    A key that finds its bucket full of others is counted in that file until it ends there, and
    while there may be such a key, one that is new looks for itself in both.
    """

    def __init__(self, path: Path, file: CountersFile, buckets: int = BUCKETS) -> None:
        self.path, self.file, self.buckets = str(path), file, buckets
        self.size = HEADER + buckets * BUCKET.size
        self.descriptor = -1
        self.retry_at = 0.0  # monotonic seconds

    def add_all(self, keys: Sequence[tuple[str, int]], amount: int = 1) -> dict[str, Count]:
        """Add to several counters at once, each with the seconds after which it ends."""
        if time.monotonic() < self.retry_at:
            return self.file.add_all(keys, amount)
        counts: dict[str, Count] = {}
        with _threads:
            try:
                self._open()
                self._lock()
                try:
                    for key, seconds in keys:
                        counts[key] = self._add(key, seconds, amount)
                finally:
                    fcntl.lockf(self.descriptor, fcntl.LOCK_UN)
            except (OSError, struct.error) as error:
                self._give_up(error)
        left = [(key, seconds) for key, seconds in keys if key not in counts]
        return counts | self.file.add_all(left, amount) if left else counts

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def _add(self, key: str, seconds: int, amount: int) -> Count:
        digest, bucket = _place(key, self.buckets)
        start = HEADER + bucket * BUCKET.size
        slots = BUCKET.unpack(os.pread(self.descriptor, BUCKET.size, start))
        now = time.time()
        number = _slot_of(digest, slots, now)
        if number is None:
            return self._add_in_file(key, seconds, amount, now)
        owner, count, ends = slots[3 * number : 3 * number + 3]
        # An end further ahead than a whole window is from before the clock was put back.
        if owner != digest or not now < ends <= now + seconds + 1:
            if self._is_in_file(key, now):
                return self.file.add(key, amount, seconds)
            count, ends = 0, now + seconds
        counted = count + amount, ends
        os.pwrite(self.descriptor, SLOT.pack(digest, *counted), start + number * SLOT.size)
        return counted

    def _add_in_file(self, key: str, seconds: int, amount: int, now: float) -> Count:
        until = max(now + seconds, self._overflow_ends())
        os.pwrite(self.descriptor, ENDS.pack(until), 0)
        return self.file.add(key, amount, seconds)

    def _is_in_file(self, key: str, now: float) -> bool:
        return now < self._overflow_ends() and self.file.get(key)[0] > 0

    def _overflow_ends(self) -> float:
        ends: float = ENDS.unpack(os.pread(self.descriptor, ENDS.size, 0))[0]
        return ends

    def _open(self) -> None:
        """Open the file at its first use, after the server's fork, and when it was removed."""
        if self.descriptor >= 0:
            found = os.fstat(self.descriptor)
            if found.st_nlink and found.st_size >= self.size:
                return
        self.close()
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self.descriptor = os.open(self.path, flags, 0o600)
        if hasattr(os, "posix_fallocate"):  # all room at once: what is counted later needs none
            os.posix_fallocate(self.descriptor, 0, self.size)
        else:
            os.ftruncate(self.descriptor, self.size)

    def _lock(self) -> None:
        deadline = time.monotonic() + LOCK_TIMEOUT
        while True:
            try:
                fcntl.lockf(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(LOCK_RETRY)
            else:
                return

    def _give_up(self, error: Exception) -> None:
        self.retry_at = time.monotonic() + RETRY_FILE_AFTER
        self.close()
        if self.file.is_first_this_minute("counter table warning"):
            log.warning("counter table unavailable, counting in the counters file: %s", error)


@lru_cache(4096)
def _place(key: str, buckets: int) -> tuple[bytes, int]:
    """The digest of a key, and the bucket that it is in."""
    digest = blake2b(key.encode(), digest_size=16).digest()
    return digest, int.from_bytes(digest[:4]) % buckets


def _slot_of(digest: bytes, slots: tuple[Any, ...], now: float) -> int | None:
    """The slot that is the key's, or else one whose counter has ended; None where there is none."""
    owners, ends = slots[::3], slots[2::3]
    if digest in owners:
        return owners.index(digest)
    for number, end in enumerate(ends):
        if not now < end:
            return number
    return None
