"""Requests to the identity provider: bounded in time and bytes, without redirects or proxies."""

import http.client
import logging
import socket
import ssl
import threading
import time
from contextlib import suppress
from http import HTTPStatus
from typing import Any
from urllib.parse import SplitResult, urlencode, urlsplit

import orjson

from taskapp.errors import ProviderUnavailable, WrongCredentials

MOST_SECONDS = 3.0  # of all requests of one step together
MOST_BYTES = 256 * 1024
USER_AGENT = "taskapp/1"
PORTS = {"https": 443, "http": 80}
Document = dict[str, Any]
log = logging.getLogger(__name__)


class ProviderRefused(WrongCredentials):
    """The provider did not confirm this sign-in: begin it again."""


class Deadline:
    """What is left of the time for one step."""

    def __init__(self) -> None:
        self.ends = time.monotonic() + MOST_SECONDS

    def left(self) -> float:
        """Seconds that are left.

        Raises:
            TimeoutError: There are none.
        """
        seconds = self.ends - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("it took longer than three seconds")
        return seconds


def get(url: str, deadline: Deadline, token: str = "") -> Document:
    """The JSON object at an address; `token` goes with it as Bearer.

    Raises:
        ProviderUnavailable
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    status, document = _exchange("GET", url, deadline, None, headers)
    if status != HTTPStatus.OK:
        raise _unavailable(f"{url} answered {status}")
    return document


def post(url: str, deadline: Deadline, form: dict[str, str], headers: dict[str, str]) -> Document:
    """Send a form.

    Raises:
        ProviderUnavailable
        ProviderRefused: It answers 400 or 401 (RFC 6749, section 5.2).
    """
    body = urlencode(form).encode()
    sent = {**headers, "Content-Type": "application/x-www-form-urlencoded"}
    status, document = _exchange("POST", url, deadline, body, sent)
    if status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED}:
        log.warning("the identity provider refused: %s", document.get("error"))
        raise ProviderRefused
    if status != HTTPStatus.OK:
        raise _unavailable(f"{url} answered {status}")
    return document


def _exchange(
    method: str, url: str, deadline: Deadline, body: bytes | None, headers: dict[str, str]
) -> tuple[int, Document]:
    sent = {**headers, "Accept": "application/json", "User-Agent": USER_AGENT}
    try:
        parts = urlsplit(url)
        status, answer = _request(method, parts, deadline, body, sent)
        document = orjson.loads(answer)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _unavailable(f"{url}: {error}") from error
    if not isinstance(document, dict):
        raise _unavailable(f"{url} gave no JSON object")
    return status, document


def _request(
    method: str, parts: SplitResult, deadline: Deadline, body: bytes | None, headers: dict[str, str]
) -> tuple[int, bytes]:
    connection = _Connection(parts, deadline)
    watchdog = threading.Timer(deadline.left(), connection.abort)
    watchdog.daemon = True
    watchdog.start()  # the socket's own timeout counts per read
    try:
        target = parts._replace(scheme="", netloc="", fragment="").geturl()
        connection.request(method, target or "/", body, headers)
        response = connection.getresponse()
        answer = response.read(MOST_BYTES + 1)
    finally:
        watchdog.cancel()
        connection.close()
    deadline.left()
    if len(answer) > MOST_BYTES:
        raise ValueError("the answer is too long")
    return response.status, answer


class _Connection(http.client.HTTPConnection):
    """Connects to each address of the name in turn, all within the deadline."""

    def __init__(self, parts: SplitResult, deadline: Deadline) -> None:
        host = parts.hostname or ""
        default = PORTS[parts.scheme]
        super().__init__(host, parts.port or default)
        self.secure = parts.scheme == "https"
        self.default_port = default
        self.deadline = deadline

    def connect(self) -> None:
        connected = self._connected()
        if self.secure:
            context = ssl.create_default_context()
            # The handshake comes after, so that the watchdog can end it.
            wrapped = context.wrap_socket(
                connected, server_hostname=self.host, do_handshake_on_connect=False
            )
            self.sock = wrapped
            wrapped.do_handshake()
        else:
            self.sock = connected

    def _connected(self) -> socket.socket:
        failure: OSError | None = None
        for address in _addresses(self.host, self.port, self.deadline):
            try:
                return socket.create_connection(address, self.deadline.left())
            except OSError as error:
                failure = error
        raise failure or OSError("the name has no address")

    def abort(self) -> None:
        if self.sock is not None:
            with suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)


def _addresses(host: str, port: int, deadline: Deadline) -> list[tuple[str, int]]:
    """What a name resolves to; resolving has no timeout of its own."""
    entries: list[Any] = []

    def resolve() -> None:
        with suppress(OSError):
            entries.extend(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))

    thread = threading.Thread(target=resolve, daemon=True)
    thread.start()
    thread.join(deadline.left())
    if not entries:
        raise OSError("the name was not resolved")
    return [(str(entry[4][0]), port) for entry in entries]


def _unavailable(reason: str) -> ProviderUnavailable:
    log.warning("the identity provider cannot be used: %s", reason)
    return ProviderUnavailable()
