"""Each request leaves one line in the log, and is counted."""

import logging
import re
import time
from typing import Any

from flask import Request, Response, g

from taskapp.extensions import here
from taskapp.ops import metrics

SLOW = 0.1  # seconds
# W3C Trace Context, section 3.2: version, trace, parent, flags; neither all zeros nor version ff.
TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"
)
SECRET = re.compile(r"tsk_[\w-]+|eyJ[\w.-]+|(?<=/feeds/)[^/]+")
PROBES = {"/health", "/health/ready", "/health/startup", "/metrics"}
log = logging.getLogger(__name__)


def enter(asked: Request, mine: Any) -> None:
    mine.started, mine.database_seconds = time.perf_counter(), []
    mine.counted = asked.path != "/metrics"
    if mine.counted:
        metrics.IN_PROGRESS.inc()


def leave(_: BaseException | None) -> None:
    if g.pop("counted", False):
        metrics.IN_PROGRESS.dec()


def note(response: Response) -> Response:
    """Count the request, and write its line, when its answer is complete."""
    asked, mine = here()
    fields, event = _fields(asked, mine), mine.get("code") or asked.endpoint or "unmatched"

    def finish() -> None:
        seconds, database = time.perf_counter() - mine.started, sum(mine.database_seconds)
        fields["status"] = status = response.status_code
        fields["ms"], fields["database_ms"] = round(seconds * 1e3, 1), round(database * 1e3, 1)
        if seconds > SLOW:
            fields["slow"] = True
        if fields["route"] != "/metrics":
            metrics.count_request(fields["method"], fields["route"], status, seconds, database)
        log.log(_level(status, fields), event, extra={"fields": fields})

    if response.is_streamed:
        response.call_on_close(finish)
    else:
        finish()
    return response


def _fields(asked: Request, mine: Any) -> dict[str, Any]:
    """The path without its query, which may hold what people look for; secrets are cut out."""
    fields: dict[str, Any] = {
        "request_id": mine.request_id,
        "method": asked.method,
        "path": SECRET.sub("...", asked.path)[:500],
        "route": asked.url_rule.rule if asked.url_rule else "unmatched",
        "address": asked.remote_addr,
    }
    if caller := mine.get("caller"):
        fields["user_id"] = caller.user_id
    if traced := TRACEPARENT.fullmatch(asked.environ.get("HTTP_TRACEPARENT", "")):
        fields["trace_id"] = traced[1]
    return fields


def _level(status: int, fields: dict[str, Any]) -> int:
    if status >= 500:
        return logging.ERROR
    if "slow" in fields:
        return logging.WARNING
    return logging.DEBUG if fields["route"] in PROBES and status < 400 else logging.INFO


def slow_statement(statement: str, seconds: float) -> None:
    """Only its text, which has places for values and no values."""
    told = {"ms": round(seconds * 1e3, 1), "statement": " ".join(statement.split())[:1000]}
    log.warning("slow statement", extra={"fields": told})
