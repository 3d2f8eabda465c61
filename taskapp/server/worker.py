"""The worker: gunicorn's own for one request at a time, and a limit on what a client may hold."""

import os
import socket
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import orjson
from gunicorn import util
from gunicorn.http import errors as http
from gunicorn.workers import base
from gunicorn.workers.sync import SyncWorker

from taskapp.errors import InternalError, MalformedRequest, Refusal, described
from taskapp.server import short_requests
from taskapp.server.client_socket import PATIENCE, ClientSocket
from taskapp.server.short_requests import Answer, Reader
from taskapp.web import memory

CHECK_PARENT_EVERY = 1.0  # seconds; workers of a master that was killed keep its port
NOTIFY_EVERY = 0.25  # seconds
# What gunicorn cannot read is a 400, but for these.
STATUSES = {
    http.LimitRequestLine: (414, "URI Too Long"),
    http.LimitRequestHeaders: (431, "Request Header Fields Too Large"),
    http.ExpectationFailed: (417, "Expectation Failed"),
    http.ForbiddenProxyRequest: (403, "Forbidden"),
}
HEAD = """HTTP/1.1 {} {}\r
Date: {}\r
Connection: close\r
X-Request-ID: {}\r
Content-Type: application/problem+json\r
Cache-Control: no-store\r
X-Content-Type-Options: nosniff\r
Content-Security-Policy: default-src 'none'; frame-ancestors 'none'; base-uri 'none'\r
Referrer-Policy: no-referrer\r
Content-Length: {}\r
\r
"""
OUR_FAULT = (http.InvalidResponseHeader, http.InvalidResponseHeaderName, http.ConfigurationProblem)


class Heartbeat:
    """A worker's sign of life, in memory: gunicorn's own is a file, and a full disk has no room."""

    def __init__(self, _: Any) -> None:
        self._file = os.memfd_create("taskapp-heartbeat", os.MFD_CLOEXEC)

    def notify(self) -> None:
        now = time.monotonic()
        os.utime(self._file, (now, now))

    def last_update(self) -> float:
        return os.fstat(self._file).st_mtime

    def fileno(self) -> int:
        return self._file

    def close(self) -> None:
        os.close(self._file)


if hasattr(os, "memfd_create"):  # Linux
    base.WorkerTmp = Heartbeat  # the only way in: the base class makes its file by itself


class Worker(SyncWorker):  # type: ignore[misc]  # gunicorn has no types
    """One request at a time, from a client that sends it and takes its answer in time.

    `FAST=0` chooses this one, which leaves reading and writing to gunicorn.
    """

    notified_at = 0.0
    application: Callable[..., Any]

    def init_process(self) -> None:
        for listener in self.sockets:
            _wait_for_data(listener.sock)
        super().init_process()

    def load_wsgi(self) -> None:
        """Give each request a way to say that it makes progress.

        SCRIPT_NAME is the application's to read: gunicorn would refuse what does not begin with it.
        """
        os.environ.pop("SCRIPT_NAME", None)
        super().load_wsgi()
        application = self.application = self.app.wsgi()

        def with_progress(variables: dict[str, Any], start_response: Any) -> Any:
            variables["taskapp.progress"] = self.notify
            return application(variables, start_response)

        self.wsgi = with_progress

    def accept(self, listener: Any) -> None:
        # `accept` would make a socket of it, and so would we of that.
        descriptor, address = listener._accept()
        client = ClientSocket(listener.family, descriptor, self.notify)
        self.handle(listener, client, address)
        memory.give_back()

    def wait(self, timeout: float) -> Any:
        """Look often whether the master is still there."""
        return super().wait(min(timeout, CHECK_PARENT_EVERY))

    def notify(self) -> None:
        """Tell the master that there is progress, and look whether it is there; now and then.

        Before each request, too: under load a worker never waits, and would never look.
        """
        now = time.monotonic()
        if now - self.notified_at > NOTIFY_EVERY:
            self.notified_at = now
            super().notify()
            if os.getppid() != self.ppid:
                self.alive = False

    def handle_error(self, _req: Any, client: ClientSocket, address: Any, error: Any) -> None:
        """Refuse what gunicorn itself cannot read as everything else is refused.

        The log has the kind of the error, not its text: that may quote a token.
        """
        request_id = uuid4().hex
        fields = {"request_id": request_id, "address": address[0] if address else ""}
        if isinstance(error, http.ParseException) and not isinstance(error, OUR_FAULT):
            status, reason = STATUSES.get(type(error), (400, "Bad Request"))
            refusal: Refusal = MalformedRequest()
            fields["reason"] = type(error).__name__
            self.log.warning("malformed request", extra={"fields": fields})
        else:
            status, reason = 500, "Internal Server Error"
            refusal = InternalError()
            self.log.error("unhandled exception", exc_info=error, extra={"fields": fields})
        body = orjson.dumps(described(refusal, status, request_id))
        head = HEAD.format(status, reason, util.http_date(), request_id, len(body))
        try:
            client.sendall(head.encode() + body)
        except OSError:
            self.log.debug("the client is gone")


class FastWorker(Worker):
    """Handles short requests itself, and leaves every other to gunicorn, bytes and all."""

    def load_wsgi(self) -> None:
        super().load_wsgi()
        is_plain = short_requests.are_plain(self.cfg)
        self.readers: dict[Any, Reader] = {}
        for listener in self.sockets if is_plain else ():
            server = listener.getsockname()
            if isinstance(server, tuple):  # not a socket in the file system
                more = {"taskapp.progress": self.notify}
                self.readers[listener] = Reader(self.cfg, server, more)

    def handle(self, listener: Any, client: ClientSocket, address: Any) -> None:
        reader = self.readers.get(listener)
        variables = reader.read(client, address) if reader else None
        if variables is None:
            super().handle(listener, client, address)
        else:
            self.answer(variables, client, address)

    def answer(self, variables: dict[str, Any], client: ClientSocket, address: Any) -> None:
        """As gunicorn's own `handle` and `handle_request`, for a request that was read."""
        answer = Answer(client, variables["REQUEST_METHOD"], self.cfg)
        self.nr += 1
        if self.nr >= self.max_requests:
            self.log.info("Autorestarting worker after current request.")
            self.alive = False
        try:
            parts = self.application(variables, answer.start_response)
            try:
                answer.send(parts)
            finally:
                if hasattr(parts, "close"):  # PEP 3333
                    parts.close()
        except OSError as error:
            self.log.debug("the client is gone: %s", error)
        except BaseException as error:  # SystemExit, too: the master has lost its patience
            if answer.begun:
                self.log.exception("Error handling request")
            else:
                self.handle_error(None, client, address, error)
        finally:
            client.close_plainly()


def _wait_for_data(listener: socket.socket) -> None:
    """Leave clients that connect and say nothing to the kernel (tcp(7), TCP_DEFER_ACCEPT)."""
    option = getattr(socket, "TCP_DEFER_ACCEPT", None)  # Linux
    if option is not None and listener.family != socket.AF_UNIX:
        listener.setsockopt(socket.IPPROTO_TCP, option, int(PATIENCE))
