"""Who waits for a long write on SQLite, and who looks whether there is one"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

from flask import Flask

from taskapp.database import long_writes
from taskapp.extensions import settings

LONG_AGO = 1_000_000_000


def looks(app: Flask, times: int) -> int:
    """How often an import is seen to be in the way."""
    with app.app_context():
        return sum(long_writes.is_in_the_way() for _ in range(times))


def test_those_who_look_at_once_take_no_other_look_for_an_import(app: Flask) -> None:
    with app.app_context():
        sign = settings().instance / "long-write.lock"
    sign.touch()
    os.utime(sign, (LONG_AGO, LONG_AGO))

    with ThreadPoolExecutor(8) as crowd:
        seen = crowd.map(lambda _: looks(app, 500), range(8))

    assert sum(seen) == 0


def test_an_import_is_seen_until_it_ends(app: Flask) -> None:
    with app.app_context():
        sign = settings().instance / "long-write.lock"
        long_writes.begin()
        assert looks(app, 3) == 0  # it has its time
        os.utime(sign, (LONG_AGO, LONG_AGO))
        assert looks(app, 3) == 3
        long_writes.end()
        assert looks(app, 3) == 0
