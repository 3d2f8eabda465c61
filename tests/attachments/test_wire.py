"""POST /api/v1/tasks/{task_id}/attachments, through gunicorn's own socket"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import servers

FORM = b"""--edge\r
Content-Disposition: form-data; name="file"; filename="a"\r
\r
hello\r
--edge--\r
"""
MOST = 64 * 1024
Send = Callable[[str, bytes], bytes]


@pytest.fixture(scope="module", params=["1", "0"], ids=["fast", "plain"])
def send(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Send]:
    """Send a raw body, stop sending, and read the answer's status line and code."""
    folder = str(tmp_path_factory.mktemp("wire"))
    settings = {"TASKAPP_INSTANCE": folder, "MAX_ATTACHMENT_BYTES": str(MOST)}
    settings["FAST"] = request.param
    servers.migrate(**settings)
    with servers.gunicorn(**settings) as base:
        token = servers.sign_up(base, "alice@example.com")
        task = servers.ask(f"{base}/api/v1/tasks", {"title": "Fern"}, token=token)[2]
        lines = [
            f"POST /api/v1/tasks/{task['id']}/attachments HTTP/1.1",
            "Host: localhost",
            f"Authorization: Bearer {token}",
            "Content-Type: multipart/form-data; boundary=edge",
        ]

        def exchange(header: str, body: bytes) -> bytes:
            head = "\r\n".join([*lines, header, "", ""]).encode()
            with socket.create_connection(("127.0.0.1", int(base.rpartition(":")[2]))) as client:
                client.settimeout(20)
                client.sendall(head + body)
                client.shutdown(socket.SHUT_WR)
                return b"".join(iter(lambda: client.recv(65536), b""))

        yield exchange
    assert not list(Path(folder, "attachments").glob("tmp*"))


def chunk(part: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(part), part)


def test_takes_a_body_in_chunks(send: Send) -> None:
    body = chunk(FORM[:50]) + chunk(FORM[50:]) + chunk(b"")

    assert b" 201 " in send("Transfer-Encoding: chunked", body)


@pytest.mark.parametrize(
    ("header", "body"),
    [
        (f"Content-Length: {len(FORM)}", FORM[:-20]),
        (f"Content-Length: {len(FORM) + 9}", FORM),
        ("Transfer-Encoding: chunked", chunk(FORM[:50])),
        ("Transfer-Encoding: chunked", chunk(FORM)),
        ("Transfer-Encoding: chunked", chunk(FORM[:50]) + b"zz\r\nxx\r\n"),
        ("Content-Length: 0", b""),
    ],
    ids=["short", "short after the end", "cut", "no last chunk", "bad chunk", "empty"],
)
def test_refuses_a_body_that_breaks_off(send: Send, header: str, body: bytes) -> None:
    answer = send(header, body)

    assert b" 400 " in answer.splitlines()[0]
    assert b"malformed-request" in answer


def test_refuses_chunks_past_the_limit(send: Send) -> None:
    large = FORM.replace(b"hello", bytes(MOST + 1))

    assert b" 413 " in send("Transfer-Encoding: chunked", chunk(large) + chunk(b""))
    assert b" 201 " in send(f"Content-Length: {len(large) - 1}", large.replace(b"\0", b"", 1))
