"""`python -m bench.calls > /dev/null`: how many functions a request calls, by whose they are.

The application runs in one process on SQLite and is called as a WSGI server would; its log goes to
standard output, the table to standard error. A function in C counts for whoever calls it, and what
a database does inside one call is not seen.
"""

from __future__ import annotations

import logging.config
import sys
import tempfile
from collections import Counter
from itertools import islice, repeat
from pathlib import Path
from types import FrameType
from typing import Any

import config
from bench.instructions import REQUESTS, WARM_UP, Body, call, environ
from bench.peers import empty_flask
from bench.report import markdown
from bench.stage import prepare
from taskapp import create_app
from taskapp.ops import logs
from taskapp.server import metrics_files

TIMES = 20
# Whose a file is, by a part of its path, the first that fits.
OWNERS = {
    "taskapp/web/log_lines": "the line in the log",
    "taskapp/web/request_log": "the line in the log",
    "taskapp/web/metrics": "metrics",
    "taskapp/server/metrics_files": "metrics",
    "/prometheus_client/": "metrics",
    "taskapp/web/rate_limits": "limits",
    "taskapp/database/count": "limits",
    "/limits/": "limits",
    "/flask_limiter/": "limits",
    "taskapp/database": "taskapp's database room",
    "taskapp/web": "taskapp's web room",
    "taskapp/auth": "taskapp's guard",
    "/taskapp/": "taskapp's features",
    "/sqlalchemy/": "SQLAlchemy",
    "/flask_sqlalchemy/": "SQLAlchemy",
    "/werkzeug/": "Werkzeug",
    "/flask/": "Flask",
    "/marshmallow/": "marshmallow",
}
OTHERS = "Python's library and others"


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        print(markdown(table(counted(Path(folder)))), file=sys.stderr)  # noqa: T201 - a command


def counted(folder: Path) -> dict[str, Counter[str]]:
    """Calls of one request of each kind, by owner."""
    stage = prepare(folder, 1_000)
    settings = config.load(stage.environment)
    metrics_files.prepare(folder, 1)
    logging.config.dictConfig(logs.configuration(settings))
    app, token = create_app(settings), stage.people[0].token
    empty = environ("GET", "/api/v1/tasks", token)
    found = {"empty Flask": _calls(empty_flask.app, list(repeat(empty, WARM_UP + TIMES)))}
    for question, ask in REQUESTS.items():
        found[question] = _calls(app, list(islice(ask(app, token), WARM_UP + TIMES)))
    return found


def _calls(app: Any, requests: list[Body]) -> Counter[str]:
    files: Counter[str] = Counter()

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event in {"call", "c_call"}:
            files[frame.f_code.co_filename] += 1

    for request in requests[:WARM_UP]:
        call(app, request)
    for request in requests[WARM_UP:]:
        sys.setprofile(note)
        call(app, request)
        sys.setprofile(None)
    calls: Counter[str] = Counter()
    for path, number in files.items():
        calls[_owner(path)] += number
    return Counter({owner: round(number / TIMES) for owner, number in calls.items()})


def _owner(path: str) -> str:
    return next((owner for part, owner in OWNERS.items() if part in path), OTHERS)


def table(found: dict[str, Counter[str]]) -> list[list[str]]:
    """A row an owner, the largest first, and the sum."""
    every: Counter[str] = sum(found.values(), Counter())
    rows = [["calls of functions", *found]]
    for owner, _ in every.most_common():
        rows.append([owner, *(f"{calls[owner] or ''}" for calls in found.values())])
    rows.append(["**all**", *(f"**{calls.total():,}**" for calls in found.values())])
    return rows


if __name__ == "__main__":
    main()
