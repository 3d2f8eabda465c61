"""What a request costs in instructions: a figure that no other load on the machine can move.

`python -m bench.instructions` runs the application in one process under valgrind's callgrind, calls
it as a WSGI server would, and compares with bench/instructions.json; `--store` writes that file.
SQLite, because its instructions are counted, too.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
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
    parser.add_argument("--ask", metavar="FOLDER", type=Path, help="(internal) under callgrind")
    told = parser.parse_args()
    if told.ask:
        ask(told.ask)
    elif told.store:
        BASELINE.write_text(json.dumps({"on": platform_name(), **measure()}, indent=1) + "\n")
    else:
        sys.exit(check())


def platform_name() -> str:
    """Other interpreters and other libraries count otherwise: a baseline is of one platform."""
    return f"{platform.machine()}, CPython {platform.python_version()}"


def check() -> int:
    """How many questions cost more than the baseline allows."""
    baseline = json.loads(BASELINE.read_text())
    if baseline["on"] != platform_name():
        say(
            f"the baseline is of {baseline['on']}, this is {platform_name()}: store one of your own"
        )
        return 2
    dearer, found = 0, measure()
    for question in REQUESTS:
        share = found[question] / baseline[question]
        dearer += share > MOST
        verdict = "dearer than it may be" if share > MOST else "ok"
        say(f"{question:10} {found[question]:>12,} instructions, {share:.3f} of before: {verdict}")
    return int(dearer > 0)


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command


def measure() -> dict[str, int]:
    """Instructions for one request of each kind."""
    if shutil.which("valgrind") is None:
        raise SystemExit("instructions: needs valgrind on the PATH")
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        _application(folder)  # migrates and fills, before anything is counted
        _run(folder)
        return {question: _counted(folder, n) // TIMES for n, question in enumerate(REQUESTS)}


def _run(folder: Path) -> None:
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder / 'counts'}"]
    command += [f"--dump-before={MARK}", sys.executable, "-m", "bench.instructions", "--ask"]
    told = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([*command, str(folder)], cwd=HERE.parent, env=told, check=True)  # noqa: S603


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
    app, token = _application(folder)
    for make in REQUESTS.values():
        requests = make(app, token)
        _call_all(app, islice(requests, WARM_UP))
        ready = list(islice(requests, TIMES))
        os.sched_get_priority_max(os.SCHED_OTHER)
        _call_all(app, ready)
        os.sched_get_priority_max(os.SCHED_OTHER)


def _call_all(app: Any, requests: Iterable[Body]) -> None:
    for environ in requests:
        status, _, _ = call(app, environ)
        if not status.startswith(("200", "201", "304")):
            raise RuntimeError(status)


def _application(folder: Path) -> tuple[Any, str]:
    """The service as it ships on a small SQLite database; filled by the first who asks."""
    logging.disable(logging.INFO)  # Alembic tells of each migration
    import config
    from bench.stage import prepare
    from taskapp import create_app

    kept = folder / "stage.json"
    if not kept.exists():
        stage = prepare(folder, 1_000)
        kept.write_text(json.dumps([stage.environment, stage.people[0].token]))
    environment, token = json.loads(kept.read_text())
    return create_app(config.load(environment)), token


def call(app: Any, environ: Body) -> tuple[str, dict[str, str], bytes]:
    answered: list[Any] = []
    parts = app(environ, lambda status, headers, _=None: answered.extend((status, headers)))
    body = b"".join(parts)
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

if __name__ == "__main__":
    main()
