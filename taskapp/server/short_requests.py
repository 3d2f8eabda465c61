"""What nearly all clients send and get: a short request in one piece, a short answer.

Everything else is gunicorn's own affair, from the first byte on: a body in chunks, an expectation,
HEAD, a field that comes twice, whatever is malformed or long. What is read here, gunicorn reads
alike; where the two could differ it is left to gunicorn.
"""

import io
import re
import time
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, ClassVar
from urllib.parse import unquote_to_bytes

from gunicorn import SERVER, util
from gunicorn.config import Config
from gunicorn.http.body import Body, LengthReader
from gunicorn.http.errors import InvalidResponseHeader
from gunicorn.http.unreader import SocketUnreader
from gunicorn.http.wsgi import Response, base_environ

from taskapp.server.client_socket import ClientSocket

SHORT = 64 * 1024  # bytes
FIRST_LOOK = 16 * 1024  # bytes; a head and, nearly always, the whole body
TOKEN = "[!#$%&'*+.^`|~0-9A-Za-z-]+"  # noqa: S105 - RFC 9110, section 5.6.2, without "_"
# RFC 9112, sections 3 and 5; "//" and "#" in a target are for gunicorn to judge.
LINE = re.compile(r'(GET|POST|PUT|PATCH|DELETE) (/(?!/)[!"$-~]*) HTTP/1\.1')
FIELDS = re.compile(rf"(?:{TOKEN}:[\t -~\x80-\xff]*\r\n)+")
LENGTH = re.compile("[0-9]{1,5}")  # of something short
REMEMBERED = 2048  # bytes of fields
ODD_FIELDS = {"HTTP_TRANSFER_ENCODING", "HTTP_EXPECT"}
IN_A_HEAD = b"\t\r\n" + bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100))
BODILESS = ("204", "304")
Variables = dict[str, Any]


def are_plain(config: Config) -> bool:
    """Whether gunicorn is set up so that a short request means what it says here."""
    return not (
        config.is_ssl
        or config.proxy_protocol != "off"
        or config.forwarded_allow_ips
        or config.protocol != "http"
    )


@lru_cache(256)  # clients choose these names
def _variable(name: str) -> str:
    """The variable of a field (RFC 3875, section 4.1.18)."""
    name = name.upper().replace("-", "_")
    return name if name in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{name}"


class Reader:
    """Reads short requests that come to one listener."""

    def __init__(self, config: Config, server: tuple[Any, ...], more: Variables) -> None:
        line, field = config.limit_request_line, config.limit_request_field_size
        self.longest_head = min(line or SHORT, field or SHORT)
        self.most_fields = config.limit_request_fields
        self.same_for_all = {
            **base_environ(config),
            **more,
            "SERVER_PROTOCOL": "HTTP/1.1",
            "SERVER_NAME": server[0],
            "SERVER_PORT": str(server[1]),
            "SCRIPT_NAME": "",
            "wsgi.url_scheme": "http",
        }

    def read(self, client: ClientSocket, address: tuple[str, int]) -> Variables | None:
        """The WSGI variables of a request; None, with all bytes still to be read, if it is odd."""
        data = _received(client, FIRST_LOOK)
        end = data.find(b"\r\n\r\n") + 2
        variables = self._variables(data[:end]) if 2 <= end <= self.longest_head else None
        body = data[end + 2 :]
        if variables is None or not _begins(body, variables.get("CONTENT_LENGTH", "0")):
            client.unread = data
            return None
        variables["wsgi.input"] = _input(client, body, int(variables.get("CONTENT_LENGTH", "0")))
        variables["REMOTE_ADDR"] = address[0]
        variables["REMOTE_PORT"] = str(address[1])
        return variables

    def _variables(self, head: bytes) -> Variables | None:
        line, _, rest = head.decode("latin-1").partition("\r\n")
        match = LINE.fullmatch(line)
        read = _remembered_fields if len(rest) <= REMEMBERED else _fields
        fields = read(rest)
        if match is None or not 0 < len(fields) <= self.most_fields:
            return None
        method, target = match.groups()
        path, _, query = target.partition("?")
        return {
            **self.same_for_all,
            **fields,
            "REQUEST_METHOD": method,
            "RAW_URI": target,
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1") if "%" in path else path,
            "QUERY_STRING": query,
        }


