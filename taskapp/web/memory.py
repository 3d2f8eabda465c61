"""What a large request has freed goes back to the system, and does not stay with the worker."""

import ctypes
from contextlib import suppress

from taskapp.web.current import Current


def give_back(current: Current) -> None:
    """At its end: what was freed lies between what stays, and glibc keeps it until it is told."""
    if current.was_large:
        with suppress(AttributeError):  # not every C library has malloc_trim(3)
            ctypes.CDLL(None).malloc_trim(0)
