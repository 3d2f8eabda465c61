"""Two ways to handle a request, the fast worker's and gunicorn's: nobody can tell them apart"""

from __future__ import annotations

import logging
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from gunicorn.config import Config

from taskapp.server import client_socket
from taskapp.server.worker import FastWorker, Worker

Application = Callable[[dict[str, Any], Callable[..., Any]], Any]
HOST = "Host: x.example\r\n"
GET = f"GET /api/v1/tasks?limit=2 HTTP/1.1\r\n{HOST}"
POST = f"POST /api/v1/tasks HTTP/1.1\r\n{HOST}Content-Type: application/json\r\n"
MANY_FIELDS = "".join(f"X-{number}: 1\r\n" for number in range(70))
# Each of these the fast worker answers by itself.
SHORT = [
    f"{GET}\r\n",
    f"{GET}Accept:*/*\r\nX-Empty:\r\nX-Space: \t a b \t\r\nX-Latin: \xfc\xff\r\n\r\n",
    f"GET /a%20b%2Fc%C3%BC?q=%zz&q=? HTTP/1.1\r\n{HOST}\r\n",
    "DELETE /x HTTP/1.1\r\nCONTENT-LENGTH: 0\r\n\r\n",
    f"{POST}Content-Length: 2\r\n\r\n{{}}",
    f"PATCH /x HTTP/1.1\r\n{HOST}Content-Length: 0002\r\nConnection: keep-alive\r\n\r\n{{}}",
    f"PUT /x HTTP/1.1\r\n{HOST}Content-Length: 3\r\nX-Forwarded-Proto: https\r\n\r\nabc",
    f"{POST}Content-Length: 60000\r\n\r\n{'x' * 60_000}",
]
# And each of these it leaves to gunicorn, which refuses many of them.
ODD = [
    "",
    "\r\n\r\n",
    f"\r\n{GET}\r\n",
    "GET / HTTP/1.1\r\nHost: cut",
    f"{GET}no colon\r\n\r\n",
    f"GET / HTTP/1.0\r\n{HOST}\r\n",
    f"GET / HTTP/2.0\r\n{HOST}\r\n",
    f"HEAD / HTTP/1.1\r\n{HOST}\r\n",
    f"OPTIONS * HTTP/1.1\r\n{HOST}\r\n",
    f"get / HTTP/1.1\r\n{HOST}\r\n",
    f"GET //x.example/a HTTP/1.1\r\n{HOST}\r\n",
    f"GET http://x.example/a HTTP/1.1\r\n{HOST}\r\n",
    f"GET /a#b HTTP/1.1\r\n{HOST}\r\n",
    f"GET /\xfc HTTP/1.1\r\n{HOST}\r\n",
    f"GET /a b HTTP/1.1\r\n{HOST}\r\n",
    f"GET / HTTP/1.1\n{HOST}\r\n",
    f"{GET}X-A: 1\nX-B: 2\r\n\r\n",
    f"{GET}X-A: 1\r\n folded\r\n\r\n",
    f"{GET}X-A : 1\r\n\r\n",
    f"{GET}X_A: 1\r\n\r\n",
    f"{GET}X-A: \x00\r\n\r\n",
    f"{GET}X-A: \x7f\r\n\r\n",
    f"{GET}X-A: 1\r\nx-a: 2\r\n\r\n",
    f"{GET}{HOST}\r\n",
    f"{GET}Expect: 100-continue\r\n\r\n",
    f"{GET}Expect: something\r\n\r\n",
    f"{GET}X: {'x' * 9000}\r\n\r\n",
    f"{GET}{MANY_FIELDS}\r\n",
    f"GET /{'x' * 9000} HTTP/1.1\r\n{HOST}\r\n",
    f"{POST}Content-Length: 3\r\n\r\nabcde",
    f"{POST}Content-Length: 2\r\n\r\n{{}}{GET}\r\n",
    f"{POST}\r\n{{}}",
    f"{POST}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{{}}",
    f"{POST}Content-Length: -2\r\n\r\n{{}}",
    f"{POST}Content-Length: +2\r\n\r\n{{}}",
    f"{POST}Content-Length: 0x2\r\n\r\n{{}}",
    f"{POST}Content-Length: \xb2\r\n\r\n{{}}",
    f"{POST}Content-Length: 2, 2\r\n\r\n{{}}",
    f"{POST}Content-Length: 99999999999999999999\r\n\r\n{{}}",
    f"{POST}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n",
    f"{POST}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n",
    f"{POST}Transfer-Encoding: chunked\r\n\r\nzz\r\n{{}}\r\n0\r\n\r\n",
    f"{POST}Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n",
    f"{POST}Transfer-Encoding: identity\r\n\r\n{{}}",
    f"{POST}Transfer_Encoding: chunked\r\n\r\n{{}}",
]
# What gunicorn offers to applications that use its socket, and what differs from run to run.
OWN = {"gunicorn.socket", "wsgi.early_hints", "wsgi.errors", "wsgi.input", "taskapp.progress"}
PORTS = {"SERVER_PORT", "REMOTE_PORT"}
CHANGING = re.compile(rb'(Date|X-Request-ID): [^\r]*\r\n|"request_id":"\w+"')


