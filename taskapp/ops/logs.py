"""One line for each thing that happened, gunicorn's too: JSON, or text for people.

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


class Line(logging.Formatter):
    """What a record says, on one line; text adds a traceback below, indented."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self.as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        fields = dict(record.__dict__.get("fields", ()))
        if has_request_context() and "current" in g:
            fields = {"request_id": g.current.request_id, **fields}
        trace = self.formatException(record.exc_info) if record.exc_info else ""
        at = f"{_second(int(record.created))}.{int(record.msecs):03}Z"
        level, event = record.levelname.lower(), record.getMessage()
        if self.as_json:
            fields |= {"exception": trace} if trace else {}
            return to_json({"at": at, "level": level, "event": event, **fields})
        told = [f"{at} {level:7} {to_json(event)[1:-1]}"]
        told += [f"{n}={quote(v) if type(v) is str else ascii(v)}" for n, v in fields.items()]
        below = [f"\n    {UNPRINTABLE.sub('?', line)}" for line in trace.splitlines()]
        return " ".join(told) + "".join(below)


@lru_cache(1)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def configuration(settings: Settings) -> dict[str, Any]:
    """For logging.config.dictConfig: everybody's lines, gunicorn's too, in one form to stdout."""
    # Nobody reads who called, and looking costs as much as the line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # the logging HOWTO's own advice
    line = {"()": Line, "as_json": settings.log_format == "json"}
    stdout = {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "line"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": line},
        "handlers": {"stdout": stdout},
        "root": {"level": settings.log_level.upper(), "handlers": ["stdout"]},
        "loggers": {
            "gunicorn.error": {"handlers": [], "propagate": True},
            "flask-limiter": {"level": "ERROR"},  # ours say the same, once
        },
    }
