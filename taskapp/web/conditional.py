"""Conditional requests (RFC 9110, section 13): ETag, If-None-Match, If-Match, cached lists."""

import re
from base64 import urlsafe_b64encode
from collections.abc import Callable
from functools import partial, wraps
from hashlib import blake2b
from typing import Any

import sqlalchemy as sa
from flask import Response
from werkzeug.datastructures import ETags

from taskapp.database.caches import MAX_VALUE_BYTES
from taskapp.database.session import Precondition
from taskapp.errors import PreconditionRequired, StaleRevision
from taskapp.extensions import cache
from taskapp.web.current import Current, caller, current
from taskapp.web.metrics import LOOKUPS
from taskapp.web.responses import not_modified, whole

View = Callable[..., Any]
CACHED_SECONDS = 300


# What proxies that compress make of `"tag"`: nginx and Apache, Caddy, Jetty.
COMPRESSED = re.compile("(?:--?|;)(?:gzip|br|zstd|deflate)")


def digest(value: bytes) -> str:
    return urlsafe_b64encode(blake2b(value, digest_size=12).digest()).decode()


def etag(row: sa.Row[Any]) -> str:
    """A strong validator: equal rows are equal responses, byte for byte.

    A task's is "<project_id>-<revision>", so that an item of any list is enough to write it.
    """
    try:
        return f"{row.project_id}-{row.revision}"
    except AttributeError:
        return digest(repr(tuple(row)).encode())


def answer(body: bytes, status: int, tag: str | None, headers: dict[str, str]) -> Response:
    """The body with its ETag, or 304 for a client that has it already."""
    if tag is not None:
        if is_known(tag):
            return unchanged(tag, headers)
        headers["ETag"] = f'"{tag}"'
    return whole(body, status, headers)


def unchanged(tag: str, headers: dict[str, str]) -> Response:
    """304, with the headers that the body would have had."""
    return not_modified({**headers, "ETag": f'"{tag}"'})


def is_known(tag: str) -> bool:
    """Whether the client that asks has this version already."""
    asking = current().request
    sent = asking.environ.get("HTTP_IF_NONE_MATCH")
    if sent is None or asking.method not in {"GET", "HEAD"}:
        return False
    return sent == f'"{tag}"' or is_named(tag, asking.if_none_match)


def is_named(tag: str, sent: ETags) -> bool:
    """Whether If-Match or If-None-Match names this version.

    A proxy that compresses makes `W/"tag"` or `"tag-gzip"` of `"tag"`: what it hands the client is
    the version all the same, and to refuse it (RFC 9110, 13.1.1) would lock that client out.
    """
    if sent.contains_weak(tag):
        return True
    changed = [each for each in sent.as_set(include_weak=True) if each and each.startswith(tag)]
    # A tag may end in a hyphen, so the suffix is what comes after it.
    return any(COMPRESSED.fullmatch(each, len(tag)) for each in changed)


def if_match() -> Precondition:
    """What the client expects to change; the service calls it under the row's lock.

    A PUT may make its resource: then there is no row, which `If-None-Match: *` asks for.
    """
    record = current()
    asking = record.request
    wanted = "HTTP_IF_MATCH" in asking.environ
    unwanted = "HTTP_IF_NONE_MATCH" in asking.environ
    conditional = wanted or (unwanted and asking.method == "PUT")
    if record.settings.require_if_match and not conditional:
        raise PreconditionRequired

    def precondition(row: sa.Row[Any] | None) -> None:
        if not conditional and not unwanted:
            return
        tag = None if row is None else etag(row)
        if wanted and (tag is None or not is_named(tag, asking.if_match)):
            raise StaleRevision
        if unwanted and tag is not None and is_named(tag, asking.if_none_match):
            raise StaleRevision

    return precondition


def cached(revisions: Callable[[Any], Any]) -> Callable[[View], View]:
    """Answer from memory while the question and the revisions behind it are the same.

    Nothing has to be forgotten: a write raises a revision, and the question has another tag.
    The revisions are read before the rows, so that an answer can only be newer than its tag.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def wrapper(query: dict[str, Any]) -> Response:
            seen = revisions(caller())
            question = _question(current(), query)
            tag = digest(f"{question}{seen}".encode())
            anything = current().request.environ.get("HTTP_IF_NONE_MATCH") == "*"
            if is_known(tag) and not anything:  # only who saw the answer knows its tag
                return unchanged(tag, {})
            make = partial(view, query=query, seen=seen)
            # A stream may be larger than memory, and to write it is what it costs.
            cacheable = query["format"] == "json"
            response = _from_cache(question, tag, make) if cacheable else make()
            if anything and is_known(tag):
                response.close()
                return unchanged(tag, {})
            response.set_etag(tag)
            return response

        return wrapper

    return decorate


def _question(asked: Current, query: dict[str, Any]) -> str:
    """What is asked, and by whom, with our key: others may cache things in the same Redis.

    Also as it was sent: the page's cursor is good for that spelling alone.
    """
    key, user_id = asked.settings.secret_key, asked.signed_in().user_id
    return repr((key, asked.request.path, user_id, asked.query, query))


def _from_cache(question: str, tag: str, make: Callable[[], Response]) -> Response:
    """The body as it goes out, below its tag and its Link; the key names that form.

    An answer takes the place of the one before, which nobody can ask for any more.
    """
    key = f"tag+link+body:{digest(question.encode())}"
    stored_tag, _, stored = (cache.get(key) or b"").partition(b"\n")
    if stored_tag == tag.encode():
        LOOKUPS.labels("hit").inc()
        link, _, body = stored.partition(b"\n")
        headers = {"Link": link.decode()} if link else {}
        return answer(body, 200, None, headers)
    LOOKUPS.labels("miss").inc()
    response = make()
    link = response.headers.get("Link", "").encode()
    body = response.get_data()
    if len(body) <= MAX_VALUE_BYTES:  # a copy of a larger one would only be left out
        cache.set(key, b"\n".join([tag.encode(), link, body]), timeout=CACHED_SECONDS)
    return response
