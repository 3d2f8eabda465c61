"""Cursors: opaque, signed, and good only for the caller and the query they were made for."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from hmac import compare_digest, digest
from typing import Any
from urllib.parse import quote

import orjson
from flask import request

from taskapp.errors import InvalidCursor
from taskapp.extensions import secret_keys
from taskapp.web.current import current

# What may change from page to page without making it another list.
PAGING_PARAMETERS = {"cursor", "limit", "total", "fields", "format", "bom"}
SAFE_IN_QUERY = "!$%&'()*+,;=:@/?"  # what may stand in a query as it is (RFC 3986, section 3.4)


def make(key: list[Any]) -> str:
    """A cursor that starts after the row with this key."""
    position = urlsafe_b64encode(orjson.dumps(key)).decode()
    return f"{position}.{_signatures(position)[0]}"


def read(cursor: str) -> list[Any]:
    """The key in a cursor.

    Raises:
        InvalidCursor: It is damaged, or was made for another caller or query.
    """
    position, _, signature = cursor.partition(".")
    sent = signature.encode(errors="replace")  # a damaged one may be no text at all
    for ours in _signatures(position):
        if compare_digest(sent, ours.encode()):
            key = orjson.loads(urlsafe_b64decode(position))
            return list(key)
    reason = {"parameter": "cursor", "detail": "Not a cursor of this list."}
    raise InvalidCursor(errors=[reason])


def next_url(cursor: str) -> str:
    """This list's next page, as a relative reference (RFC 8288, section 3.1)."""
    parts = quote(request.query_string, safe=SAFE_IN_QUERY).split("&")
    others = [part for part in parts if part and not part.startswith("cursor=")]
    others.append(f"cursor={cursor}")
    query = "&".join(others)
    return f"{request.path}?{query}"


def _signatures(position: str) -> list[str]:
    """One with each of our keys. They are compared as text, so that a cursor has one spelling."""
    caller = current().caller
    user_id = None if caller is None else caller.user_id
    query = sorted(current().query.items())
    query = [item for item in query if item[0] not in PAGING_PARAMETERS]
    signed = repr((position, request.path, user_id, query)).encode()
    signatures = []
    for key in secret_keys():
        signature = digest(key.encode(), signed, "sha256")
        signatures.append(signature.hex())
    return signatures
