"""What every request and every answer has: an id, a host we know, timings, security headers."""

import re
import time
from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import uuid4

from flask import Flask, Response, g, has_app_context
from flask_cors import CORS
from werkzeug.datastructures import Headers
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.sansio.utils import host_is_trusted

from config import Settings
from taskapp.errors import InvalidHost
from taskapp.extensions import here
from taskapp.ops import journal

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# What a script in a browser may read of an answer.
EXPOSED = ["ETag", "Link", "Location", "RateLimit", "RateLimit-Policy", "Retry-After"]
EXPOSED += ["X-Request-ID", "Idempotency-Replayed", "Content-Disposition", "Content-Range"]
ON_ALL = [("X-Content-Type-Options", "nosniff"), ("X-Frame-Options", "DENY")]
ON_ALL += [("Referrer-Policy", "no-referrer")]


class Answer(Response):
    """Our headers go out as they are; Werkzeug copies them, to mend what these never need."""

    default_mimetype = None  # what has no body has no type

    def get_wsgi_headers(self, environ: Any) -> Headers:
        as_they_are = self.status_code in {200, 201}
        return self.headers if as_they_are else super().get_wsgi_headers(environ)


def configure(app: Flask, settings: Settings) -> None:
    app.response_class = Answer
    # The extension says Origin only where there are several.
    vary = "Authorization, Accept, Origin" if settings.cors_origins else "Authorization, Accept"
    app.wsgi_app = partial(_guarded, app.wsgi_app, [*ON_ALL, ("Vary", vary)])  # type: ignore[method-assign]  # Flask's own advice
    if hops := settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops)  # type: ignore[method-assign]  # as above
    if settings.cors_origins:
        CORS(app, origins=list(settings.cors_origins), expose_headers=EXPOSED, max_age=600)
    app.teardown_request(journal.leave)
    app.after_request(journal.note)
    app.before_request(partial(begin, settings.trusted_hosts))
    app.after_request(finish)


def _guarded(app: Any, headers: list[tuple[str, str]], environ: Any, start_response: Any) -> Any:
    """The headers that all answers have alike, put on where it costs nothing."""
    return app(environ, lambda status, own, *error: start_response(status, own + headers, *error))


def begin(trusted_hosts: Sequence[str]) -> None:
    asked, mine = here()
    journal.enter(asked, mine)
    sent = asked.environ.get("HTTP_X_REQUEST_ID", "")
    mine.request_id = sent if REQUEST_ID.fullmatch(sent) else uuid4().hex
    # Probes ask by address: they know no name of ours.
    trusted = () if asked.blueprint == "health" else trusted_hosts
    if not host_is_trusted(asked.environ.get("HTTP_HOST", "").lower(), trusted):
        raise InvalidHost


def finish(response: Response) -> Response:
    asked, mine = here()
    headers, add = response.headers, response.headers.add
    headers["Link"] = ", ".join([*headers.getlist("Link"), '</openapi.json>; rel="service-desc"'])
    if "Content-Security-Policy" not in headers:
        add("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
    if "Cache-Control" not in headers:
        credentials = asked.path.startswith("/api/v1/auth/")
        add("Cache-Control", "no-store" if credentials else "private, no-cache")
    if asked.is_secure:
        add("Strict-Transport-Security", "max-age=31536000")
    add("X-Request-ID", mine.request_id)
    app, database = time.perf_counter() - mine.started, sum(mine.database_seconds)
    add("Server-Timing", f"app;dur={app * 1e3:.1f}, db;dur={database * 1e3:.1f}")
    return response


def spent(statement: Any, seconds: float) -> None:
    """Note what the database took, for Server-Timing; mark what is slow."""
    if has_app_context() and (taken := g.get("database_seconds")) is not None:
        taken.append(seconds)
    if seconds > journal.SLOW:
        journal.slow_statement(str(statement), seconds)
