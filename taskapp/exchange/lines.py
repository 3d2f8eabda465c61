"""The lines of a file, of which millions may be empty."""

from collections.abc import Iterator
from typing import IO, AnyStr

from taskapp.web.request_log import note_progress

PROGRESS_EVERY = 10_000  # lines


def lines(file: IO[AnyStr], longest: int) -> Iterator[AnyStr]:
    """Each line, in pieces of `longest`; the worker hears that there is progress."""
    number = 0
    while line := file.readline(longest):
        number += 1
        if number % PROGRESS_EVERY == 0:
            note_progress()
        yield line