def echo(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    assert all(environ[name].isdecimal() for name in PORTS)
    told = {name: value for name, value in environ.items() if name not in OWN | PORTS}
    body = environ["wsgi.input"].read()
    answer = f"{sorted(told.items())} {len(body)} {body[:100]!r}".encode()
    start_response("200 OK", [("Content-Length", str(len(answer))), ("X-Own", "yes")])
    return [answer]


class Log(logging.Logger):
    def access(self, *_: Any) -> None: ...


class Service:
    """A worker of one kind on a port, and how many requests it left to gunicorn."""

    def __init__(self, kind: type[Worker], application: Application, listener: socket.socket):
        config = Config()
        for name, value in {
            "limit_request_line": 8190,
            "limit_request_fields": 64,
            "limit_request_field_size": 8190,
            "forwarded_allow_ips": "",
            "sendfile": False,
        }.items():
            config.set(name, value)

        class Application:
            def wsgi(self) -> Any:
                return application

        log = Log("gunicorn.error")
        self.listener = listener
        self.worker = kind(0, os.getppid(), [listener], Application(), 60, config, log)
        self.worker.load_wsgi()
        self.left_to_gunicorn = 0
        handle_request = self.worker.handle_request

        def counted(*arguments: Any) -> Any:
            self.left_to_gunicorn += 1
            return handle_request(*arguments)

        self.worker.handle_request = counted

    def exchange(self, *pieces: bytes) -> bytes:
        """What one client gets that sends this, piece by piece, and then nothing more."""
        with socket.create_connection(self.listener.getsockname(), timeout=20) as client:
            client.sendall(pieces[0])
            serving = threading.Thread(target=self.worker.accept, args=(self.listener,))
            serving.start()
            for piece in pieces[1:]:
                time.sleep(0.02)
                client.sendall(piece)
            client.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: client.recv(65536), b""))
            serving.join()
        return answer


Serve = Callable[[type[Worker], Application], Service]


@pytest.fixture
def serve() -> Iterator[Serve]:
    services: list[Service] = []

    def start(kind: type[Worker], application: Application) -> Service:
        listener = socket.create_server(("127.0.0.1", 0))
        services.append(Service(kind, application, listener))
        return services[-1]

    yield start
    for service in services:
        service.listener.close()
        service.worker.tmp.close()


def alike(answer: bytes) -> bytes:
    return CHANGING.sub(b"", answer)


@pytest.mark.parametrize("request_text", SHORT, ids=lambda text: repr(text[:40]))
def test_a_short_request_is_read_as_gunicorn_reads_it(serve: Serve, request_text: str) -> None:
    fast, stock = serve(FastWorker, echo), serve(Worker, echo)
    sent = request_text.encode("latin-1")

    answer = fast.exchange(sent)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert alike(answer) == alike(stock.exchange(sent))
    assert (fast.left_to_gunicorn, stock.left_to_gunicorn) == (0, 1)


