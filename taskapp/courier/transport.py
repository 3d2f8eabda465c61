"""One POST to a webhook's target: its name is resolved, judged, and used as it was judged.

No redirects, no proxy of the environment, no cookies; 15 seconds in all.
"""

import http.client
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any

from taskapp.database.session import now
from taskapp.extensions import settings
from taskapp.webhooks import addresses

DEADLINE = 15.0  # seconds
MAX_ANSWER = 4096  # bytes that are read of an answer, to be polite, and are not kept
USER_AGENT = "taskapp-webhooks/1"


@dataclass(frozen=True)
class Answer:
    """What came of an attempt; `code` is None where there was no answer."""

    code: int | None
    seconds: float
    retry_after: float | None = None  # seconds

    @property
    def delivered(self) -> bool:
        return self.code is not None and 200 <= self.code < 300

    @property
    def gone(self) -> bool:
        return self.code == 410


def post(url: str, body: bytes, headers: dict[str, str]) -> Answer:
    """Send once; whatever goes wrong is an answer without a code."""
    began = time.monotonic()
    try:
        response = _request(url, body, headers, began)
        code, retry_after = response.status, _seconds(response.getheader("Retry-After"))
    except (OSError, http.client.HTTPException, addresses.BadAddress, ValueError):
        return Answer(None, time.monotonic() - began)
    return Answer(code, time.monotonic() - began, retry_after)


def _request(
    url: str, body: bytes, headers: dict[str, str], began: float
) -> http.client.HTTPResponse:
    networks = settings().webhook_networks
    parts = addresses.check(url, networks)
    host = str(parts.hostname)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    address = _within(DEADLINE, addresses.resolve, host, port, parts.scheme, networks)
    connection = _Pinned(host, port, address, secure=parts.scheme == "https")
    watchdog = threading.Timer(DEADLINE - (time.monotonic() - began), connection.abort)
    watchdog.start()  # the socket's own timeout counts per read
    try:
        path = parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
        connection.request("POST", path, body, {**headers, "User-Agent": USER_AGENT})
        response = connection.getresponse()
        response.read(MAX_ANSWER)
        return response
    finally:
        watchdog.cancel()
        connection.close()


class _Pinned(http.client.HTTPConnection):
    """Connects to the address that was judged; the name is for Host and the certificate."""

    def __init__(self, host: str, port: int, address: str, *, secure: bool) -> None:
        super().__init__(host, port, timeout=DEADLINE)
        self.address, self.secure = address, secure
        if secure:
            self.default_port = 443

    def connect(self) -> None:
        connected = socket.create_connection((self.address, self.port), self.timeout)
        if self.secure:
            connected = _tls().wrap_socket(connected, server_hostname=self.host)
        self.sock = connected

    def abort(self) -> None:
        if self.sock is not None:
            self.sock.shutdown(socket.SHUT_RDWR)


@cache
def _tls() -> ssl.SSLContext:
    """Made once: to read the system's certificates takes longer than a delivery."""
    return ssl.create_default_context()


def _within(seconds: float, function: Any, *arguments: Any) -> Any:
    """A function's result, if it comes in time: resolving a name has no timeout of its own."""
    results: list[Any] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(function(*arguments))
        except (OSError, ValueError) as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError("the name was not resolved in time")
    return results[0]


def _seconds(retry_after: str | None) -> float | None:
    """Retry-After in seconds (RFC 9110, section 10.2.3); None where it says nothing sensible."""
    if retry_after is None:
        return None
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after[:9])
    try:
        at = parsedate_to_datetime(retry_after)
        return max(0.0, (at - now()).total_seconds())
    except (TypeError, ValueError):
        return None
