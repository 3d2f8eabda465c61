"""What every request and every answer has: an id, a host we know, timings, security headers."""

import re
import time
from typing import Any
from uuid import uuid4

from flask import Flask, Response, g, request
from flask_cors import CORS
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.sansio.utils import host_is_trusted

from config import Settings
from taskapp.errors import InvalidHost
from taskapp.extensions import settings
from taskapp.ops import journal

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# What a script in a browser may read of an answer.
EXPOSED = ["ETag", "Link", "Location", "RateLimit", "RateLimit-Policy", "Retry-After"]
EXPOSED += ["X-Request-ID", "Idempotency-Replayed", "Content-Disposition", "Content-Range"]
YEAR = 365 * 24 * 3600


def configure(app: Flask, settings: Settings) -> None:
    if hops := settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops)  # type: ignore[method-assign]  # Flask's own advice
    if settings.cors_origins:
        CORS(app, origins=list(settings.cors_origins), expose_headers=EXPOSED, max_age=600)
    app.teardown_request(journal.leave)
    app.after_request(journal.note)
    app.before_request(begin)
    app.after_request(finish)


def begin() -> None:
    journal.enter()
    sent = request.headers.get("X-Request-ID", "")
    g.request_id = sent if REQUEST_ID.fullmatch(sent) else uuid4().hex
    # Probes ask by address: they know no name of ours.
    trusted = () if request.blueprint == "health" else settings().trusted_hosts
    host = request.environ.get("HTTP_HOST", "")
    if not host or (trusted and not host_is_trusted(host.lower(), trusted)):
        raise InvalidHost


def finish(response: Response) -> Response:
    headers, add = response.headers, response.headers.add
    add("X-Request-ID", g.request_id)
    add("X-Content-Type-Options", "nosniff")
    add("X-Frame-Options", "DENY")
    add("Referrer-Policy", "no-referrer")
    if "Content-Security-Policy" not in headers:
        add("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
    if request.is_secure:
        add("Strict-Transport-Security", f"max-age={YEAR}")
    if "Cache-Control" not in headers:
        credentials = request.path.startswith("/api/v1/auth/")
        add("Cache-Control", "no-store" if credentials else "private, no-cache")
    # The extension says Origin only where there are several.
    origin = ", Origin" if settings().cors_origins else ""
    add("Vary", f"Authorization, Accept{origin}")
    links = [*headers.getlist("Link"), '</openapi.json>; rel="service-desc"']
    headers["Link"] = ", ".join(links)
    seconds = time.perf_counter() - g.started
    add("Server-Timing", f"app;dur={seconds * 1e3:.1f}, db;dur={g.database_seconds * 1e3:.1f}")
    return response


def spent(statement: Any, seconds: float) -> None:
    """Add up what the database took, for Server-Timing; mark what is slow."""
    if g and "database_seconds" in g:
        g.database_seconds += seconds
    if seconds > journal.SLOW:
        journal.slow_statement(str(statement), seconds)
