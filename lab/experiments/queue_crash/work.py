"""The job that every engine runs: it begins, has its effect, ends, and says so in a file.

A worker that is killed between two of these lines leaves the file as the only witness.
"""

from __future__ import annotations

import os
import time

PART = 0.15  # seconds from beginning to effect, and from effect to end


def work(number: int) -> None:
    note("begin", number)
    time.sleep(PART)
    note("effect", number)  # a mail is sent, a card is charged
    time.sleep(PART)
    note("end", number)


def note(what: str, number: int) -> None:
    """One line, in one write, so that a kill cannot leave a half of it."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    file = os.open(os.environ["CRASH_LOG"], flags)
    os.write(file, f"{what} {number}\n".encode())
    os.close(file)
