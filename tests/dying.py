"""The service in a worker that dies when told to: before its answer, or before a statement."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from taskapp.extensions import db
from wsgi import app

_service = app.wsgi_app
_fatal: set[str] = set()  # the first words of a statement, or COMMIT


def _dying(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    if "HTTP_X_DIE_BEFORE" in environ:
        _fatal.add(environ["HTTP_X_DIE_BEFORE"])
    answer: Iterable[bytes] = _service(environ, start_response)
    if "HTTP_X_DIE" in environ:
        _die()
    return answer


def _before_statement(_: Any, __: Any, statement: str, *___: Any) -> None:
    if any(statement.startswith(words) for words in _fatal):
        _die()


def _before_commit(_: Any) -> None:
    if "COMMIT" in _fatal:
        _die()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


app.wsgi_app = _dying
with app.app_context():
    sa.event.listen(db.engine, "before_cursor_execute", _before_statement)
    sa.event.listen(db.engine, "commit", _before_commit)
