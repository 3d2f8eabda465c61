"""Cursors: opaque, signed, and good only for the caller and the query they were made for."""

from typing import Any
from urllib.parse import quote

import orjson
from flask import g, request
from itsdangerous import BadData, URLSafeSerializer

from taskapp.errors import InvalidCursor
from taskapp.extensions import secret_keys

# What may change from page to page without making it another list.
FREE = {"cursor", "limit", "total", "fields", "format"}
LEFT_ALONE = "!$%&'()*+,;=:@/?"  # what may stand in a query as it is (RFC 3986, section 3.4)


def make(key: list[Any]) -> str:
    token = _serializer().dumps(key)
    return token if isinstance(token, str) else token.decode()


def read(cursor: str) -> list[Any]:
    try:
        return list(_serializer().loads(cursor))
    except (BadData, UnicodeError):
        raise InvalidCursor(errors=[{"parameter": "cursor", "detail": "Not ours."}]) from None


def url(cursor: str) -> str:
    """This list's next page, as a relative reference (RFC 8288, section 3.1)."""
    parts = quote(request.query_string, safe=LEFT_ALONE).split("&")
    kept = [part for part in parts if part and not part.startswith("cursor=")]
    return f"{request.path}?{'&'.join([*kept, f'cursor={cursor}'])}"


def _serializer() -> URLSafeSerializer:
    """Signs with the newest key, takes the one before; the salt ties it to caller and query."""
    asked = sorted((name, value) for name, value in g.asked.items() if name not in FREE)
    salt = repr((request.path, g.caller and g.caller.user_id, asked)).encode(
        "utf-8", "surrogateescape"
    )
    return URLSafeSerializer(secret_keys()[::-1], salt=salt, serializer=_Json)


class _Json:
    """orjson, because keys of lists hold times."""

    dumps = staticmethod(orjson.dumps)
    loads = staticmethod(orjson.loads)
