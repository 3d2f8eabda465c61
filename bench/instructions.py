"""What a request costs in instructions: a figure that no other load on the machine can move.

`python -m bench.instructions` runs the application in one process under valgrind's callgrind, calls
it as a WSGI server would, and compares with bench/instructions.json; `--store` writes that file.
On SQLite its instructions are counted, too; on PostgreSQL those of our side alone. What the worker
does around the application is counted by itself, with an application that does nothing.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import logging.config
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from functools import partial
from itertools import count, islice
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BASELINE = HERE / "instructions.json"
MOST = 1.10  # times the baseline
WARM_UP, TIMES = 10, 40  # requests of each kind
# callgrind writes down its counts, and begins anew, whenever this is called; nobody else calls it.
MARK = "sched_get_priority_max"
Body = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.instructions", description=__doc__)
    parser.add_argument("--store", action="store_true", help="make today's counts the baseline")
    parser.add_argument("--only", metavar="WORD", default="", help="what has this in its name")
    parser.add_argument("--ask", metavar="FOLDER", type=Path, help="(internal) under callgrind")
    told = parser.parse_args()
    if told.ask:
        ask(told.ask)
    elif told.store:
        BASELINE.write_text(json.dumps({"on": platform_name(), **measure("")}, indent=1) + "\n")
    else:
        sys.exit(check(told.only))


def platform_name() -> str:
    """Other interpreters and other libraries count otherwise: a baseline is of one platform."""
    return f"{platform.machine()}, CPython {platform.python_version()}"


def check(word: str) -> int:
    """How many questions cost more than the baseline allows."""
    baseline = json.loads(BASELINE.read_text())
    if baseline["on"] != platform_name():
        say(
            f"the baseline is of {baseline['on']}, this is {platform_name()}: store one of your own"
        )
        return 2
    is_good = True
    for question, counted in measure(word).items():
        is_cheap, verdict = judged(counted, baseline.get(question))
        is_good &= is_cheap
        say(f"{question:20} {counted:>12,} instructions, {verdict}")
    return int(not is_good)


def judged(counted: int, before: int | None) -> tuple[bool, str]:
    """Whether it costs no more than it may; what was never stored cannot be said to be cheap."""
    if before is None:
        return False, "and nothing stored to compare with"
    share = counted / before
    if share > MOST:
        return False, f"{share:.3f} of before: dearer than it may be"
    return True, f"{share:.3f} of before: ok"


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command


def measure(word: str) -> dict[str, int]:
    """Instructions for one request of each kind that has this word in its name."""
    from bench.stage import new_database, postgresql

    if shutil.which("valgrind") is None:
        raise SystemExit("instructions: needs valgrind on the PATH")
    counted = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        for place in ("sqlite", "postgresql", "worker"):
            asked = WORKER if place == "worker" else REQUESTS
            questions = [each for each in asked if word in f"{place} {each}"]
            if not questions:
                continue
            folder = Path(name, place)
            folder.mkdir()
            with postgresql() if place == "postgresql" else nullcontext("") as maintenance_url:
                if asked is REQUESTS:
                    url = maintenance_url and new_database(maintenance_url, "instructions")
                    _fill(folder, questions, url)
                else:
                    (folder / "questions.json").write_text(json.dumps(questions))
                for question, instructions in _run(folder, questions):
                    counted[f"{place} {question}"] = instructions
    return counted


def _fill(folder: Path, questions: list[str], database_url: str) -> None:
    """Migrate and fill, before anything is counted."""
    from bench.stage import prepare

    logging.disable(logging.INFO)  # Alembic tells of each migration
    stage = prepare(folder, 1_000, database_url or None)
    (folder / "stage.json").write_text(
        json.dumps([questions, stage.environment, stage.people[0].token])
    )


def _run(folder: Path, questions: list[str]) -> Iterator[tuple[str, int]]:
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder / 'counts'}"]
    command += [f"--dump-before={MARK}", sys.executable, "-m", "bench.instructions", "--ask"]
    told = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    with (folder / "log").open("wb") as log:  # the service writes a line for each request
        subprocess.run(  # noqa: S603 - our own command
            [*command, str(folder)], cwd=HERE.parent, env=told, check=True, stdout=log
        )
    for number, question in enumerate(questions):
        yield question, _counted(folder, number) // TIMES


def _counted(folder: Path, question: int) -> int:
    """Between the two marks around it: the dumps count from 1, and every other is a warm-up."""
    found = re.search(
        r"^totals: (\d+)", (folder / f"counts.{question * 2 + 2}").read_text(), re.MULTILINE
    )
    if not found:
        raise RuntimeError(f"callgrind dumped nothing at the mark {MARK}")
    return int(found[1])


def ask(folder: Path) -> None:
    """Every question, many times, straight into the WSGI application."""
    if not (folder / "stage.json").exists():
        return _ask_worker(json.loads((folder / "questions.json").read_text()))
    import config
    from taskapp.server import metrics_files

    questions, environment, token = json.loads((folder / "stage.json").read_text())
    settings = config.load(environment)
    metrics_files.prepare(folder, 1)  # as gunicorn.conf.py does, before anything is counted
    from taskapp import create_app
    from taskapp.ops import logs

    logging.config.dictConfig(logs.configuration(settings))
    app = create_app(settings)
    for question in questions:
        requests = REQUESTS[question](app, token)
        _count(partial(_call, app), islice(requests, WARM_UP + TIMES))
    return None


def _count(do: Callable[[Any], None], given: Iterable[Any]) -> None:
    """Do it some times to warm up, then with a mark before and after."""
    ready = list(given)
    for each in ready[:WARM_UP]:
        do(each)
    os.sched_get_priority_max(os.SCHED_OTHER)
    for each in ready[WARM_UP:]:
        do(each)
    os.sched_get_priority_max(os.SCHED_OTHER)


def _call(app: Any, environ: Body) -> None:
    status, _, _ = call(app, environ)
    if not status.startswith(("200", "201", "304")):
        raise RuntimeError(status)


def _ask_worker(questions: list[str]) -> None:
    """A client and the worker take turns on a real connection; both sides are counted."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        worker = _worker(listener)

        def exchange(request: bytes) -> None:
            with socket.create_connection(listener.getsockname()) as client:
                client.sendall(request)
                client.shutdown(socket.SHUT_WR)  # or gunicorn would wait for the client to close
                worker.accept(listener)
                if not client.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n"):
                    raise RuntimeError("the worker has refused")

        for question in questions:
            _count(exchange, [WORKER[question]] * (WARM_UP + TIMES))