@pytest.mark.parametrize("request_text", ODD, ids=lambda text: repr(text[:70]))
def test_whatever_is_odd_is_left_to_gunicorn(serve: Serve, request_text: str) -> None:
    fast, stock = serve(FastWorker, echo), serve(Worker, echo)
    sent = request_text.encode("latin-1")
    if not sent:
        assert fast.exchange(sent) == stock.exchange(sent) == b""
        return

    answer = fast.exchange(sent)
    assert alike(answer) == alike(stock.exchange(sent))
    assert fast.left_to_gunicorn == stock.left_to_gunicorn


@pytest.mark.parametrize(("length", "sent"), [(5, 3), (70_000, 70_000), (70_000, 69_999)])
def test_a_body_is_received_when_it_is_read(serve: Serve, length: int, sent: int) -> None:
    """A long one, and one that breaks off, which is short for both."""
    request = f"{POST}Content-Length: {length}\r\n\r\n{'x' * sent}".encode()
    fast, stock = serve(FastWorker, echo), serve(Worker, echo)

    assert alike(fast.exchange(request)) == alike(stock.exchange(request))
    assert fast.left_to_gunicorn == 0


@pytest.mark.parametrize("kind", [FastWorker, Worker])
@pytest.mark.parametrize("length", [3000, 90_000])
def test_who_is_refused_by_the_head_need_not_send_the_body(
    serve: Serve, kind: type[Worker], length: int
) -> None:
    refusal = answering("413 Content Too Large", ("Content-Length", "2"), parts=lambda: [b"no"])
    service = serve(kind, refusal)
    with socket.create_connection(service.listener.getsockname(), timeout=20) as client:
        client.sendall(f"{POST}Content-Length: {length}\r\n\r\n".encode())
        began = time.monotonic()
        serving = threading.Thread(target=service.worker.accept, args=(service.listener,))
        serving.start()
        answer = client.recv(65536)
        assert time.monotonic() - began < client_socket.PATIENCE / 2
        client.sendall(b"x" * length)  # it is on its way already: no reset may take the answer
        answer += b"".join(iter(lambda: client.recv(65536), b""))
    serving.join()

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert answer.endswith(b"no")


@pytest.mark.parametrize("cuts", [(10,), (len(POST) - 5,), (len(POST) + 30,), (10, 20, 60, 90)])
def test_a_request_may_come_in_pieces(serve: Serve, cuts: tuple[int, ...]) -> None:
    sent = f"{POST}Content-Length: 40\r\n\r\n{'x' * 40}".encode()
    ends = [0, *cuts, len(sent)]
    pieces = [sent[start:end] for start, end in pairwise(ends)]
    fast, stock = serve(FastWorker, echo), serve(Worker, echo)

    assert alike(fast.exchange(*pieces)) == alike(stock.exchange(*pieces))


def answering(status: str, *headers: tuple[str, str], parts: Any) -> Application:
    def application(_: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        start_response(status, list(headers))
        return parts()

    return application


class Parts:
    """A body that knows whether it was closed."""

    closed = 0

    def __init__(self, *parts: bytes) -> None:
        self.parts = parts

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.parts)

    def close(self) -> None:
        Parts.closed += 1


