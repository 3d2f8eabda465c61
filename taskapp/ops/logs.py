"""One line for each event, gunicorn's too: JSON, or text for people.

All is escaped to ASCII, so nothing that a client sends can begin a line or steer a terminal.
"""

import json
import logging
import re
import time
from functools import lru_cache
from typing import Any

from flask import g, has_request_context

from config import Settings

UNPRINTABLE = re.compile(r"[^\x20-\x7e]")
quote = json.encoder.encode_basestring_ascii
to_json = json.JSONEncoder(separators=(",", ":"), default=str).encode
# gunicorn's lines go where all go; the extension's say what ours say, once.
LOGGERS = {
    "gunicorn.error": {"handlers": [], "propagate": True},
    "flask-limiter": {"level": "ERROR"},
}


class Line(logging.Formatter):
    """Formats a record as one line; text adds a traceback below, indented."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self.as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        second = _second(int(record.created))
        at = f"{second}.{int(record.msecs):03}Z"
        level = record.levelname.lower()
        event = record.getMessage()
        fields = _fields(record)
        trace = self.formatException(record.exc_info) if record.exc_info else ""
        if not self.as_json:
            return _text(f"{at} {level:7}", event, fields, trace)
        if trace:
            fields["exception"] = trace
        return to_json({"at": at, "level": level, "event": event, **fields})


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields = dict(record.__dict__.get("fields", ()))
    if has_request_context() and "current" in g:
        fields.setdefault("request_id", g.current.request_id)
    return fields


def _text(head: str, event: str, fields: dict[str, Any], trace: str) -> str:
    escaped = to_json(event)[1:-1]
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


def configuration(settings: Settings) -> dict[str, Any]:
    """For logging.config.dictConfig: all lines, gunicorn's too, in one format to stdout."""
    # Nothing prints the caller, and finding it costs as much as the line.
    logging.logThreads = False
    logging.logProcesses = False
    logging.logMultiprocessing = False
    logging._srcfile = None  # the logging HOWTO's own advice
    as_json = settings.log_format == "json"
    line = {"()": Line, "as_json": as_json}
    stdout = {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "line"}
    formatters = {"line": line}
    root = {"level": settings.log_level.upper(), "handlers": ["stdout"]}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": formatters,
        "handlers": {"stdout": stdout},
        "root": root,
        "loggers": LOGGERS,
    }
