"""The body of a request, as strict as it can be read: all of it, and each thing said once."""

import json
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from copy import copy
from functools import lru_cache
from typing import Any

import orjson
from marshmallow import Schema, ValidationError, fields, missing
from werkzeug.http import parse_options_header
from werkzeug.wsgi import get_content_length

from taskapp import errors
from taskapp.web.current import current
from taskapp.web.fields import INT64

MAX_DEPTH = 32
LARGE = 256 * 1024  # bytes
MAX_VALUES = 50_000  # twice what a batch of 500 tasks can hold
MAX_ITEMS = 1_000  # twice that batch
# No schema has so many fields, so an object with more is refused, whatever is left of it.
MAX_MEMBERS = 200
Field = fields.Field[Any]
# Kinds of fields that look at nothing but their value.
FLAT = (fields.String, fields.Integer, fields.Boolean, fields.DateTime, fields.Date)


def load(schema: Schema) -> Any:
    """The body, as its schema has it.

    Where nothing is missing, unknown or wrong, the fields are asked for their values and no more
    happens; marshmallow, which gathers all that is wrong, does the rest.
    """
    body = load_json()
    sent = frozenset(schema.load_fields.keys() & body.keys())
    narrowed = _narrowed(schema, sent)
    if len(sent) < len(body) or not _is_flat(narrowed, sent):
        return narrowed.load(body)
    try:
        return _read_each(narrowed.load_fields, body)
    except ValidationError:
        return narrowed.load(body)


def _read_each(known: Mapping[str, Field], body: dict[str, Any]) -> dict[str, Any]:
    values = {}
    for name, field in known.items():
        values[name] = field.deserialize(body[name], name, body)
    return values


@lru_cache(1024)
def _is_flat(schema: Schema, sent: frozenset[str]) -> bool:
    """Whether nothing is missing, and each value means what its own field says."""
    if schema.load_fields.keys() != sent or any(schema._hooks.values()):
        return False
    return all(isinstance(field, FLAT) for field in schema.load_fields.values())


@lru_cache(1024)
def _narrowed(schema: Schema, sent: frozenset[str]) -> Schema:
    """The same without the fields that may be missing and are: marshmallow visits each it has."""
    narrowed = copy(schema)
    narrowed.load_fields = dict(schema.load_fields)
    for name, field in schema.load_fields.items():
        if name not in sent and (schema.partial is True or _may_be_missing(field)):
            del narrowed.load_fields[name]
    return narrowed


def _may_be_missing(field: Field) -> bool:
    return not field.required and field.load_default is missing


def load_json() -> dict[str, Any]:
    """The body as strict JSON."""
    record = current()
    readers = dict.fromkeys(media_types(record.request.method), bounded_json)
    return read_object(readers, record.settings.max_body_bytes)


def read_json_body() -> bytes:
    """The body, which says that it is JSON, and is not read as such yet."""
    record = current()
    raw = read_body(record.settings.max_body_bytes)
    _check_media_type(raw, media_types(record.request.method))
    return raw


def read_object(readers: Mapping[str, Callable[[bytes], Any]], most: int) -> dict[str, Any]:
    """The body, read as its media type says; an object, whatever the type."""
    raw = read_body(most)
    media_type = _check_media_type(raw, readers)
    value = readers.get(media_type, bounded_json)(raw)
    if not isinstance(value, dict):
        raise errors.Invalid(errors=[{"pointer": "", "detail": "The body must be an object."}])
    return value


def bounded_json(raw: bytes) -> Any:
    """Strict JSON of no more values than any schema takes.

    Raises:
        Invalid: There are more; the pointer is that of a list with too many by itself.
        MalformedJson
    """
    # There are no more values than these signs, of which a text may have as many as it likes.
    if raw.count(b",") + raw.count(b"[") + raw.count(b"{") >= MAX_VALUES:
        _refuse_many_values(raw)
    return strict_json(raw)