@pytest.mark.parametrize(
    "application",
    [
        answering("304 Not Modified", ("ETag", '"a"'), parts=tuple),
        answering("204 No Content", parts=tuple),
        answering("204 No Content", ("Content-Length", "0"), parts=tuple),
        answering("200 OK", ("Content-Length", "0"), parts=lambda: [b""]),
        answering("200 OK", ("Content-Length", "6"), parts=lambda: [b"abc", b"def"]),
        answering("200 OK", ("Content-Length", "4"), parts=lambda: [b"abc", b"def"]),
        answering("200 OK", ("Content-Length", "300000"), parts=lambda: [b"x" * 300_000]),
        answering("200 OK", parts=lambda: iter([b"abc", b"", b"def"])),
        answering("200 OK", ("X-Latin", "\xfc"), ("Content-Length", "1"), parts=lambda: [b"a"]),
    ],
    ids=["304", "204", "204 of 0", "empty", "parts", "too much", "long", "stream", "latin"],
)
def test_an_answer_leaves_as_gunicorn_sends_it(serve: Serve, application: Application) -> None:
    fast, stock = serve(FastWorker, application), serve(Worker, application)
    sent = f"{GET}\r\n".encode()

    assert alike(fast.exchange(sent)) == alike(stock.exchange(sent))


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: b=c", "a\nb", "a\rb", "a\0b", "a\x7f", "€"])
@pytest.mark.parametrize("kind", [FastWorker, Worker])
def test_no_field_of_an_answer_can_begin_another(
    serve: Serve, kind: type[Worker], value: str
) -> None:
    service = serve(
        kind, answering("200 OK", ("X-Own", value), ("Content-Length", "1"), parts=lambda: [b"a"])
    )
    answer = service.exchange(f"{GET}\r\n".encode())

    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"Set-Cookie" not in answer
    assert b"X-Own" not in answer


@pytest.mark.parametrize("kind", [FastWorker, Worker])
def test_an_application_that_fails_is_a_500_and_its_body_is_closed(
    serve: Serve, kind: type[Worker]
) -> None:
    def broken() -> Any:
        raise RuntimeError("it broke")

    service = serve(kind, answering("200 OK", ("Content-Length", "1"), parts=broken))
    answer = service.exchange(f"{GET}\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"internal-error" in answer
    assert b"it broke" not in answer

    closed = Parts.closed
    whole = answering("200 OK", ("Content-Length", "1"), parts=lambda: Parts(b"a"))
    assert serve(kind, whole).exchange(f"{GET}\r\n".encode()).endswith(b"\r\n\r\na")
    stream = answering("200 OK", parts=lambda: Parts(b"a", b"b"))
    assert b"1\r\nb\r\n0\r\n" in serve(kind, stream).exchange(f"{GET}\r\n".encode())
    assert Parts.closed == closed + 2


@pytest.mark.parametrize("kind", [FastWorker, Worker])
def test_a_stream_that_fails_half_way_is_seen_to_be_cut(serve: Serve, kind: type[Worker]) -> None:
    def half() -> Iterator[bytes]:
        yield b"abc"
        raise RuntimeError("it broke")

    answer = serve(kind, answering("200 OK", parts=half)).exchange(f"{GET}\r\n".encode())

    assert answer.endswith(b"3\r\nabc\r\n")


@pytest.mark.parametrize("kind", [FastWorker, Worker])
def test_a_worker_ends_after_as_many_requests_as_it_may(serve: Serve, kind: type[Worker]) -> None:
    service = serve(kind, echo)
    service.worker.max_requests = 2
    alive = []
    for _ in range(2):
        service.exchange(f"{GET}\r\n".encode())
        alive.append(service.worker.alive)

    assert alive == [True, False]


@pytest.mark.parametrize("kind", [FastWorker, Worker])
def test_a_client_that_does_not_read_is_given_up(
    serve: Serve, kind: type[Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_socket, "PATIENCE", 0.2)
    monkeypatch.setattr(client_socket, "LAST_WORD", 0.1)
    size = 20_000_000
    long = answering("200 OK", ("Content-Length", str(size)), parts=lambda: [bytes(size)])
    service = serve(kind, long)
    with socket.create_connection(service.listener.getsockname()) as client:
        client.sendall(f"{GET}\r\n".encode())
        began = time.monotonic()
        service.worker.accept(service.listener)

    assert time.monotonic() - began < 5


@pytest.mark.parametrize("kind", [Worker, FastWorker])
def test_the_path_below_which_it_is_served_is_left_to_the_application(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, kind: type[Worker]
) -> None:
    monkeypatch.setenv("SCRIPT_NAME", "/team")
    service = serve(kind, echo)

    assert b"PATH_INFO', '/api/v1/tasks'" in service.exchange(f"{GET}\r\n".encode())
