"""Cursors: opaque, signed, and good only for the caller and the query they were made for."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from hmac import compare_digest, digest
from typing import Any
from urllib.parse import quote

import orjson
from flask import g, request

from taskapp.errors import InvalidCursor
from taskapp.extensions import secret_keys

# What may change from page to page without making it another list.
FREE = {"cursor", "limit", "total", "fields", "format"}
LEFT_ALONE = "!$%&'()*+,;=:@/?"  # what may stand in a query as it is (RFC 3986, section 3.4)


def make(key: list[Any]) -> str:
    position = urlsafe_b64encode(orjson.dumps(key)).decode()
    return f"{position}.{_signatures(position)[0]}"


def read(cursor: str) -> list[Any]:
    position, _, signature = cursor.partition(".")
    sent = signature.encode(errors="replace")  # a damaged one may be no text at all
    if not any(compare_digest(sent, ours.encode()) for ours in _signatures(position)):
        raise InvalidCursor(errors=[{"parameter": "cursor", "detail": "Not ours."}])
    return list(orjson.loads(urlsafe_b64decode(position)))


def url(cursor: str) -> str:
    """This list's next page, as a relative reference (RFC 8288, section 3.1)."""
    parts = quote(request.query_string, safe=LEFT_ALONE).split("&")
    kept = [part for part in parts if part and not part.startswith("cursor=")]
    return f"{request.path}?{'&'.join([*kept, f'cursor={cursor}'])}"


def _signatures(position: str) -> list[str]:
    """With each key of ours. They are compared as text, so that a cursor has one spelling."""
    asked = sorted((name, value) for name, value in g.asked.items() if name not in FREE)
    signed = repr((position, request.path, g.caller and g.caller.user_id, asked)).encode()
    return [digest(key.encode(), signed, "sha256").hex() for key in secret_keys()]