def _worker(listener: socket.socket) -> Any:
    """The worker that gunicorn.conf.py names, with an application that does nothing."""
    from gunicorn.app.wsgiapp import WSGIApplication

    def application(environ: Body, start_response: Callable[..., Any]) -> list[bytes]:
        environ["wsgi.input"].read()
        start_response("200 OK", ANSWER_HEADERS)
        return [ANSWER]

    sys.argv = ["gunicorn", "bench:nothing"]
    server = WSGIApplication()
    server.callable = application
    logger = server.cfg.logger_class(server.cfg)
    kind = server.cfg.worker_class
    worker = kind(0, os.getppid(), [listener], server, 60, server.cfg, logger)
    worker.notified_at = 0.0
    worker.load_wsgi()
    return worker


def call(app: Any, environ: Body) -> tuple[str, dict[str, str], bytes]:
    answered: list[Any] = []
    parts = app(environ, lambda status, headers, _=None: answered.extend((status, headers)))
    body = b"".join(parts)
    if hasattr(parts, "close"):  # PEP 3333
        parts.close()
    return answered[0], dict(answered[1]), body


def environ(method: str, path: str, token: str, body: Body | None = None, **more: str) -> Body:
    path, _, query = path.partition("?")
    raw = b"" if body is None else json.dumps(body).encode()
    sent = {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(raw))} if raw else {}
    return {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_AUTHORIZATION": f"Bearer {token}",
        "HTTP_X_REQUEST_ID": "the-same-each-time",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(raw),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        **sent,
        **more,
    }


def _lists(_: Any, token: str) -> Iterator[Body]:
    """Each with another limit, so that none is remembered; about twenty tasks all the same."""
    for number in count():
        yield environ(
            "GET", f"/api/v1/tasks?limit=20&created_after=2020-01-01T00:00:00.{number:06}Z", token
        )


def _gets(app: Any, token: str) -> Iterator[Body]:
    path = _a_task(app, token)
    while True:
        yield environ("GET", path, token)


def _a_task(app: Any, token: str) -> str:
    page = json.loads(call(app, environ("GET", "/api/v1/tasks?limit=1", token))[2])
    return f"/api/v1/tasks/{page['items'][0]['id']}"


def _again(make: Callable[[Any, str], Iterator[Body]]) -> Callable[[Any, str], Iterator[Body]]:
    def asked(app: Any, token: str) -> Iterator[Body]:
        first = next(make(app, token))
        tag = call(app, dict(first))[1]["ETag"]
        while True:
            yield {**first, "HTTP_IF_NONE_MATCH": tag}

    return asked


def _creates(_: Any, token: str) -> Iterator[Body]:
    for number in count(1000):
        body = {"title": f"Water the fern {number}", "priority": "low"}
        yield environ("POST", "/api/v1/tasks", token, body)


def _updates(app: Any, token: str) -> Iterator[Body]:
    path = _a_task(app, token)
    for number in count(1000):
        body = {"title": f"Water {number} ferns", "description": f"Changed {number}."}
        yield environ("PATCH", path, token, body)


REQUESTS = {
    "list": _lists,
    "list_304": _again(_lists),
    "get": _gets,
    "get_304": _again(_gets),
    "create": _creates,
    "update": _updates,
}
ANSWER = b'{"id":51423,"title":"Water the fern","description":"Ask first, then do it."}' * 7
ANSWER_HEADERS = [
    ("Content-Type", "application/json"),
    ("Content-Length", str(len(ANSWER))),
    *((f"X-Header-{number}", "a value as long as they are") for number in range(12)),
]
_HEAD = b"Host: 127.0.0.1:8000\r\nAuthorization: Bearer %s\r\nAccept: */*\r\n" % (b"x" * 400)
_BODY = b'{"title": "Water the fern", "priority": "low"}'
_LENGTH = b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(_BODY)
WORKER = {
    "get": b"GET /api/v1/tasks/51423 HTTP/1.1\r\n" + _HEAD + b"\r\n",
    "create": b"POST /api/v1/tasks HTTP/1.1\r\n" + _HEAD + _LENGTH + _BODY,
    "chunked": b"POST /api/v1/tasks HTTP/1.1\r\n"
    + _HEAD
    + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(_BODY), _BODY),
}

if __name__ == "__main__":
    main()
