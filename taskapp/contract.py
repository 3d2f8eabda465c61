"""What stands between a request and a view: strict input in, a typed reply out.

`@accepts` and `@replies` enforce the contract, and leave a note of it that `openapi.py` reads.
"""

import json
import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import wraps
from http import HTTPStatus
from itertools import chain
from typing import Any
from urllib.parse import parse_qsl

import sqlalchemy as sa
from flask import Response, request
from marshmallow import RAISE, Schema, ValidationError
from sqlalchemy.exc import OperationalError

from taskapp import conditional, cursors, errors, idempotency
from taskapp.extensions import db, settings
from taskapp.fields import INT64, Resource, encode
from taskapp.pages import Created

View = Callable[..., Any]
ANYONE, USER, ADMIN = "anyone", "user", "admin"
MAX_DEPTH = 32
TRIES = 3
GIVEN_UP = {"40001", "40P01"}  # PostgreSQL's serialization failure and deadlock


@dataclass
class Contract:
    """What a view promises: written by the decorators below, read by openapi.py and the guard."""

    access: str = USER
    body: Schema | None = None
    query: Schema | None = None
    reply: Schema | None = None
    status: int = 200
    may_raise: tuple[type[errors.Refusal], ...] = field(default=())
    once: bool = True  # a POST takes an Idempotency-Key
    creates: bool = False  # 201 where it had to make the resource
    takes: tuple[str, ...] = ()  # the media types of the body, where it is no JSON
    gives: tuple[str, ...] = ()  # the media types of the reply besides JSON


def contract_of(view: View) -> Contract:
    contract: Contract = view.__dict__.setdefault("contract", Contract())
    return contract


def accepts(
    *,
    body: Schema | None = None,
    query: Schema | None = None,
    takes: tuple[str, ...] = (),
    load: Callable[[Schema], Any] = lambda schema: schema.load(load_json()),
) -> Callable[[View], View]:
    """Hand the view what the client sent, validated, as `body` and `query`."""

    def decorate(view: View) -> View:
        contract = contract_of(view)
        contract.body, contract.query, contract.takes = body, query, takes

        @wraps(view)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            if query is not None:
                kwargs["query"] = load_query(query)
            if body is not None:
                kwargs["body"] = load(body)
            return view(*args, **kwargs)

        return wrapper

    return decorate


def replies(  # noqa: PLR0913 - what a route says of itself stands in one place
    reply: Schema | None = None,
    status: int = 200,
    *may_raise: type[errors.Refusal],
    access: str = USER,
    once: bool = True,
    creates: bool = False,
    gives: tuple[str, ...] = (),
) -> Callable[[View], View]:
    """Turn what the view returns into JSON with one schema and one status."""

    def decorate(view: View) -> View:
        contract = contract_of(view)
        contract.access, contract.reply, contract.status = access, reply, status
        contract.may_raise, contract.once, contract.creates = may_raise, once, creates
        contract.gives = gives

        @wraps(view)
        def wrapper(**kwargs: Any) -> Response:
            def make() -> Response:
                result = view(**kwargs)
                return result if isinstance(result, Response) else respond(result, contract)

            if contract.query is None:
                load_query(NO_QUERY)
            keyed = once and request.method == "POST"
            return retried(lambda: idempotency.once(kwargs, make) if keyed else make())

        return wrapper

    return decorate


def retried(make: Callable[[], Response]) -> Response:
    """Try again what the database gave up to let somebody else through: nothing of it is left."""
    for _ in range(TRIES - 1):
        try:
            return make()
        except OperationalError as error:
            if getattr(error.orig, "pgcode", None) not in GIVEN_UP:
                raise
            db.session.rollback()
    return make()


NO_QUERY = Schema()


def load_query(schema: Schema) -> dict[str, Any]:
    """The query string, each parameter known, sent once, and valid UTF-8."""
    text = request.query_string.decode("latin-1")
    pairs = parse_qsl(text, keep_blank_values=True, errors="surrogateescape")
    values = dict(pairs)
    wrong: dict[Any, Any] = {}
    try:
        query: dict[str, Any] = schema.load(values, unknown=RAISE)
    except ValidationError as error:
        wrong = error.messages_dict
    counts = Counter(name for name, _ in pairs)
    wrong |= {name: ["Sent twice."] for name, count in counts.items() if count > 1}
    if wrong:
        raise errors.Invalid(errors=errors.reasons(wrong, "parameter"))
    if query.get("cursor"):
        query["cursor"] = cursors.read(query["cursor"], values)
    return query


