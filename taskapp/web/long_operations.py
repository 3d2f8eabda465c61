"""Exports, imports and large batches never take all workers: short requests go on beside them.

A place is a lock on a file, which the kernel lets go of when a worker is killed (flock(2)). In the
file stands which Idempotency-Key has it, so that a retry learns that its request is in progress.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from taskapp.database.file_locks import try_lock
from taskapp.database.session import Body
from taskapp.errors import DatabaseBusy, RequestInProgress
from taskapp.extensions import settings
from taskapp.web import idempotency
from taskapp.web.current import Current, current

RETRY_AFTER = 5  # seconds
LARGE_BATCH = 50  # operations
LONGEST_NAME = 100  # bytes
TOO_MANY = "Too many exports, imports or large batches at once. Try again when one has ended."


def begin() -> None:
    """Take one of WEB_CONCURRENCY - 1 places, at least one, until the request ends.

    Raises:
        DatabaseBusy: All are taken.
        RequestInProgress: One is taken by a request with the same Idempotency-Key.
    """
    folder = settings().instance / "long-operations"
    name = idempotency.name_of_request().encode()
    try:
        folder.mkdir(exist_ok=True)
        place = _free_place(folder, name)
    except OSError:  # a full disk refuses no export
        return
    if place is None:
        refusal = DatabaseBusy(TOO_MANY)
        refusal.headers["Retry-After"] = str(RETRY_AFTER)
        raise refusal
    record = current()
    record.long_operation = place
    record.was_large = True


def begin_if_large(batch: Body) -> Body:
    """Take a place for a batch of more than LARGE_BATCH operations; returns the batch."""
    if len(batch["operations"]) > LARGE_BATCH:
        begin()
    return batch


def end(current: Current) -> None:
    """Give the place back, however the request ended."""
    if current.long_operation is not None:
        current.long_operation.close()
        current.long_operation = None


def until_last(record: Current, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The pieces of an answer; the place is given back before the last, not after it.

    A client that has all of it may begin its next long operation before this worker goes on.
    """
    held: list[bytes] = []
    for piece in pieces:
        yield from held
        held = [piece]
    end(record)
    yield from held


def _free_place(folder: Path, name: bytes) -> IO[bytes] | None:
    places = max(1, settings().web_concurrency - 1)
    for number in range(places):
        file = (folder / f"{number}.lock").open("a+b", buffering=0)
        if try_lock(file):
            _note_holder(file, name)
            return file
        holder = os.pread(file.fileno(), LONGEST_NAME, 0)
        file.close()
        if name and holder == name:
            raise RequestInProgress
    return None


def _note_holder(file: IO[bytes], name: bytes) -> None:
    file.truncate(0)
    with suppress(OSError):  # a full disk refuses no export
        file.write(name)
