"""Conditional requests (RFC 9110, section 13) and remembered lists: the twin of conditional.py."""

import re
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import blake2b
from typing import Annotated

from cachetools import TTLCache
from fastapi import Depends, Request, Response

from lab.twin.database import Row
from lab.twin.errors import PreconditionRequired, StaleRevision

Expect = Callable[[Row], None]
# No lock: on one event loop nothing else runs between two awaits.
remembered: TTLCache[str, tuple[bytes, str | None]] = TTLCache(maxsize=1000, ttl=300)


def digest(value: bytes) -> str:
    return urlsafe_b64encode(blake2b(value, digest_size=12).digest()).decode()


def etag(row: Row) -> str:
    """A strong validator: equal rows are equal answers, byte for byte; a task's is its revision."""
    fields = row._mapping
    if "project_id" in fields and "revision" in fields:
        return f"{fields['project_id']}-{fields['revision']}"
    return digest(repr(tuple(row)).encode())


def tagged(response: Response, tag: str) -> None:
    response.headers["ETag"] = f'"{tag}"'


def unchanged(request: Request, tag: str) -> Response | None:
    """304 for a client that has the answer already."""
    if not _names(request.headers.get("If-None-Match", ""), tag, weak=True):
        return None
    response = Response(status_code=304)
    tagged(response, tag)
    return response


def if_match(request: Request) -> Expect:
    """What the client expects to change; the service calls it under the row's lock."""
    match, none_match = (request.headers.get(name) for name in ("If-Match", "If-None-Match"))
    if match is none_match is None and request.app.state.settings.require_if_match:
        raise PreconditionRequired

    def expect(row: Row) -> None:
        if match is not None and not _names(match, etag(row), weak=False):
            raise StaleRevision
        if none_match is not None and _names(none_match, etag(row), weak=False):
            raise StaleRevision

    return expect


def _names(header: str, tag: str, *, weak: bool) -> bool:
    tags = re.findall(r'(W/)?"([^"]*)"', header)
    return header.strip() == "*" or any(t == tag and (weak or not w) for w, t in tags)


Expected = Annotated[Expect, Depends(if_match)]
