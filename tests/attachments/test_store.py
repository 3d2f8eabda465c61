"""The folder of bytes: what survives a race with the sweep."""

from __future__ import annotations

import os
import time
from pathlib import Path
from threading import Event, Thread

from flask import Flask

from taskapp.attachments import store


def slowly_found_unnamed(_: str) -> bool:
    time.sleep(0.005)  # leaves room to put between the look and the deletion
    return False


def test_a_sweep_never_takes_what_was_just_put(app: Flask, folder: Path) -> None:
    done = Event()

    def sweep() -> None:
        with app.app_context():
            while not done.is_set():
                store.sweep(slowly_found_unnamed)

    sweeper = Thread(target=sweep)
    sweeper.start()
    try:
        with app.app_context():
            lost = [n for n in range(20) if not _put_over_an_orphan()]
    finally:
        done.set()
        sweeper.join()

    assert lost == []


def _put_over_an_orphan() -> bool:
    """Put bytes that lie there since hours ago, unnamed; are they there afterwards?"""
    with store.draft() as file:
        file.write(b"the same bytes")
        place = store.path(store.put(file))
    if place.exists():
        try:
            os.utime(place, (0, 0))
        except FileNotFoundError:
            return False
    with store.draft() as file:
        file.write(b"the same bytes")
        return store.path(store.put(file)).exists()
