"""Cursors: opaque, signed, and good only for the caller and the query they were made for."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import orjson
from fastapi import Request
from itsdangerous import BadData, URLSafeSerializer

from lab.twin.errors import InvalidCursor

# What may change from page to page without making it another list.
FREE = {"cursor", "limit", "total", "fields"}


class _Json:
    """orjson, because keys of lists hold times."""

    dumps = staticmethod(orjson.dumps)
    loads = staticmethod(orjson.loads)


def make(key: list[Any], request: Request, user_id: int) -> str:
    token = _signer(request, user_id).dumps(key)
    return token if isinstance(token, str) else token.decode()


def read(cursor: str, request: Request, user_id: int) -> list[Any]:
    try:
        key: list[Any] = _signer(request, user_id).loads(cursor)
    except (BadData, UnicodeError):
        raise InvalidCursor from None
    return key


def url(cursor: str, request: Request) -> str:
    """This list's next page, as a relative reference (RFC 8288, section 3.1)."""
    return f"{request.url.path}?{urlencode({**request.query_params, 'cursor': cursor})}"


def _signer(request: Request, user_id: int) -> URLSafeSerializer:
    asked: Mapping[str, str] = request.query_params
    narrowed = sorted((name, value) for name, value in asked.items() if name not in FREE)
    salt = repr((request.url.path, user_id, narrowed))
    return URLSafeSerializer(request.app.state.settings.secret_key, salt=salt, serializer=_Json)