def load_json() -> dict[str, Any]:
    """The body as strict JSON."""
    readers = dict.fromkeys(media_types(request.method), strict_json)
    return read_object(readers, settings().max_body_bytes)


def read_object(readers: Mapping[str, Callable[[bytes], Any]], most: int) -> dict[str, Any]:
    """The body, read as its media type says; an object, whatever the type."""
    raw = read_body(most)
    _check_media_type(raw, readers)
    value = readers.get(request.mimetype, strict_json)(raw)
    if not isinstance(value, dict):
        raise errors.Invalid(errors=[{"pointer": "", "detail": "The body must be an object."}])
    return value


def strict_json(raw: bytes) -> Any:
    """JSON that says each thing once (RFC 8259, I-JSON RFC 7493)."""
    try:
        value = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_refuse,
            parse_int=_int64,
            parse_float=_double,
        )
    except (ValueError, RecursionError):
        raise errors.MalformedJson from None
    if _depth(value) > MAX_DEPTH:
        raise errors.MalformedJson
    return value


def read_body(most: int) -> bytes:
    """The whole body: neither longer than allowed nor shorter than it says it is."""
    length = request.content_length
    if length is not None and length > most:
        raise errors.PayloadTooLarge
    try:
        raw: bytes = request.environ["wsgi.input"].read(most + 1 if length is None else length)
    except OSError:  # gunicorn's word for a malformed chunk
        raise errors.MalformedRequest from None
    if len(raw) > most:
        raise errors.PayloadTooLarge
    if length is not None and len(raw) < length:
        raise errors.MalformedRequest("The body is shorter than its Content-Length.")
    return raw


def media_types(method: str) -> tuple[str, ...]:
    """What a body may come as; RFC 7396 has a name of its own for partial updates."""
    merge_patch = ("application/merge-patch+json",) if method == "PATCH" else ()
    return ("application/json", *merge_patch)


def _check_media_type(raw: bytes, known: Collection[str]) -> None:
    if request.content_encoding not in (None, "", "identity"):
        raise errors.UnsupportedMediaType
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    fits = request.mimetype in known and charset == "utf-8"
    if (raw or request.content_type) and not fits:
        raise errors.UnsupportedMediaType


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("duplicate key")
    return members


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _int64(digits: str) -> int:
    if len(digits) > 20 or not -INT64 - 1 <= int(digits) <= INT64:
        raise ValueError("past int64")
    return int(digits)


def _double(digits: str) -> float:
    if math.isinf(value := float(digits)):
        raise ValueError("past double")
    return value


def _depth(value: Any) -> int:
    """How deep the value nests; level by level, so that no input can exhaust the stack."""
    depth, level = 0, [value]
    while level := [v for v in level if isinstance(v, dict | list)]:
        depth += 1
        inner = (v.values() if isinstance(v, dict) else v for v in level)
        level = list(chain.from_iterable(inner))
    return depth


def respond(result: Any, contract: Contract) -> Response:
    if contract.reply is None:
        return Response(status=contract.status)
    headers: dict[str, str] = {}
    status = contract.status
    if isinstance(result, Created):
        status, result = HTTPStatus.CREATED, result.row
    elif hasattr(result, "next_key"):
        result = _page(result, headers)
    body = encode(result)
    if isinstance(contract.reply, Resource) and status == HTTPStatus.CREATED:
        fields_of = result._mapping if isinstance(result, sa.Row) else result
        names = {**fields_of, **(request.view_args or {})}
        headers["Location"] = contract.reply.url.format_map(names)
    if isinstance(result, sa.Row):
        return conditional.answer(body, status, conditional.etag(result), headers)
    tagged = status == HTTPStatus.CREATED or request.method in {"GET", "HEAD"}
    tag = conditional.digest(body) if tagged else None
    return conditional.answer(body, status, tag, headers)


def _page(page: Any, headers: dict[str, str]) -> dict[str, Any]:
    """A page as its schema names it: a cursor for the key, and no total that nobody asked for."""
    body: dict[str, Any] = {k: v for k, v in page._asdict().items() if (k, v) != ("total", None)}
    key = body.pop("next_key")
    body["next_cursor"] = None if key is None else cursors.make(key, request.args)
    if key is not None:
        headers["Link"] = f'<{cursors.url(body["next_cursor"])}>; rel="next"'
    return body
