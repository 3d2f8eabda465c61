"""Load on a server: as fast as it answers, or at a fixed rate, from one process on epoll.

Why our own: the load has to come with Python and make alone, on a connection that a sync worker
closes after each answer and an event loop keeps, and with an open loop whose latencies count from
the moment a request was *due* (otherwise a stalled server delays its own measurement: "coordinated
omission"). No generator on PyPI does this at a tenth of the servers' own cost; wrk and hey are no
Python packages. What it uses itself is not counted: CPU is read from the server's processes.
"""

from __future__ import annotations

import gc
import select
import socket
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

Raw = bytes  # one whole HTTP/1.1 request


@dataclass
class Load:
    """What came back: how many answers in how long, and each latency in seconds."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds

    def percentile(self, part: float) -> float:
        """In milliseconds."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * part))] * 1e3


def request(
    method: str, path: str, token: str = "", body: bytes = b"", *more: tuple[str, str]
) -> Raw:
    lines = [f"{method} {path} HTTP/1.1", "Host: bench", "Accept: application/json"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in more]
    return "\r\n".join([*lines, "", ""]).encode() + body


def closing(raw: Raw) -> Raw:
    """The same request, which asks the server to close the connection after its answer."""
    head, rest = raw.split(b"\r\n", maxsplit=1)
    return b"\r\n".join([head, b"Connection: close", rest])


class Connection:
    """One connection, used again for as long as the server leaves it open."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.socket: socket.socket | None = None
        self.answer = b""
        self.due = 0.0

    def send(self, raw: Raw, due: float) -> int:
        self.answer, self.due = b"", due
        if self.socket is not None:
            try:
                self.socket.sendall(raw)
            except OSError:  # it was closed while it lay idle
                self.socket.close()
                self.socket = None
        if self.socket is None:
            self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=30)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket.sendall(raw)
        return self.socket.fileno()

    def receive(self) -> int | None:
        """The status of the whole answer, or None while some of it is missing."""
        if self.socket is None:
            raise ConnectionError("nothing was asked")
        part = self.socket.recv(1 << 18)
        self.answer += part
        head, found, body = self.answer.partition(b"\r\n\r\n")
        if not found and not part:
            raise ConnectionError("the server closed the connection without an answer")
        lowered = head.lower()
        status, length = int(head[9:12] or 0), _length(lowered)
        if not found or (len(body) < length and part):
            return None
        if len(body) != length:
            raise ConnectionError(f"{len(body)} bytes of {length} arrived")
        if b"connection: close" in lowered:
            self.close()
        return status

    def close(self) -> None:
        if self.socket is not None:
            self.socket.close()
            self.socket = None


def _length(head: bytes) -> int:
    start = head.find(b"content-length:")
    if start < 0:
        if b"transfer-encoding" in head:
            raise ConnectionError("chunked answers are not measured here")
        return 0
    return int(head[start + 15 : head.find(b"\r", start) if head.find(b"\r", start) > 0 else None])


def closed_loop(port: int, requests: Iterator[Raw], seconds: float, connections: int) -> Load:
    """Each connection asks again as soon as it is answered."""
    return _run(port, requests, seconds, connections, rate=None)


def open_loop(port: int, requests: Iterator[Raw], seconds: float, rate: float) -> Load:
    """`rate` requests a second whether or not the server keeps up; late ones wait, which counts."""
    return _run(port, requests, seconds, connections=64, rate=rate)


def _run(
    port: int, requests: Iterator[Raw], seconds: float, connections: int, rate: float | None
) -> Load:
    load, poll = Load(), select.epoll()
    idle = deque(Connection(port) for _ in range(connections))
    busy: dict[int, Connection] = {}
    gc.disable()
    began = time.perf_counter()
    sent, end = 0, began + seconds
    try:
        while True:
            now = time.perf_counter()
            while idle and now < end:
                due = now if rate is None else began + sent / rate
                if due > now:
                    break
                connection = idle.popleft()
                number = connection.send(next(requests), due)
                busy[number] = connection
                poll.register(number, select.EPOLLIN)
                sent += 1
            if not busy and now >= end:
                break
            _collect(poll, busy, idle, load, _patience(began, sent, rate, now))
    finally:
        gc.enable()
        poll.close()
        for connection in (*idle, *busy.values()):
            connection.close()
    load.seconds = time.perf_counter() - began
    return load


def _patience(began: float, sent: int, rate: float | None, now: float) -> float:
    """Seconds until the next request is due."""
    return 1.0 if rate is None else max(0.0, min(1.0, began + sent / rate - now))


def _collect(
    poll: select.epoll,
    busy: dict[int, Connection],
    idle: deque[Connection],
    load: Load,
    patience: float,
) -> None:
    for number, _ in poll.poll(patience):
        connection = busy[number]
        status = connection.receive()
        if status is None:
            continue
        load.latencies.append(time.perf_counter() - connection.due)
        load.statuses[status] = load.statuses.get(status, 0) + 1
        del busy[number]
        if connection.socket is not None:
            poll.unregister(number)
        idle.append(connection)
