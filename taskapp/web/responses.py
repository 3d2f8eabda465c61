"""Responses that go out as they were made."""

from collections.abc import Iterable
from typing import Any

from flask import Response
from werkzeug.datastructures import Headers


class PlainResponse(Response):
    """Sends our headers as they are; Werkzeug copies them, to correct what these never need."""

    default_mimetype = None  # what has no body has no type

    def get_wsgi_headers(self, environ: Any) -> Headers:
        if self.status_code in {200, 201}:
            return self.headers
        return super().get_wsgi_headers(environ)


class WholeResponse(PlainResponse):
    """A body in memory, or none, with all headers that belong to it."""

    def __init__(self, body: list[bytes], status: int, fields: dict[str, str]) -> None:
        """As werkzeug's own, which looks for a type among the headers, and for what is set."""
        self.headers = Headers()
        for name, value in fields.items():
            self.headers.add(name, value)
        self.status_code = status
        self.response = body
        self.direct_passthrough = False
        self._on_close = []

    def get_wsgi_headers(self, _environ: Any) -> Headers:
        return self.headers

    def get_app_iter(self, environ: Any) -> Iterable[bytes]:
        """The body itself, where Werkzeug has an iterator that encodes, and closes what is open."""
        if self._on_close or environ.get("REQUEST_METHOD") == "HEAD":
            return super().get_app_iter(environ)
        return self.response  # type: ignore[return-value]  # bytes, as `whole` makes it


def whole(body: bytes, status: int, headers: dict[str, str]) -> WholeResponse:
    """JSON, as the client gets it."""
    length = str(len(body))
    own = {"Content-Type": "application/json", "Content-Length": length}
    return WholeResponse([body], status, headers | own)


def not_modified(headers: dict[str, str]) -> WholeResponse:
    """304, without what describes a body."""
    return WholeResponse([], 304, headers)
