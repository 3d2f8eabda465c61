"""How a line of the log looks, and how it gets out: JSON, or text for people.

All is escaped to ASCII, so nothing that a client sends can begin a line or steer a terminal.
"""

import json
import logging
import os
import re
import time
from functools import lru_cache
from typing import Any

from flask import g, has_request_context

STDOUT = 1
UNPRINTABLE = re.compile(r"[^\x20-\x7e]")
quote = json.encoder.encode_basestring_ascii
to_json = json.JSONEncoder(separators=(",", ":"), default=str).encode
Fields = dict[str, Any]


class Line(logging.Formatter):
    """Formats a record as one line; text adds a traceback below, indented."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self.as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        trace = self.formatException(record.exc_info) if record.exc_info else ""
        fields = _fields(record)
        return self.compose(record.created, record.levelno, record.getMessage(), fields, trace)

    def compose(
        self, seconds: float, level: int, event: str, fields: Fields, trace: str = ""
    ) -> str:
        """The line of an event at so many seconds since the epoch."""
        second = int(seconds)
        milliseconds = int((seconds - second) * 1000)
        at = f"{_second(second)}.{milliseconds:03}Z"
        name = logging.getLevelName(level).lower()
        if not self.as_json:
            return _text(f"{at} {name:7}", event, fields, trace)
        if trace:
            fields["exception"] = trace
        return to_json({"at": at, "level": name, "event": event, **fields})


class Stdout(logging.Handler):
    """Writes each line at once and as a whole, so that those of several processes never mix."""

    formatter: Line

    def emit(self, record: logging.LogRecord) -> None:
        try:
            _write(self.format(record))
        except Exception:  # noqa: BLE001 - as every handler of the library
            self.handleError(record)


def note(log: logging.Logger, level: int, event: str, fields: Fields) -> None:
    """Log an event. Where our own handler alone would get its record, none is made.

    A record, its locks and its handlers cost three times the line. Errors always have one: there
    are listeners that wait for them, as Sentry's.
    """
    if not log.isEnabledFor(level):
        return
    handler = _only_stdout(log) if level < logging.ERROR else None
    if handler is None:
        log.log(level, event, extra={"fields": fields})
        return
    try:
        _write(handler.formatter.compose(time.time(), level, event, fields))
    except OSError:  # nobody reads it, or there is no room: an answer does not depend on that
        return


def _only_stdout(log: logging.Logger) -> Stdout | None:
    """The handler of ours, if a record would get to no other."""
    handlers = list(log.handlers)
    above: logging.Logger | None = log
    while above is not None and above.propagate:
        above = above.parent
        if above is not None:
            handlers += above.handlers
    if len(handlers) == 1 and type(handlers[0]) is Stdout:
        return handlers[0]
    return None


def _write(line: str) -> None:
    left = f"{line}\n".encode()
    while left:
        written = os.write(STDOUT, left)
        left = left[written:]


def _fields(record: logging.LogRecord) -> Fields:
    fields = dict(record.__dict__.get("fields", ()))
    if has_request_context() and "current" in g:
        fields.setdefault("request_id", g.current.request_id)
    return fields


def _text(head: str, event: str, fields: Fields, trace: str) -> str:
    escaped = quote(event)[1:-1]
    parts = [f"{head} {escaped}"]
    for name, value in fields.items():
        text = quote(value) if type(value) is str else ascii(value)
        parts.append(f"{name}={text}")
    line = " ".join(parts)
    for below in trace.splitlines():
        printable = UNPRINTABLE.sub("?", below)
        line += f"\n    {printable}"
    return line


@lru_cache(1)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
