"""Cursors: opaque, signed, and good only for the caller and the query they were made for."""

from functools import lru_cache
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
    return str(_signer(*secret_keys()).dumps(key, salt=_salt()), "ascii")


def read(cursor: str) -> list[Any]:
    try:
        key: list[Any] = _signer(*secret_keys()).loads(cursor, salt=_salt())
    except (BadData, UnicodeError):
        raise InvalidCursor(errors=[{"parameter": "cursor", "detail": "Not ours."}]) from None
    return key


def url(cursor: str) -> str:
    """This list's next page, as a relative reference (RFC 8288, section 3.1)."""
    parts = quote(request.query_string, safe=LEFT_ALONE).split("&")
    kept = [part for part in parts if part and not part.startswith("cursor=")]
    return f"{request.path}?{'&'.join([*kept, f'cursor={cursor}'])}"


def _salt() -> str:
    asked = sorted((name, value) for name, value in g.asked.items() if name not in FREE)
    return repr((request.path, g.caller and g.caller.user_id, asked))


@lru_cache(2)
def _signer(*keys: str) -> Any:  # of bytes, for which its type has no word
    return URLSafeSerializer(keys[::-1], serializer=orjson)  # positions hold times
