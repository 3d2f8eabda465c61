"""The folder of bytes: what survives a race with the sweep."""

from __future__ import annotations

import os
import time
from pathlib import Path
from threading import Event, Thread

import pytest
from flask import Flask

from taskapp.attachments import store
from taskapp.errors import DatabaseBusy
from tests.attachments.conftest import names_in

BYTES = b"the same bytes"


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
    """Keep bytes that lie there since hours ago, unnamed; are they there until the commit?"""
    digest = _keep()
    try:
        os.utime(store.path(digest), (0, 0))
    except FileNotFoundError:  # swept already
        return False
    with store.draft() as file:
        file.write(BYTES)
        with store.kept(file, store.synced(file)):
            time.sleep(0.02)
            return store.path(digest).exists()


def _keep() -> str:
    with store.draft() as file:
        file.write(BYTES)
        digest = store.synced(file)
        with store.kept(file, digest):
            return digest


def named(_: str) -> bool:
    return True


def unnamed(_: str) -> bool:
    return False


def test_what_no_row_names_is_removed_once_its_deletion_is_committed(
    app: Flask, folder: Path
) -> None:
    with app.app_context():
        digest = _keep()

        with store.removed(digest, named):
            pass
        with pytest.raises(ZeroDivisionError), store.removed(digest, unnamed):
            raise ZeroDivisionError  # the commit fails
        assert store.path(digest).exists()
        with store.removed(digest, unnamed):
            assert store.path(digest).exists()
        assert not store.path(digest).exists()


def test_nothing_is_removed_that_is_backed_up_or_about_to_be_named(
    app: Flask, folder: Path
) -> None:
    with app.app_context():
        digest = _keep()

        with store.as_it_is(), store.removed(digest, unnamed):
            pass
        assert store.path(digest).exists()
        with store.draft() as file:
            file.write(BYTES)
            with store.kept(file, store.synced(file)), store.removed(digest, unnamed):
                pass
        assert store.path(digest).exists()


def test_a_frozen_worker_holds_up_no_upload_for_long(app: Flask, folder: Path) -> None:
    with app.app_context():
        digest = _keep()
        began = time.monotonic()
        with store.removed(digest, unnamed), pytest.raises(DatabaseBusy):
            _keep()
        assert time.monotonic() - began < 3
        assert len(names_in(folder)) == 0
