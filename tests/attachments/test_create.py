"""POST /api/v1/tasks/{task_id}/attachments"""

from __future__ import annotations

import dataclasses
import errno
import os
import tracemalloc
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.attachments.conftest import FERN, Attach, names_in
from tests.conftest import Client, Json, demote, events, named, refused

MIB = 1024 * 1024
FORM = "multipart/form-data; boundary=edge"
HEAD = b'--edge\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
TAIL = b"\r\n--edge--\r\n"


def send(client: Client, url: str, body: bytes, **kwargs: Any) -> TestResponse:
    return client.post(url, data=body, **{"content_type": FORM, **kwargs})


def test_keeps_a_file_and_says_where(
    bob: Client, attach: Attach, url: str, shared_task: Json, folder: Path
) -> None:
    made = attach()
    attachment = made.get_json()
    digest = sha256(FERN).hexdigest()

    assert made.status_code == 201
    assert made.headers["Location"] == f"http://localhost{url}/{attachment['id']}"
    assert made.headers["ETag"] == bob.head(made.headers["Location"]).headers["ETag"]
    del attachment["id"], attachment["created_at"]
    assert attachment == {
        "task_id": shared_task["id"],
        "name": "fern.jpg",
        "media_type": "image/jpeg",
        "size": len(FERN),
        "sha256": digest,
        "created_by": bob.user["id"],
    }
    assert names_in(folder) == [digest]
    assert (folder / digest).read_bytes() == FERN


def test_the_same_bytes_are_stored_once(attach: Attach, folder: Path) -> None:
    first, second = attach(name="a").get_json(), attach(name="b").get_json()

    assert first["id"] != second["id"]
    assert names_in(folder) == [first["sha256"]] == [second["sha256"]]


@pytest.mark.parametrize("content", [b"", b"\r\n--", b"x--edge", b"\r\n--edge-"])
def test_any_bytes_are_a_file(bob: Client, url: str, content: bytes) -> None:
    made = send(bob, url, HEAD + content + TAIL)

    assert bob.get(made.headers["Location"]).data == content


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ('filename="fern.jpg"', "fern.jpg"),
        ('filename="Bär 🌱.txt"', "Bär 🌱.txt"),
        ('filename="../../etc/passwd"', "../../etc/passwd"),
        (r'filename="a\"b.txt"', 'a"b.txt'),
        ('filename="a%22b.txt"', 'a"b.txt'),
        ("filename*=UTF-8''two%0Alines", "two lines"),
        ('filename="Cafe\u0301"', "Caf\u00e9"),
        ('filename=" fern.jpg "', "fern.jpg"),
    ],
)
def test_keeps_the_name_it_was_given(bob: Client, url: str, said: str, kept: str) -> None:
    body = HEAD.replace(b'filename="a"', said.encode()) + b"x" + TAIL

    assert send(bob, url, body).get_json()["name"] == kept


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("text/csv; charset=utf-8", "text/csv"),
        ("", "application/octet-stream"),
        ("<script>\0/x", "application/octet-stream"),
    ],
)
def test_keeps_the_media_type(bob: Client, url: str, said: str, kept: str) -> None:
    body = HEAD.replace(b"\r\n\r\n", f"\r\nContent-Type: {said}\r\n\r\n".encode()) + b"x" + TAIL

    assert send(bob, url, body).get_json()["media_type"] == kept