def _fields(lines: str) -> Variables:
    """The variables of a head's fields; none where one of them is odd, or there is none."""
    variables: Variables = {}
    if FIELDS.fullmatch(lines) is None:
        return variables
    count = 0
    for line in lines.split("\r\n")[:-1]:
        name, _, value = line.partition(":")
        variables[_variable(name)] = value.strip("\t ")
        count += 1
    came_twice = len(variables) != count
    if came_twice or not ODD_FIELDS.isdisjoint(variables):
        variables.clear()
    return variables


_remembered_fields = lru_cache(128)(_fields)  # a client sends the same ones with each request


def _begins(body: bytes, length: str) -> bool:
    """Whether this is such a body or its beginning, and nothing follows it."""
    return LENGTH.fullmatch(length) is not None and len(body) <= int(length)


def _input(client: ClientSocket, body: bytes, length: int) -> Any:
    """The body: the rest of it is received when the application reads it, and not before.

    It may refuse a request by its head, and then nobody waits for the body.
    """
    if len(body) == length:
        return io.BytesIO(body)
    client.unread = body
    client.body = LengthReader(SocketUnreader(client), length)
    return Body(client.body)


def _received(client: ClientSocket, size: int) -> bytes:
    """What the client sent; a connection that fails is gunicorn's to notice once more."""
    try:
        return client.recv(size)
    except OSError:
        return b""


class Answer:
    """What the application answers; head and body leave in one piece where they are short."""

    date: ClassVar = (0, "")  # of this second

    def __init__(self, client: ClientSocket, method: str, config: Config) -> None:
        self.client, self.method, self.config = client, method, config
        self.begun = False
        self.status = ""
        self.headers: list[tuple[str, str]] = []

    def start_response(
        self, status: str, headers: list[tuple[str, str]], _error: Any = None
    ) -> None:
        self.status, self.headers = status, headers

    def send(self, parts: Iterable[bytes]) -> None:
        """Send all of it.

        Raises:
            InvalidResponseHeader: A field would begin another line.
            OSError: The client is gone, or too slow.
        """
        length = next((value for name, value in self.headers if name == "Content-Length"), "")
        is_bodiless = self.status.startswith(BODILESS)
        if is_bodiless and not length:
            self._send_short(b"")
        elif LENGTH.fullmatch(length) and not is_bodiless:
            self._send_short(b"".join(parts)[: int(length)])
        else:
            self._send_as_gunicorn_does(parts)

    def _send_short(self, body: bytes) -> None:
        lines = [f"HTTP/1.1 {self.status}\r\nServer: {SERVER}\r\nDate: {_date()}\r\n"]
        lines.append("Connection: close\r\n")
        lines.extend([f"{name}: {value}\r\n" for name, value in self.headers])
        head = "".join(lines)
        raw = head.encode("latin-1")
        breaks = {raw.count(b"\r\n"), raw.count(b"\r"), raw.count(b"\n")}
        if breaks != {len(self.headers) + 4} or raw.translate(None, IN_A_HEAD):
            raise InvalidResponseHeader
        self.begun = True
        self.client.sendall(raw + b"\r\n" + body)

    def _send_as_gunicorn_does(self, parts: Iterable[bytes]) -> None:
        response = Response(self, self.client, self.config)
        response.force_close()
        response.start_response(self.status, self.headers)
        self.begun = True
        for part in parts:
            response.write(part)
        response.close()

    version = (1, 1)  # what gunicorn's Response asks a request


def _date() -> str:
    """The date for a head, composed once a second."""
    second, text = Answer.date
    now = int(time.time())
    if now != second:
        text = util.http_date(now)
        Answer.date = now, text
    return text
