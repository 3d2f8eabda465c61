"""What a large request has freed goes back to the system, and does not stay with the worker."""

import ctypes
from contextlib import suppress

from taskapp.database import sqlite
from taskapp.web.current import Current

_freed_much = False


def note(current: Current) -> None:
    """At the end of a request, while its body and its answer are still there."""
    global _freed_much  # noqa: PLW0603 - a worker's, between two requests
    _freed_much |= current.was_large


def give_back() -> None:
    """Between two requests: glibc and SQLite keep what was freed, until they are told."""
    global _freed_much  # noqa: PLW0603 - as above
    if not _freed_much:
        return
    _freed_much = False
    sqlite.drop_pages()
    with suppress(AttributeError):  # not every C library has malloc_trim(3)
        ctypes.CDLL(None).malloc_trim(0)
