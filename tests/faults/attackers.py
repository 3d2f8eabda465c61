"""One attacker of every kind: what each does in one round, and what it is answered."""

from __future__ import annotations

import base64
import json
import os
import random
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from http.client import HTTPConnection, HTTPException
from typing import Any
from uuid import uuid4

MIB = 1024 * 1024
API = "/api/v1"
MARKS = "a" + "\u0301\u0316" * 60_000
LEET = "4@({[<369!1|0$5+7%2"
JSON, NDJSON, CALENDAR = "application/json", "application/x-ndjson", "text/calendar"
NO_ANSWER, BARE = "none", "bare"  # HTTP/0.9 has no status
CONNECTIONS = 20  # of one slow or silent client, at the same time
FLOOD = 50  # requests of one round, without a pause


@dataclass
class Caller:
    """Somebody with an address, and an account where there is a token."""

    port: int
    address: str
    token: str = ""
    answers: Counter[str] = field(default_factory=Counter)
    has_tasks: bool = False

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """The status, and the JSON if it is some; (0, None) where there is no answer."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        data = body
        if body is not None and not isinstance(body, bytes):
            data = json.dumps(body).encode()
        if data is not None:
            sent.setdefault("Content-Type", JSON)
        connection = HTTPConnection(
            "127.0.0.1", self.port, timeout=120, source_address=(self.address, 0)
        )
        try:
            connection.request(method, path, data, sent)
            response = connection.getresponse()
            text = response.read()
            status, is_json = response.status, "json" in response.headers.get("Content-Type", "")
        except (OSError, HTTPException):
            status, text, is_json = 0, b"", False
        finally:
            connection.close()
        self.answers[str(status or NO_ANSWER)] += 1
        with suppress(ValueError):
            return status, json.loads(text) if is_json and text else None
        return status, None

    def send(self, request: bytes) -> None:
        """Bytes that no HTTP library would send, and the status of the answer."""
        first = b""
        with suppress(OSError), self.connect() as connection:
            connection.sendall(request)
            first = connection.recv(4096)
        is_http = first.startswith(b"HTTP/1.")
        status = first[9:12].decode() if is_http else BARE if first else NO_ANSWER
        self.answers[status] += 1

    def fill(self, rows: bytes) -> None:
        """Tasks, which this kind of attack needs, but for once."""
        if not self.has_tasks:
            status, _ = self.ask("POST", f"{API}/tasks/import", rows, Content_Type=NDJSON)
            self.has_tasks = status == 200

    def connect(self) -> socket.socket:
        return socket.create_connection(
            ("127.0.0.1", self.port), timeout=30, source_address=(self.address, 0)
        )


@dataclass
class Rounds:
    """What one attacker did: the answers, and when each of its rounds began and ended."""

    answers: Counter[str]
    times: list[tuple[float, float]]


Attack = Callable[[Caller], None]  # one round of it


def combining_marks(caller: Caller) -> None:
    caller.ask("POST", f"{API}/auth/login", {"email": MARKS, "password": "x"})


def costly_passwords(caller: Caller) -> None:
    password = "".join(random.choices(LEET, k=72))  # noqa: S311 - no secret
    body = {"email": f"{uuid4().hex}@example.com", "password": password, "name": "n"}
    caller.ask("POST", f"{API}/auth/register", body, Idempotency_Key=uuid4().hex)


def registrations(caller: Caller) -> None:
    body = {"email": f"{uuid4().hex}@example.com", "password": uuid4().hex, "name": "n"}
    caller.ask("POST", f"{API}/auth/register", body)


def guesses_at_sign_in(caller: Caller) -> None:
    body = {"email": "person0@example.com", "password": uuid4().hex}
    caller.ask("POST", f"{API}/auth/login", body)


def guesses_of_the_current_password(caller: Caller) -> None:
    body = {"current_password": uuid4().hex, "new_password": "eleven dry sparrows"}
    caller.ask("POST", f"{API}/auth/password", body)


def guesses_of_the_metrics_token(caller: Caller) -> None:
    caller.ask("GET", "/metrics", Authorization=f"Bearer {uuid4().hex}")


def forged_tokens(caller: Caller) -> None:
    claims = _base64(json.dumps({"sub": "1", "type": "access", "exp": 4_000_000_000}).encode())
    no_signature, other_key = _base64(b'{"alg":"none"}'), _base64(b'{"alg":"HS256","typ":"JWT"}')
    secret = f"tsk_{uuid4().hex}"
    for credential in (
        f"Bearer {no_signature}.{claims}.",
        f"Bearer {other_key}.{claims}.{_base64(os.urandom(32))}",
        f"Bearer {secret}",
        f"Basic {_base64(f'token:{secret}'.encode())}",
    ):
        caller.ask("GET", f"{API}/users/me", Authorization=credential)


def _base64(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def documentation(caller: Caller) -> None:
    for path in ("/docs", "/redoc", "/openapi.json", "/problems", "/") * (FLOOD // 5):
        caller.ask("GET", path, Authorization="", Accept="text/html")


def unknown_addresses(caller: Caller) -> None:
    for _ in range(FLOOD):
        caller.ask("GET", f"{API}/{uuid4().hex}", Authorization="")


def large_lists(caller: Caller) -> None:
    """Each question is another one, and its answer would be 20 MB if no page ended early."""
    caller.fill(_large_rows())
    for second in range(10):
        caller.ask("GET", f"{API}/tasks?limit=200&created_after=2010-01-01T00:00:{second:02}Z")


@cache
def _large_rows() -> bytes:
    rows = [{"title": f"t{n}", "description": "\U0001f600" * 65_536, "external_id": f"large{n}"}
            for n in range(75)]  # fmt: skip
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()


def deep_json(caller: Caller) -> None:
    for body in (
        b"[" * MIB,
        b'{"a":' * 31 + b"[" + b"[]," * 300_000 + b"1]" + b"}" * 31,
        b'{"a":' + b"1" * (MIB - 20) + b"}",
        b"{" + b",".join(b'"k%d":1' % n for n in range(90_000)) + b"}",
    ):
        caller.ask("POST", f"{API}/auth/login", body)


def batches_of_numbers(caller: Caller) -> None:
    body = b'{"operations":[' + b"1," * 500_000 + b"1]}"
    caller.ask("POST", f"{API}/tasks/batch", body)


def large_batches(caller: Caller) -> None:
    operations = [{"op": "create", "body": {"title": f"b{n}"}} for n in range(500)]
    caller.ask("POST", f"{API}/tasks/batch", {"operations": operations})


def imports_of_numbers(caller: Caller) -> None:
    for body, media_type in (
        (b'{"items":[' + b"{}," * (2 * MIB // 3) + b"{}]}", JSON),
        (b'{"items":[' + b"1," * MIB + b"1]}", JSON),
        (b"\n" * (20 * MIB - 10), NDJSON),
        (b"," * (20 * MIB - 10), "text/csv"),
    ):
        caller.ask("POST", f"{API}/tasks/import", body, Content_Type=media_type)


def good_imports(caller: Caller) -> None:
    """20 MiB of rows, which the first import makes and the others find as they are."""
    caller.ask("POST", f"{API}/tasks/import", _good_rows(50_000), Content_Type=NDJSON)


@cache
def _good_rows(number: int) -> bytes:
    row = {"description": "d " * 160, "labels": ["a", "b"]}
    rows = [
        json.dumps({**row, "title": f"Fern {n}", "external_id": f"k{n}"}) for n in range(number)
    ]
    return "\n".join(rows).encode()


def long_recurrences(caller: Caller) -> None:
    """Rules that find no date, and those that look at each second of a day."""
    rules = ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=MONTHLY;BYMONTHDAY=31;BYMONTH=2,4,6",
             "FREQ=YEARLY;BYDAY=MO;BYMONTHDAY=29;BYMONTH=2;BYSETPOS=-1;INTERVAL=97",
             "FREQ=SECONDLY;BYHOUR=1,2,3;BYMINUTE=4,5,6;BYSECOND=7,8,9")  # fmt: skip
    lines = [f"SUMMARY:x\nDUE:20300131T170000Z\nRRULE:{rule}" for rule in rules]
    _import_calendar(caller, _todos(lines * 5_000))
    for rule in rules:
        repeat = {"rule": rule, "from": "due", "timezone": "UTC"}
        body = {"title": "x", "due_on": "2030-01-31", "repeat": repeat}
        caller.ask("POST", f"{API}/tasks", body)


def large_time_zones(caller: Caller) -> None:
    offset = "TZOFFSETFROM:+0100\nTZOFFSETTO:+0200"
    rule = "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"
    observance = f"BEGIN:STANDARD\nDTSTART:19700101T000000\n{offset}\n{rule}\nEND:STANDARD\n"
    zone = f"BEGIN:VTIMEZONE\nTZID:Office\n{observance * 7_000}END:VTIMEZONE\n"
    due = [f"SUMMARY:x\nDUE;TZID=Office:{year}0101T000000" for year in range(1970, 2970)]
    _import_calendar(caller, zone + _todos(due))


def thousands_of_components(caller: Caller) -> None:
    alarm = "BEGIN:VALARM\nTRIGGER:-PT1H\nACTION:DISPLAY\nEND:VALARM\n"
    _import_calendar(caller, _todos([""] * 800_000))
    _import_calendar(caller, _todos([f"SUMMARY:x\nDUE:20300131T170000Z\n{alarm * 15_000}"] * 20))
    _import_calendar(caller, _todos(["BEGIN:VALARM\n" * 60_000 + "END:VALARM\n" * 60_000]))


def _todos(contents: list[str]) -> str:
    return "".join(f"BEGIN:VTODO\n{content}\nEND:VTODO\n" for content in contents)


def _import_calendar(caller: Caller, content: str) -> None:
    body = f"BEGIN:VCALENDAR\nVERSION:2.0\n{content}END:VCALENDAR\n".encode()
    caller.ask("POST", f"{API}/tasks/import", body, Content_Type=CALENDAR)


def exports(caller: Caller) -> None:
    caller.fill(_good_rows(10_000))
    caller.ask("GET", f"{API}/tasks?format=ndjson")


def searches(caller: Caller) -> None:
    caller.fill(_good_rows(10_000))
    for words in ("a b c d e f g h i j k l m n o p q r s t", "%25_%5C%22*()", "e", "fer"):
        path = f"{API}/tasks?q={words.replace(' ', '%20')}&total=true&limit=200&sort=title"
        caller.ask("GET", path)


def agents_bodies(caller: Caller) -> None:
    """Messages to /mcp: nested, by the thousand, of no known method, with long arguments."""
    words = " ".join(f"w{n}" for n in range(10_000))
    searched = {"name": "find_tasks", "arguments": {"q": words}}
    for body in (
        b"[" * (MIB // 2),
        b"[" + b'{"jsonrpc":"2.0","id":1,"method":"ping"},' * 20_000 + b"{}]",
        _message("x" * 100_000, {}),
        _message("tools/call", searched),
        _message("tools/call", {"name": "create_task", "arguments": {"title": MARKS}}),
        _message("tools/list", {"_meta": {f"k{n}": n for n in range(50_000)}}),
    ):
        caller.ask("POST", "/mcp", body, Accept="application/json, text/event-stream")


def _message(method: str, parameters: dict[str, Any]) -> bytes:
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
    return json.dumps(message).encode()


def attachments(caller: Caller) -> None:
    task = caller.ask("POST", f"{API}/tasks", {"title": "x"})[1] or {}
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    body = head + os.urandom(10_000_000) + b"\r\n--x--\r\n"
    form = "multipart/form-data; boundary=x"
    path = f"{API}/tasks/{task.get('id', 1)}/attachments"
    caller.ask("POST", path, body, Content_Type=form)


def projects_and_tokens(caller: Caller) -> None:
    caller.ask("POST", f"{API}/projects", {"name": "p" * 100})
    caller.ask("POST", f"{API}/auth/tokens", {"name": "t", "scopes": ["read"]})


def invitations(caller: Caller) -> None:
    project = caller.ask("POST", f"{API}/projects", {"name": "spam"})[1] or {}
    if "id" in project:
        member = {"email": "person0@example.com", "role": "owner"}
        caller.ask("POST", f"{API}/projects/{project['id']}/members", member)


def malformed_heads(caller: Caller) -> None:
    post = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\n"
    for request in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(64),
        b"GET /health\r\n\r\n",
        b"GET /health HTTP/9.9\r\nHost: a\r\n\r\n",
        b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /health HTTP/1.1\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 10_000 + b"\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 60_000 + b"\r\n\r\n",
        post + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        post + b"Content-Length: -1\r\n\r\n",
        post + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    ):
        caller.send(request)


def silence(caller: Caller) -> None:
    with _many(caller):
        time.sleep(5)


def heads_that_never_end(caller: Caller) -> None:
    with _many(caller) as connections:
        _send_to_all(connections, b"GET /health HTTP/1.1\r\nHost: a\r\n")
        for _ in range(5):
            time.sleep(1)
            _send_to_all(connections, b"X: y\r\n")


def bodies_that_never_end(caller: Caller) -> None:
    head = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    with _many(caller) as connections:
        _send_to_all(connections, head + b"Content-Length: 100\r\n\r\n{")
        for _ in range(5):
            time.sleep(1)
            _send_to_all(connections, b" ")


def readers_that_do_not_read(caller: Caller) -> None:
    caller.fill(_large_rows())
    request = f"GET {API}/tasks?format=ndjson HTTP/1.1\r\nHost: a\r\n"
    request += f"Authorization: Bearer {caller.token}\r\n\r\n"
    with _many(caller) as connections:
        for connection in connections:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        _send_to_all(connections, request.encode())
        time.sleep(5)


@contextmanager
def _many(caller: Caller) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        connections = []
        for _ in range(CONNECTIONS):
            with suppress(OSError):
                connections.append(stack.enter_context(caller.connect()))
        caller.answers["held"] += len(connections)
        yield connections


def _send_to_all(connections: list[socket.socket], data: bytes) -> None:
    for connection in connections:
        with suppress(OSError):
            connection.sendall(data)


ATTACKS: tuple[Attack, ...] = (
    *(combining_marks, costly_passwords, registrations, guesses_at_sign_in),
    *(guesses_of_the_current_password, guesses_of_the_metrics_token, forged_tokens),
    *(documentation, unknown_addresses, large_lists, deep_json, batches_of_numbers, large_batches),
    *(imports_of_numbers, good_imports, long_recurrences, large_time_zones),
    *(thousands_of_components, exports, searches, agents_bodies, attachments),
    *(projects_and_tokens, invitations, malformed_heads, silence, heads_that_never_end),
    *(bodies_that_never_end, readers_that_do_not_read),
)


def attack(seconds: float, attackers: list[tuple[Attack, Caller]]) -> list[Rounds]:
    """All of them at once, round after round, for so long."""
    ends = time.monotonic() + seconds
    with ThreadPoolExecutor(len(attackers)) as threads:
        running = [threads.submit(_rounds, kind, caller, ends) for kind, caller in attackers]
    return [one.result() for one in running]


def _rounds(kind: Attack, caller: Caller, ends: float) -> Rounds:
    times = []
    while (began := time.monotonic()) < ends:
        kind(caller)
        times.append((began, time.monotonic()))
        time.sleep(0.1)
    return Rounds(caller.answers, times)
