"""Cursors: opaque, signed, and good only for the caller and the query they were made for."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import orjson
from flask import g, request
from itsdangerous import BadData, URLSafeSerializer, want_bytes

from taskapp.errors import InvalidCursor
from taskapp.extensions import secret_keys

# What may change from page to page without making it another list.
FREE = {"cursor", "limit", "total", "fields", "format"}


def make(key: list[Any], query: Mapping[str, str]) -> str:
    return want_bytes(_signer(query).dumps(key)).decode()


def read(cursor: str, query: Mapping[str, str]) -> list[Any]:
    try:
        key: list[Any] = _signer(query).loads(cursor)
    except (BadData, UnicodeError):
        raise InvalidCursor(errors=[{"parameter": "cursor", "detail": "Not ours."}]) from None
    return key


def url(cursor: str) -> str:
    """This list's next page, as a relative reference (RFC 8288, section 3.1)."""
    return f"{request.path}?{urlencode({**request.args.to_dict(), 'cursor': cursor})}"


def _signer(query: Mapping[str, str]) -> URLSafeSerializer:
    asked = sorted((name, value) for name, value in query.items() if name not in FREE)
    salt = repr((request.path, g.caller and g.caller.user_id, asked))
    return URLSafeSerializer(secret_keys()[::-1], salt=salt, serializer=orjson)  # keys hold times
