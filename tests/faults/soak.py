"""Eight people at work, and beside them one attacker of every kind, behind the shipped nginx.

    python -m tests.faults.soak --seconds 300 [--postgresql]

Counts what the others notice: how long their requests waited, what was refused to them, how much
memory the service took, and whether anything that was acknowledged is missing. The service is as
it ships: two workers, SQLite unless told otherwise, every limit on; each attacker has an account
and an address of its own (of the loopback network), as far as it needs them. Needs nginx.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil

from tests import leftovers, servers
from tests.faults.test_nginx import nginx

CLIENTS = 8
PACE = 0.3  # seconds between two requests of one client: within the limit of 300 a minute
LONGEST_WAIT, MOST_MEMORY = 1.0, 256 * 1024 * 1024
MIB = 1024 * 1024
PASSWORD = "seven mossy lanterns"
API = "/api/v1"
MARKS = "a" + "\u0301\u0316" * 60_000
LEET = "4@({[<369!1|0$5+7%2"
JSON, NDJSON = "application/json", "application/x-ndjson"


@dataclass
class Caller:
    """Somebody with an address, and an account where there is a token."""

    port: int
    address: str
    token: str = ""
    answers: Counter[Any] = field(default_factory=Counter)

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
        self.answers[status] += 1
        with suppress(ValueError):
            return status, json.loads(text) if is_json and text else None
        return status, None

    def connect(self) -> socket.socket:
        return socket.create_connection(
            ("127.0.0.1", self.port), timeout=30, source_address=(self.address, 0)
        )


class Person(Caller):
    """Creates, reads, changes and lists; remembers each wait and what was acknowledged."""

    def __init__(self, *who: Any) -> None:
        super().__init__(*who)
        self.waits: list[tuple[float, str]] = []
        self.acknowledged: dict[int, str] = {}  # the title of each task

    def timed(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        started = time.monotonic()
        status, answer = self.ask(method, path, body)
        self.waits.append((time.monotonic() - started, f"{method} {path.partition('?')[0]}"))
        time.sleep(PACE)
        return status, answer

    def work(self, over: threading.Event) -> None:
        while not over.is_set():
            status, task = self.timed("POST", f"{API}/tasks", {"title": uuid4().hex})
            if status != 201:
                continue
            self.acknowledged[task["id"]] = task["title"]
            one = f"{API}/tasks/{task['id']}"
            self.timed("GET", one)
            title = f"changed {uuid4().hex}"
            if self.timed("PATCH", one, {"title": title})[0] == 200:
                self.acknowledged[task["id"]] = title
            self.timed("GET", f"{API}/tasks?limit=20")

    def missing(self) -> list[int]:
        return [
            task_id
            for task_id, title in self.acknowledged.items()
            if (self.ask("GET", f"{API}/tasks/{task_id}")[1] or {}).get("title") != title
        ]


Attack = Callable[[Caller], None]  # one round of it


def combining_marks(caller: Caller) -> None:
    caller.ask("POST", f"{API}/auth/login", {"email": MARKS, "password": "x"})


def costly_passwords(caller: Caller) -> None:
    password = "".join(random.choices(LEET, k=72))  # noqa: S311 - no secret
    body = {"email": f"{uuid4().hex}@example.com", "password": password, "name": "n"}
    caller.ask("POST", f"{API}/auth/register", body, Idempotency_Key=uuid4().hex)


def guesses(caller: Caller) -> None:
    body = {"email": "person0@example.com", "password": uuid4().hex}
    caller.ask("POST", f"{API}/auth/login", body)


def guesses_of_the_current_password(caller: Caller) -> None:
    body = {"current_password": uuid4().hex, "new_password": "eleven dry sparrows"}
    caller.ask("POST", f"{API}/auth/password", body)


def guesses_of_the_metrics_token(caller: Caller) -> None:
    caller.ask("GET", "/metrics", Authorization=f"Bearer {uuid4().hex}")


def large_lists(caller: Caller) -> None:
    """Each question is another one, and its answer is 16 MB."""
    rows = [{"title": f"t{n}", "description": "\U0001f600" * 20_000, "external_id": f"large{n}"}
            for n in range(150)]  # fmt: skip
    lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    caller.ask("POST", f"{API}/tasks/import", lines.encode(), Content_Type=NDJSON)
    for second in range(10):
        caller.ask("GET", f"{API}/tasks?limit=200&created_after=2010-01-01T00:00:{second:02}Z")


def wrong_batches(caller: Caller) -> None:
    body = b'{"operations":[' + b"1," * 500_000 + b"1]}"
    caller.ask("POST", f"{API}/tasks/batch", body)


def large_batches(caller: Caller) -> None:
    operations = [{"op": "create", "body": {"title": f"b{n}"}} for n in range(500)]
    caller.ask("POST", f"{API}/tasks/batch", {"operations": operations})


def import_bombs(caller: Caller) -> None:
    for body, media_type in (
        (b'{"items":[' + b"{}," * (2 * MIB // 3) + b"{}]}", JSON),
        (b'{"items":[' + b"1," * MIB + b"1]}", JSON),
        (b"\n" * (20 * MIB - 10), NDJSON),
        (b"," * (20 * MIB - 10), "text/csv"),
    ):
        caller.ask("POST", f"{API}/tasks/import", body, Content_Type=media_type)


def good_imports(caller: Caller) -> None:
    row = {"description": "d" * 100, "labels": ["a", "b"]}
    rows = [
        json.dumps({**row, "title": f"Fern {n}", "external_id": f"k{n}"}) for n in range(50_000)
    ]
    body = "\n".join(rows).encode()
    caller.ask("POST", f"{API}/tasks/import", body, Content_Type=NDJSON)


def exports(caller: Caller) -> None:
    caller.ask("GET", f"{API}/tasks?format=ndjson")


def searches(caller: Caller) -> None:
    for words in ("a b c d e f g h i j k l m n o p q r s t", "%25_%5C%22*()", "e", "fer"):
        path = f"{API}/tasks?q={words.replace(' ', '%20')}&total=true&limit=200&sort=title"
        caller.ask("GET", path)


def attachments(caller: Caller) -> None:
    task = caller.ask("POST", f"{API}/tasks", {"title": "x"})[1] or {"id": 0}
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    body = head + os.urandom(10_000_000) + b"\r\n--x--\r\n"
    form = "multipart/form-data; boundary=x"
    caller.ask("POST", f"{API}/tasks/{task['id']}/attachments", body, Content_Type=form)


def invitations(caller: Caller) -> None:
    project = caller.ask("POST", f"{API}/projects", {"name": "spam"})[1] or {}
    if "id" in project:
        member = {"email": "person0@example.com", "role": "owner"}
        caller.ask("POST", f"{API}/projects/{project['id']}/members", member)


def silence(caller: Caller) -> None:
    with _many(caller, 20):
        time.sleep(5)


def bodies_that_never_end(caller: Caller) -> None:
    head = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    with _many(caller, 20) as connections:
        for connection in connections:
            connection.sendall(head + b"Content-Length: 100\r\n\r\n{")
        for _ in range(5):
            time.sleep(1)
            for connection in connections:
                with suppress(OSError):
                    connection.sendall(b" ")


def readers_that_do_not_read(caller: Caller) -> None:
    request = f"GET {API}/tasks?format=ndjson HTTP/1.1\r\nHost: a\r\n"
    request += f"Authorization: Bearer {caller.token}\r\n\r\n"
    with _many(caller, 20) as connections:
        for connection in connections:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sendall(request.encode())
        time.sleep(5)


@contextmanager
def _many(caller: Caller, number: int) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        connections = []
        for _ in range(number):
            with suppress(OSError):
                connections.append(stack.enter_context(caller.connect()))
        yield connections


ATTACKS: tuple[Attack, ...] = (
    *(combining_marks, costly_passwords, guesses, guesses_of_the_current_password),
    *(guesses_of_the_metrics_token, large_lists, wrong_batches, large_batches, import_bombs),
    *(good_imports, exports, searches, attachments, invitations),
    *(silence, bodies_that_never_end, readers_that_do_not_read),
)


@dataclass
class Outcome:
    """What the others noticed."""

    requests: int
    statuses: Counter[Any]
    waits: list[tuple[float, str]]  # the longest first
    memory: int  # bytes: of master and workers, what they share counted once
    acknowledged: int
    lost: int
    attacks: dict[str, Counter[Any]]

    @property
    def longest(self) -> float:
        return self.waits[0][0]

    def quantile(self, share: float) -> float:
        return self.waits[int(len(self.waits) * (1 - share))][0]

    def longest_of(self, *methods: str) -> float:
        """An import holds up writers on SQLite, which has one lock, and never readers."""
        return max(wait for wait, what in self.waits if what.startswith(methods))

    def lines(self) -> Iterator[str]:
        for name, answers in self.attacks.items():
            yield f"  {name.replace('_', ' '):34} {dict(sorted(answers.items()))}"
        reads, writes = self.longest_of("GET"), self.longest_of("POST", "PATCH")
        waited = f"longest of reads {reads:.2f} s, of writes {writes:.2f} s"
        waited += f", of 1,000 one {self.quantile(0.999):.2f} s"
        yield f"{self.requests} requests of the others: {dict(self.statuses)}"
        yield f"waits: {waited}, median {self.quantile(0.5) * 1000:.0f} ms"
        yield f"the longest: {[f'{wait:.2f} s {what}' for wait, what in self.waits[:5]]}"
        yield f"memory at most {self.memory / MIB:.0f} MiB"
        yield f"acknowledged {self.acknowledged}, lost {self.lost}"


def soak(seconds: float, folder: Path, **more: str) -> Outcome:
    variables = {"TASKAPP_INSTANCE": str(folder / "instance"), "INVITATIONS": "true", **more}
    variables |= {"TRUSTED_PROXIES": "1", "METRICS_TOKEN": uuid4().hex}
    servers.migrate(**variables)
    public = folder / "nginx"
    public.mkdir()
    with ExitStack() as stack:
        base = stack.enter_context(servers.gunicorn(log=folder / "log", **variables))
        port = int(stack.enter_context(nginx(public, base, {})).rpartition(":")[2])
        people = [
            Person(port, f"127.0.1.{n + 1}", _join(base, f"person{n}")) for n in range(CLIENTS)
        ]
        attackers = {
            attack: Caller(port, f"127.0.2.{n + 1}", _join(base, f"attacker{n}"))
            for n, attack in enumerate(ATTACKS)
        }
        memory = _at_work(seconds, people, attackers, servers.masters[base])
        time.sleep(61)  # the limits of those who ask what is there begin anew
        lost = sum(len(person.missing()) for person in people)
    waits = sorted((wait for person in people for wait in person.waits), reverse=True)
    statuses: Counter[Any] = Counter()
    for person in people:
        statuses += person.answers
    acknowledged = sum(len(person.acknowledged) for person in people)
    attacks = {attack.__name__: caller.answers for attack, caller in attackers.items()}
    return Outcome(len(waits), statuses, waits, memory, acknowledged, lost, attacks)


def _join(base: str, name: str) -> str:
    """An account; each is registered from an address of its own."""
    number = sum(name.encode()) % 250
    return servers.sign_up(base, f"{name}@example.com", X_Forwarded_For=f"10.0.{number}.1")


def _at_work(
    seconds: float, people: list[Person], attackers: dict[Attack, Caller], master: psutil.Process
) -> int:
    """Everybody at once, for so long; returns the most memory that the service took."""
    over = threading.Event()

    def attack(kind: Attack, caller: Caller) -> None:
        while not over.is_set():
            kind(caller)
            over.wait(0.1)

    threads = [threading.Thread(target=person.work, args=(over,)) for person in people]
    threads += [threading.Thread(target=attack, args=item) for item in attackers.items()]
    for thread in threads:
        thread.start()
    most, ends = 0, time.monotonic() + seconds
    while time.monotonic() < ends:
        most = max(most, _memory(master))
        time.sleep(0.5)
    over.set()
    for thread in threads:
        thread.join()
    return most


def _memory(master: psutil.Process) -> int:
    total = 0
    for process in (master, *master.children()):
        with suppress(psutil.NoSuchProcess):
            total += process.memory_full_info().pss
    return total


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--postgresql", action="store_true", help="on a PostgreSQL of its own")
    told = parser.parse_args()
    with ExitStack() as stack:
        folder = stack.enter_context(leftovers.folder())
        more = {}
        if told.postgresql:
            more["DATABASE_URL"] = stack.enter_context(servers.postgresql())
        outcome = soak(told.seconds, folder, **more)
    good = outcome.longest <= LONGEST_WAIT and outcome.memory < MOST_MEMORY and not outcome.lost
    verdict = "good" if good else "NOT good: 1 s at most, below 256 MiB, nothing lost"
    sys.stdout.write("\n".join([*outcome.lines(), verdict, ""]))
    sys.exit(not good)


if __name__ == "__main__":
    main()
