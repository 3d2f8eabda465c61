"""GET /api/v1/tasks/{task_id}/attachments/{attachment_id}"""

from __future__ import annotations

from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from tests.attachments.conftest import FERN, Attach
from tests.conftest import Client, Json, refused

SIZE = len(FERN)


def download(client: Client, url: str, **headers: str) -> TestResponse:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.get(url, headers=sent)


def test_gives_the_bytes_back_unchanged_as_a_download(alice: Client, bobs: str) -> None:
    got = download(alice, bobs)

    assert (got.status_code, got.data) == (200, FERN)
    assert got.mimetype == "application/octet-stream"
    assert got.headers["Content-Disposition"] == "attachment; filename=fern.jpg"
    assert got.headers["Content-Length"] == str(SIZE)
    assert got.headers["Accept-Ranges"] == "bytes"
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert got.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert got.headers["Cache-Control"] == "private, no-cache"
    assert not got.headers["ETag"].startswith("W/")


@pytest.mark.parametrize(
    ("name", "quoted"),
    [
        ('a"b.txt', r'filename="a\"b.txt"'),
        ("../../etc/passwd", "filename=.._.._etc_passwd"),
        ("c:\\new.txt", 'filename="c:_new.txt"'),
        ("two\nlines", 'filename="two lines"'),
        ("Bär.txt", "filename=Bar.txt; filename*=UTF-8''B%C3%A4r.txt"),
        ("ab\u202etxt.exe", "filename=abtxt.exe"),
        ("日本", "filename=file; filename*=UTF-8''%E6%97%A5%E6%9C%AC"),
        ("报告.pdf", "filename=file.pdf; filename*=UTF-8''%E6%8A%A5%E5%91%8A.pdf"),
        ("..", "filename=file"),
        ("日本.tar.gz", "filename=file.tar.gz; filename*=UTF-8''%E6%97%A5%E6%9C%AC.tar.gz"),
        ("报告 2.pdf", "filename=2.pdf; filename*=UTF-8''%E6%8A%A5%E5%91%8A%202.pdf"),
        ("a.日本", "filename=a; filename*=UTF-8''a.%E6%97%A5%E6%9C%AC"),
        ("Straße.txt", "filename=Strasse.txt; filename*=UTF-8''Stra%C3%9Fe.txt"),
        ("Ł\u2014ø.txt", "filename=L-o.txt; filename*=UTF-8''%C5%81%E2%80%94%C3%B8.txt"),
        (".日本", "filename=file; filename*=UTF-8''.%E6%97%A5%E6%9C%AC"),
        ("x; filename*=y", 'filename="x; filename*=y"'),
    ],
)
def test_quotes_any_name_safely(attach: Attach, bob: Client, name: str, quoted: str) -> None:
    # Where the test client would break the part's header, the name goes as RFC 8187 has it.
    made = attach(name=name.replace("\\", "\\\\").replace("\n", "%0A").replace('"', "%22"))
    if "\n" in name:
        made = attach_extended(bob, made.headers["Location"].rpartition("/")[0], name)
    got = download(bob, made.headers["Location"])

    assert made.get_json()["name"] == name.replace("\n", " ")
    assert got.headers["Content-Disposition"] == f"attachment; {quoted}"


def attach_extended(client: Client, url: str, name: str) -> TestResponse:
    quoted = name.replace("\n", "%0A")
    part = f"Content-Disposition: form-data; name=file; filename*=UTF-8''{quoted}\r\n\r\nx"
    body = f"--edge\r\n{part}\r\n--edge--\r\n".encode()
    return client.post(url, data=body, content_type="multipart/form-data; boundary=edge")


def test_head_says_the_same_without_the_bytes(alice: Client, bobs: str) -> None:
    got, head = download(alice, bobs), alice.head(bobs, headers={"Range": "bytes=0-1"})

    assert (head.status_code, head.data) == (200, b"")
    for name in ("Content-Length", "Content-Disposition", "ETag", "Accept-Ranges"):
        assert head.headers[name] == got.headers[name]


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=5-99", 5, 100),
        ("bytes=1000-", 1000, SIZE),
        ("bytes=1000-999999", 1000, SIZE),
        ("bytes=-10", SIZE - 10, SIZE),
        (f"bytes=-{SIZE}", 0, SIZE),
        ("bytes=-999999", 0, SIZE),
    ],
)
def test_gives_a_range(alice: Client, bobs: str, asked: str, start: int, end: int) -> None:
    got = download(alice, bobs, Range=asked)

    assert (got.status_code, got.data) == (206, FERN[start:end])
    assert got.headers["Content-Range"] == f"bytes {start}-{end - 1}/{SIZE}"
    assert got.headers["Content-Length"] == str(end - start)


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", f"bytes={10**17}-", "bytes=5-2", "bytes=-0"])
def test_a_range_outside_is_416(alice: Client, bobs: str, asked: str) -> None:
    got = download(alice, bobs, Range=asked)

    assert refused(got) == (416, "range-not-satisfiable")
    assert got.headers["Content-Range"] == f"bytes */{SIZE}"


@pytest.mark.parametrize(
    "asked", ["lines=1-2", "bytes=0-1,4-5", "bytes", "bytes=x-", f"bytes={'9' * 5000}-"]
)
def test_a_range_it_cannot_serve_is_ignored(alice: Client, bobs: str, asked: str) -> None:
    got = download(alice, bobs, Range=asked)

    assert (got.status_code, got.data) == (200, FERN)


def test_an_empty_file_has_no_ranges(attach: Attach, bob: Client) -> None:
    got = download(bob, attach(b"").headers["Location"], Range="bytes=0-9")

    assert (got.status_code, got.data) == (200, b"")


def test_a_client_that_has_it_gets_304(alice: Client, bobs: str) -> None:
    tag = download(alice, bobs).headers["ETag"]

    for have in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        got = download(alice, bobs, If_None_Match=have, Range="bytes=0-9")
        assert (got.status_code, got.data) == (304, b"")
    assert download(alice, bobs, If_None_Match='"other"').status_code == 200


def test_a_download_goes_on_only_if_it_is_the_same(alice: Client, bobs: str) -> None:
    tag = download(alice, bobs).headers["ETag"]

    same = download(alice, bobs, Range="bytes=10-", If_Range=tag)
    assert (same.status_code, same.data) == (206, FERN[10:])
    for other in ('"other"', f"W/{tag}"):
        got = download(alice, bobs, Range="bytes=10-", If_Range=other)
        assert (got.status_code, got.data) == (200, FERN)
    assert download(alice, bobs, Range="bytes=10-", If_Match=tag).status_code == 206
    stale = download(alice, bobs, Range="bytes=10-", If_Match='"other"')
    assert refused(stale) == (412, "precondition-failed")


def test_hides_other_peoples_files(
    alice: Client, charlie: Client, anonymous: Client, bobs: str, task: Json
) -> None:
    elsewhere = f"/api/v1/tasks/{task['id']}/attachments/{bobs.rpartition('/')[2]}"

    assert refused(charlie.get(bobs)) == (404, "not-found")
    assert refused(alice.get(elsewhere)) == (404, "not-found")
    assert refused(anonymous.get(bobs)) == (401, "unauthorized")


def test_a_file_that_is_deleted_while_it_is_looked_up_is_404(
    bob: Client, bobs: str, folder: Path
) -> None:
    for file in folder.glob("*"):
        file.unlink()

    assert refused(bob.get(bobs)) == (404, "not-found")
