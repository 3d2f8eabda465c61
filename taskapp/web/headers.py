"""What every request and every response has: an id, timings, security headers."""

import os
import re
import time
from functools import partial
from typing import Any

from flask import Flask, Response
from flask_cors import CORS

from config import Settings
from taskapp.web.addresses import BehindProxies, BelowPath
from taskapp.web.current import Current
from taskapp.web.hooks import HEADERS
from taskapp.web.responses import PlainResponse

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"
# What a script in a browser may read of a response.
EXPOSED = [
    *("ETag", "Link", "Location", "RateLimit", "RateLimit-Policy", "Retry-After"),
    *("X-Request-ID", "Idempotency-Replayed", "Content-Disposition", "Content-Range"),
]
ON_ALL = [
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
]


def configure(app: Flask, settings: Settings) -> None:
    """Wrap the app in what knows no route: common headers, proxies, CORS."""
    app.response_class = PlainResponse
    vary = "Authorization, Accept, Origin" if settings.cors_origins else "Authorization, Accept"
    app.wsgi_app = partial(_with_headers, app.wsgi_app, [*ON_ALL, ("Vary", vary)])  # type: ignore[method-assign]  # Flask's own advice
    if settings.trusted_proxies:
        app.wsgi_app = BehindProxies(app.wsgi_app, settings.trusted_proxies)  # type: ignore[method-assign]  # as above
    if settings.script_name:
        app.wsgi_app = BelowPath(app.wsgi_app, settings.script_name)  # type: ignore[method-assign]  # as above
    if settings.cors_origins:
        # Vary names Origin already, once; who sends none is named none.
        CORS(
            app,
            origins=list(settings.cors_origins),
            expose_headers=EXPOSED,
            max_age=600,
            vary_header=False,
            always_send=False,
        )


def _with_headers(
    app: Any, headers: list[tuple[str, str]], environ: Any, start_response: Any
) -> Any:
    """Add headers once, behind Flask: those that all have alike, and those of the hooks.

    Flask's own headers are looked through for each that is added or set.
    """
    gathered = environ[HEADERS] = list(headers)
    return app(environ, lambda status, own, *error: start_response(status, own + gathered, *error))


def identify_request(current: Current) -> None:
    """Take the client's X-Request-ID, or make one."""
    sent = current.request.environ.get("HTTP_X_REQUEST_ID", "")
    current.request_id = sent if REQUEST_ID.fullmatch(sent) else os.urandom(16).hex()


def _shows_credentials(current: Current) -> bool:
    path = current.request.path
    is_hook = current.request.method == "POST" and "/webhooks" in path  # it shows its secret
    return is_hook or path.startswith("/api/v1/auth/")


def finish(current: Current, response: Response) -> None:
    """Add the headers that depend on the request."""
    headers = current.headers
    present = {name for name, _ in response.headers}
    if "Date" in present:
        del response.headers["Date"]  # the server's own, which all have, would be a second one
    if "Content-Security-Policy" not in present:
        headers.append(("Content-Security-Policy", POLICY))
    if "Cache-Control" not in present:
        directive = "no-store" if _shows_credentials(current) else "private, no-cache"
        headers.append(("Cache-Control", directive))
    if current.request.environ["wsgi.url_scheme"] == "https":
        headers.append(("Strict-Transport-Security", "max-age=31536000; includeSubDomains"))
    headers.append(("X-Request-ID", current.request_id))
    app_ms = (time.perf_counter() - current.started) * 1e3
    database_ms = current.database_seconds * 1e3
    headers.append(("Server-Timing", f"app;dur={app_ms:.1f}, db;dur={database_ms:.1f}"))