def _refuse_many_values(raw: bytes) -> None:
    """By a reader in C: ours takes as long as there are values."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise errors.MalformedJson from None
    count = 0
    for level in _levels(value):
        count += len(level)
        if count > MAX_VALUES:
            raise errors.Invalid(errors=_many_values(value))


def _many_values(value: Any) -> list[errors.Reason]:
    """Which of the body's lists are too long; else the body is."""
    messages = {}
    members = value.items() if isinstance(value, dict) else ()
    for name, each in members:
        if isinstance(each, list) and len(each) > MAX_ITEMS:
            messages[name] = ["It has too many items."]
    all_of_it = {"_schema": [f"There are more than {MAX_VALUES:,} values in it."]}
    return errors.reasons(messages or all_of_it)


def strict_json(raw: bytes) -> Any:
    """JSON that says each thing once (RFC 8259, I-JSON RFC 7493)."""
    try:
        value = DECODER.decode(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        raise errors.MalformedJson from None
    # It is no deeper than it has brackets, and most bodies have few.
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and depth_of(value) > MAX_DEPTH:
        raise errors.MalformedJson
    return value


def read_body(most: int) -> bytes:
    """The whole body: neither longer than allowed nor shorter than it says it is."""
    environ = current().request.environ
    length = get_content_length(environ)
    if environ.get("HTTP_TRANSFER_ENCODING", "chunked").lower() != "chunked":
        raise errors.MalformedRequest
    if length is not None and length > most:
        raise errors.PayloadTooLarge
    try:
        raw: bytes = environ["wsgi.input"].read(most + 1 if length is None else length)
    except OSError:  # gunicorn's word for a malformed chunk
        raise errors.MalformedRequest from None
    if len(raw) > most:
        raise errors.PayloadTooLarge
    current().was_large = len(raw) > LARGE
    if length is not None and len(raw) < length:
        raise errors.MalformedRequest("The body is shorter than its Content-Length.")
    return raw


def media_types(method: str) -> tuple[str, ...]:
    """What a body may come as; RFC 7396 has a name of its own for partial updates."""
    merge_patch = ("application/merge-patch+json",) if method == "PATCH" else ()
    return ("application/json", *merge_patch)


def _check_media_type(raw: bytes, known: Collection[str]) -> str:
    """The media type, which this route takes; a charset says nothing of JSON (RFC 8259, 11).

    Raises:
        UnsupportedMediaType: It says what the route takes.
    """
    environ = current().request.environ
    content_type = environ.get("CONTENT_TYPE", "")
    media_type = _media_type(content_type)
    sent = bool(raw or content_type)
    if is_compressed() or (sent and media_type not in known):
        detail = f"The body must be {' or '.join(known)}, uncompressed and in UTF-8."
        raise errors.UnsupportedMediaType(detail)
    return media_type


def is_compressed() -> bool:
    """Whether the body has a content coding (RFC 9110, section 8.4.1: named in any case)."""
    coding: str = current().request.environ.get("HTTP_CONTENT_ENCODING", "")
    return coding.lower() not in {"", "identity"}


@lru_cache(100)
def _media_type(content_type: str) -> str:
    """Without its parameters (RFC 9110, 8.3.1)."""
    media_type, _ = parse_options_header(content_type)
    return media_type.lower()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("duplicate key")
    if len(members) > MAX_MEMBERS:
        return dict(pairs[:MAX_MEMBERS])
    return members


def _int64(digits: str) -> int:
    if len(digits) > 20 or not -INT64 - 1 <= int(digits) <= INT64:
        raise ValueError("past int64")
    return int(digits)


def _double(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError("past double")
    return value


def depth_of(value: Any) -> int:
    """How deep the value nests."""
    return sum(any(isinstance(each, dict | list) for each in level) for level in _levels(value))


def _levels(value: Any) -> Iterator[list[Any]]:
    """The values, level by level, so that no input can exhaust the stack."""
    level = [value]
    while level:
        yield level
        inner: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                inner.extend(each.values())
            elif isinstance(each, list):
                inner.extend(each)
        level = inner


DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_constant=int,  # which no NaN and no Infinity is
    parse_int=_int64,
    parse_float=_double,
)
