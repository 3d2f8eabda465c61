"""Each request leaves one line in the log, and is counted."""

import logging
import re
import time
from functools import partial
from typing import Any

from flask import Response, g, has_app_context

from taskapp.database.prepared import Call
from taskapp.web import metrics
from taskapp.web.current import Current, current
from taskapp.web.log_lines import note

SLOW = 0.1  # seconds
# W3C Trace Context, section 3.2: version, trace, parent, flags; neither all zeros nor version ff.
TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"
)
SECRET = re.compile(r"tsk_[\w-]+|eyJ[\w.-]+|(?<=/feeds/)[^/]+")
PROBES = {"/health", "/health/ready", "/health/startup", "/metrics"}
log = logging.getLogger(__name__)


def begin(current: Current) -> None:
    """Count the request as in progress; a scrape does not count itself."""
    current.in_progress = current.request.path != "/metrics"
    if current.in_progress:
        metrics.IN_PROGRESS.inc()


def end(current: Current) -> None:
    """The request is no longer in progress, however it ended."""
    if current.in_progress:
        current.in_progress = False
        metrics.IN_PROGRESS.dec()


def write(current: Current, response: Response) -> None:
    """Count the request and write its line, once its response is complete."""
    fields = _fields(current)
    if current.is_streamed:
        response.call_on_close(partial(_write, current, response, fields))
    else:
        _write(current, response, fields)


def _write(current: Current, response: Response, fields: dict[str, Any]) -> None:
    seconds = time.perf_counter() - current.started
    fields["status"] = status = response.status_code
    fields["ms"] = round(seconds * 1e3, 1)
    fields["database_ms"] = round(current.database_seconds * 1e3, 1)
    if seconds > SLOW:
        fields["slow"] = True
    if fields["route"] != "/metrics":
        metrics.count_request(
            fields["method"], fields["route"], status, seconds, current.database_seconds
        )
    event = current.problem or current.event or current.request.endpoint or "unmatched"
    note(log, _level(status, fields), event, fields)


def _fields(current: Current) -> dict[str, Any]:
    """The path without its query, which may hold what people look for; secrets are cut out."""
    request = current.request
    path = SECRET.sub("...", request.path)
    fields: dict[str, Any] = {
        "request_id": current.request_id,
        "method": request.method,
        "path": path[:500],
        "route": request.url_rule.rule if request.url_rule else "unmatched",
        "address": request.remote_addr,
    }
    if current.caller is not None:
        fields["user_id"] = current.caller.user_id
    sent = request.environ.get("HTTP_TRACEPARENT")
    trace = TRACEPARENT.fullmatch(sent) if sent else None
    if trace:
        fields["trace_id"] = trace[1]
    return fields


def _level(status: int, fields: dict[str, Any]) -> int:
    if status >= 500:
        return logging.ERROR
    if "slow" in fields:
        return logging.WARNING
    if fields["route"] in PROBES and status < 400:
        return logging.DEBUG
    return logging.INFO


def note_progress() -> None:
    """Say that this request goes on: a worker that makes no progress is replaced."""
    _note_progress(current())


def _note_progress(current: Current) -> None:
    notify = current.request.environ.get("taskapp.progress")  # server/worker.py
    if notify is not None:
        notify()


def note_statement(statement: Any, seconds: float) -> None:
    """Add what a statement took to its request's time, and log one that was slow."""
    record: Current | None = None
    if has_app_context():
        record = g._get_current_object().get("current")  # a proxy
    if record is not None:
        record.database_seconds += seconds
        _note_progress(record)
    if seconds > SLOW:
        text = _without_values(statement)
        fields = {"ms": round(seconds * 1e3, 1), "statement": text}
        log.warning("slow statement", extra={"fields": fields})


def _without_values(statement: Any) -> str:
    """The text of a statement, which has places for values; many in one message hold the values."""
    if isinstance(statement, bytes):
        return "several in one message"
    if isinstance(statement, Call):
        statement = statement.statement
    return " ".join(str(statement).split())[:1000]
