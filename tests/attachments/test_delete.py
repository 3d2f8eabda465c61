"""DELETE /api/v1/tasks/{task_id}/attachments/{attachment_id}, and what becomes of the bytes"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from flask import Flask

from taskapp.attachments import store
from taskapp.attachments.service import sweep_store
from tests.attachments.conftest import FERN, Attach, names_in
from tests.conftest import Client, Json, demote, events, refused


def sweep_hours_later(app: Flask, folder: Path) -> int:
    """Sweep when everything that lies there has become two hours older."""
    then = time.time() - 7200
    for file in folder.glob("*"):
        os.utime(file, (then, then))
    with app.app_context():
        return sweep_store()


def test_an_editor_deletes_a_file(app: Flask, alice: Client, bobs: str, shared_task: Json) -> None:
    assert alice.delete(bobs).status_code == 204
    assert refused(alice.get(bobs)) == (404, "not-found")
    assert refused(alice.delete(bobs)) == (404, "not-found")
    (event,) = events(app, "attachment-deleted")
    assert (event["task_id"], event["user_id"]) == (shared_task["id"], alice.user["id"])
    assert event["changes"]["name"] == ["fern.jpg", None]


def test_strangers_and_viewers_delete_nothing(
    alice: Client, bob: Client, charlie: Client, bobs: str, shared: Json
) -> None:
    assert refused(charlie.delete(bobs)) == (404, "not-found")
    demote(alice, bob, shared["id"])
    assert refused(bob.delete(bobs)) == (403, "forbidden")


def test_deletes_only_what_the_client_saw(bob: Client, bobs: str) -> None:
    tag = bob.head(bobs).headers["ETag"]

    stale = bob.delete(bobs, headers={"If-Match": '"other"'})
    assert refused(stale) == (412, "precondition-failed")
    assert bob.delete(bobs, headers={"If-Match": tag}).status_code == 204


def test_bytes_stay_while_another_row_names_them(
    app: Flask, bob: Client, attach: Attach, folder: Path
) -> None:
    first, second = (attach().headers["Location"] for _ in range(2))

    bob.delete(first)
    assert sweep_hours_later(app, folder) == 0
    assert bob.get(second).data == FERN
    bob.delete(second)
    assert names_in(folder) == []


def test_the_bytes_of_a_deleted_task_stay_while_it_can_be_restored(
    app: Flask, bob: Client, bobs: str, folder: Path, shared_task: Json
) -> None:
    bob.delete(f"/api/v1/tasks/{shared_task['id']}")

    assert sweep_hours_later(app, folder) == 0


def test_what_is_young_may_still_get_its_row(
    app: Flask, bob: Client, bobs: str, folder: Path
) -> None:
    (folder / "left-by-a-crash").write_bytes(b"half")

    with app.app_context():
        assert sweep_store() == 0
    assert len(names_in(folder)) == 2
    assert sweep_hours_later(app, folder) == 1


def test_the_same_bytes_again_are_young_again(bob: Client, attach: Attach, folder: Path) -> None:
    attach()
    (file,) = folder.glob("*")
    os.utime(file, (0, 0))
    attach()

    assert file.stat().st_mtime > time.time() - 60


def test_a_deletion_that_is_refused_removes_no_bytes(
    alice: Client, bob: Client, bobs: str, shared: Json, folder: Path
) -> None:
    bob.delete(bobs, headers={"If-Match": '"other"'})
    demote(alice, bob, shared["id"])
    bob.delete(bobs)

    assert bob.get(bobs).data == FERN


def test_who_deletes_and_attaches_again_fills_no_disk(
    bob: Client, attach: Attach, folder: Path
) -> None:
    for number in range(3):
        file = attach(str(number).encode() * 1_000)
        assert bob.delete(file.headers["Location"]).status_code == 204

    assert names_in(folder) == []


def test_a_deletion_during_a_backup_leaves_the_bytes_to_a_sweep(
    app: Flask, bob: Client, bobs: str, folder: Path
) -> None:
    """The backup may have the row, and not yet the bytes."""
    with app.app_context(), store.as_it_is():
        assert bob.delete(bobs).status_code == 204

    assert len(names_in(folder)) == 1
    assert sweep_hours_later(app, folder) == 1


def test_bytes_are_there_as_long_as_a_row_names_them(
    bob: Client, url: str, attach: Attach, folder: Path
) -> None:
    """Several attach and delete the same bytes at once."""
    token = bob.environ_base["HTTP_AUTHORIZATION"].partition(" ")[2]

    def attach_and_delete(_: int) -> set[bytes]:
        client, seen = bob.as_token(token), set()
        for _ in range(8):
            made = attach(client=client).headers["Location"]
            seen.add(client.get(made).data)
            assert client.delete(made).status_code == 204
        return seen

    with ThreadPoolExecutor(4) as pool:
        seen = set().union(*pool.map(attach_and_delete, range(4)))

    assert seen == {FERN}
    assert names_in(folder) == []
