"""What stands between a request and a view: strict input in, a typed reply out.

`@accepts` and `@replies` enforce the contract, and leave a note of it that `openapi.py` reads.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

import sqlalchemy as sa
from flask import Response, current_app, g, request
from marshmallow import RAISE, Schema, ValidationError
from sqlalchemy.exc import OperationalError

from taskapp import conditional, cursors, errors, idempotency
from taskapp.body import load_json
from taskapp.extensions import Body, transaction
from taskapp.fields import Resource, encode
from taskapp.pages import Created

View = Callable[..., Any]
ANYONE, USER, ADMIN = "anyone", "user", "admin"
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
    may_raise: tuple[type[errors.Refusal], ...] = ()
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

            if contract.query is None and request.query_string:
                load_query(Schema())
            if request.method in {"GET", "HEAD"}:
                return make()

            def carry_out() -> Response:
                keyed = once and request.method == "POST"
                with transaction():
                    return idempotency.once(kwargs, make) if keyed else make()

            return retried(carry_out)

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
    return make()


def load_query(schema: Schema) -> dict[str, Any]:
    """The query string, each parameter known, sent once, and valid UTF-8."""
    text = request.query_string.decode("latin-1")
    pairs = parse_qsl(text, keep_blank_values=True, errors="surrogateescape")
    g.asked = values = dict(pairs)
    wrong: dict[Any, Any] = {}
    try:
        query: dict[str, Any] = schema.load(values, unknown=RAISE)
    except ValidationError as error:
        wrong = error.messages_dict
    counts = Counter(name for name, _ in pairs)
    wrong |= {name: ["Sent twice."] for name, count in counts.items() if count > 1}
    if wrong:
        raise errors.Invalid(errors=errors.reasons(wrong, "parameter"))
    if "cursor" in query:
        query["cursor"] = cursors.read(query["cursor"])
    return query


def respond(result: Any, contract: Contract) -> Response:
    if contract.reply is None:
        return current_app.response_class(status=contract.status)
    headers: dict[str, str] = {}
    status, secrets = contract.status, dict[str, Any]()
    if isinstance(result, Created):
        status, (result, secrets) = HTTPStatus.CREATED, result
    elif isinstance(result, tuple):  # a page; rows are none
        result = _page(result, headers)
    body = encode({**result._mapping, **secrets} if secrets else result)
    if isinstance(contract.reply, Resource) and status == HTTPStatus.CREATED:
        names = {**result._mapping, **(request.view_args or {})}
        headers["Location"] = contract.reply.url.format_map(names)
    if isinstance(result, sa.Row):
        return conditional.answer(body, status, conditional.etag(result), headers)
    tag = conditional.digest(body) if request.method in {"GET", "HEAD"} else None
    return conditional.answer(body, status, tag, headers)


def _page(page: Any, headers: dict[str, str]) -> Body:
    """A page as its schema names it: a cursor for the key, and no total that nobody asked for."""
    body: Body = {k: v for k, v in page._asdict().items() if (k, v) != ("total", None)}
    key = body.pop("next_key")
    body["next_cursor"] = cursor = None if key is None else cursors.make(key)
    if cursor:
        headers["Link"] = f'<{cursors.url(cursor)}>; rel="next"'
    return body