@pytest.mark.parametrize(
    ("said", "begins"),
    [
        ("image/png", b"\x89PNG\r\n\x1a\n"),
        ("image/jpeg", b"\xff\xd8\xff\xe0"),
        ("image/gif", b"GIF89a"),
        ("image/webp", b"RIFF\x24\0\0\0WEBPVP8 "),
        ("image/avif", b"\0\0\0\x20ftypavif"),
        ("application/pdf", b"%PDF-1.4"),
        ("application/zip", b"PK\x03\x04"),
        ("application/vnd.oasis.opendocument.text", b"PK\x03\x04"),
        ("application/gzip", b"\x1f\x8b\x08"),
        ("application/msword", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
        ("text/plain", b"MZ, GIF and %PDF are how some files begin"),
        ("text/html", b"<!doctype html>"),
        ("text/csv", b"\xff\xfet\0"),
    ],
)
def test_a_file_that_is_plainly_another_is_not_called_what_it_was_said_to_be(
    bob: Client, url: str, said: str, begins: bytes
) -> None:
    types = []
    for content in (begins, b"x", b"\x7fELF\x02\x01"):
        file = (BytesIO(content), "fern", said)
        types.append(bob.post(url, data={"file": file}).get_json()["media_type"])

    assert types == [said, said, "application/octet-stream"]


@pytest.mark.parametrize(
    ("form", "pointers"),
    [
        ({}, ["/file"]),
        ({"file": "only text"}, ["/file"]),
        ({"file": (BytesIO(b"x"), "")}, ["/file"]),
        ({"file": (BytesIO(b"x"), "n" * 256)}, ["/file"]),
        ({"file": (BytesIO(b"x"), "a\x01b")}, ["/file"]),
        ({"file": [(BytesIO(b"x"), "a"), (BytesIO(b"y"), "b")]}, ["/file"]),
        ({"file": (BytesIO(b"x"), "a"), "note": "hi"}, ["/note"]),
        ({"file": (BytesIO(b"x"), "a"), "a/b": (BytesIO(b"y"), "b")}, ["/a~1b"]),
    ],
    ids=["nothing", "text", "no name", "long name", "control", "two", "field", "other file"],
)
def test_takes_one_file_and_nothing_else(
    bob: Client, url: str, form: dict[str, Any], pointers: list[str], folder: Path
) -> None:
    # A part with an empty name is written by hand: the test client would leave the name out.
    if form.get("file") == "only text" or not form:
        response = bob.post(url, data=form or b"--edge--\r\n", content_type=FORM)
    else:
        copies = {name: again(part) for name, part in form.items()}
        response = bob.post(url, data=copies, content_type="multipart/form-data")

    assert named(response) == pointers
    assert names_in(folder) == []


def again(part: Any) -> Any:
    """The same part for the second database: a stream can be read once."""
    if isinstance(part, list):
        return [again(each) for each in part]
    return part if isinstance(part, str) else (BytesIO(part[0].getvalue()), part[1])


@pytest.mark.parametrize(
    "body",
    [
        b"no form",
        HEAD + b"cut short",
        HEAD + b"x\r\n--edge",
        HEAD,
        b"--edge\r\nContent-Type: text/plain\r\n\r\nx" + TAIL,
        b'--edge\r\nContent-Disposition: form-data; name="\xff"\r\n\r\nx' + TAIL,
        b"--edge\r\n\r\n" + TAIL,
    ],
)
def test_refuses_a_malformed_form(bob: Client, url: str, body: bytes, folder: Path) -> None:
    assert refused(send(bob, url, body)) == (400, "malformed-request")
    assert names_in(folder) == []


def test_refuses_a_body_shorter_than_it_says(bob: Client, url: str, folder: Path) -> None:
    short = send(bob, url, HEAD + b"x", content_length=str(len(HEAD + b"x" + TAIL)))

    assert refused(short) == (400, "malformed-request")
    assert names_in(folder) == []


@pytest.mark.parametrize(
    "headers",
    [
        {"content_type": "application/json"},
        {"content_type": ""},
        {"content_type": "multipart/mixed; boundary=edge"},
        {"headers": {"Content-Encoding": "gzip"}},
    ],
)
def test_refuses_other_kinds_of_body(bob: Client, url: str, headers: dict[str, Any]) -> None:
    response = send(bob, url, HEAD + b"x" + TAIL, **headers)

    assert refused(response) == (415, "unsupported-media-type")


def test_a_coding_that_changes_nothing_has_a_name_in_any_case(bob: Client, url: str) -> None:
    response = send(bob, url, HEAD + b"x" + TAIL, headers={"Content-Encoding": "Identity"})

    assert response.status_code == 201


def test_refuses_what_is_too_large(bob: Client, url: str, folder: Path) -> None:
    largest = 10 * MIB

    assert send(bob, url, HEAD + bytes(largest) + TAIL).get_json()["size"] == largest
    for size in (largest + 1, largest + MIB):
        response = send(bob, url, HEAD + bytes(size) + TAIL)
        assert refused(response) == (413, "payload-too-large")
    assert len(names_in(folder)) == 1


def test_refuses_a_form_of_many_or_large_parts(bob: Client, url: str) -> None:
    many = b"".join(HEAD.replace(b'"file"', b'"%d"' % n) + b"x\r\n" for n in range(30))
    large = HEAD.replace(b'; filename="a"', b"") + b"x" * MIB

    for body in (many + TAIL[2:], large + TAIL, b"x" * MIB):
        assert refused(send(bob, url, body)) == (413, "payload-too-large")


def test_memory_stays_bounded(bob: Client, url: str, tmp_path: Path) -> None:
    form = tmp_path / "form"
    form.write_bytes(HEAD + bytes(8 * MIB) + TAIL)
    with form.open("rb") as body:
        tracemalloc.start()
        made = bob.post(url, input_stream=body, content_type=FORM)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert made.get_json()["size"] == 8 * MIB
    assert peak < 3 * MIB


def test_a_retry_attaches_once(bob: Client, url: str, folder: Path) -> None:
    key = {"Idempotency-Key": "fern-photo-1"}
    first = send(bob, url, HEAD + b"x" + TAIL, headers=key)
    again = send(bob, url, HEAD + b"x" + TAIL, headers=key)
    other = send(bob, url, HEAD + b"y" + TAIL, headers=key)

    assert (again.status_code, again.data) == (201, first.data)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert refused(other) == (422, "idempotency-mismatch")
    assert len(bob.get(url).get_json()["items"]) == 1


def test_leaves_the_task_as_it_was_and_an_event(
    app: Flask, bob: Client, attach: Attach, shared_task: Json
) -> None:
    task = f"/api/v1/tasks/{shared_task['id']}"
    before = bob.get(task)
    made = attach().get_json()

    assert bob.get(task).headers["ETag"] == before.headers["ETag"]
    (event,) = events(app, "attachment-created")
    assert (event["task_id"], event["user_id"]) == (shared_task["id"], bob.user["id"])
    told = {"attachment_id": [None, made["id"]], "name": [None, "fern.jpg"]}
    assert event["changes"] == told


@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_full_disk_is_said_plainly(
    attach: Attach, folder: Path, bobs: str, reason: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(reason, os.strerror(reason))

    monkeypatch.setattr(os, "fsync", full)
    response = attach(b"another")

    assert refused(response) == (503, "storage-full")
    assert int(response.headers["Retry-After"]) > 0
    assert names_in(folder) == [sha256(FERN).hexdigest()]


def test_strangers_and_viewers_attach_nothing(
    alice: Client, bob: Client, charlie: Client, attach: Attach, shared: Json
) -> None:
    assert refused(attach(client=charlie)) == (404, "not-found")
    demote(alice, bob, shared["id"])
    assert refused(attach()) == (403, "forbidden")


def test_what_is_refused_leaves_nothing_on_the_disk(
    alice: Client,
    bob: Client,
    charlie: Client,
    url: str,
    attach: Attach,
    folder: Path,
    shared: Json,
    app: Flask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else an account fills the disk with bytes that no quota counts."""
    none = "/api/v1/tasks/999999/attachments"
    assert refused(send(bob, none, HEAD + b"1" + TAIL)) == (404, "not-found")
    assert refused(attach(b"2", client=charlie)) == (404, "not-found")
    settings = dataclasses.replace(app.extensions["taskapp"], max_attachments_per_user_bytes=1)
    monkeypatch.setitem(app.extensions, "taskapp", settings)
    assert refused(attach(b"34")) == (409, "quota-exceeded")
    demote(alice, bob, shared["id"])
    assert refused(attach(b"5")) == (403, "forbidden")

    assert names_in(folder) == []


def test_a_retry_leaves_nothing_on_the_disk(bob: Client, url: str, folder: Path) -> None:
    key = {"Idempotency-Key": "a-key-of-bob"}
    made = send(bob, url, HEAD + b"once" + TAIL, headers=key)
    bob.delete(made.headers["Location"])
    again = send(bob, url, HEAD + b"once" + TAIL, headers=key)

    assert again.headers["Idempotency-Replayed"] == "true"
    assert names_in(folder) == []
