"""What stands between a request and a view: strict input in, a typed reply out.

The decorators enforce the contract and leave a note of it, which `openapi.py` and the guard read.
They stand in this order, outermost first:

    @tasks.post("/tasks")        the route
    @public                      anybody may enter; without it a credential is needed
    @reads_first(…)              ask for what the view reads first along with its caller
    @accepts(query=…, body=…)    load the query and the body, strictly
    @negotiates                  settle the format of a list (web/exports.py)
    @cached(…)                   answer a list from memory or with 304 (web/conditional.py)
    @replies(schema, 201, …)     run the view in a transaction, and render what it returns
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, wraps
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

import orjson
import sqlalchemy as sa
from flask import Response, current_app
from marshmallow import RAISE, Schema, ValidationError
from sqlalchemy.exc import OperationalError

from taskapp import errors
from taskapp.caller import ANY_SCOPE, ANYONE, USER
from taskapp.database.encoding import by_name, encode
from taskapp.database.hot import Hot
from taskapp.database.pages import Accepted, Created, Linked
from taskapp.database.session import Body, transaction
from taskapp.web import conditional, cursors, idempotency
from taskapp.web.addresses import absolute
from taskapp.web.body import load as load_body
from taskapp.web.current import current
from taskapp.web.dates import TimeZone
from taskapp.web.fields import Address, Resource, Time

View = Callable[..., Any]
Prepare = Callable[[Body], Body]
TRIES = 3
REMEMBERED_QUERY = 300  # bytes
NO_PARAMETERS = Schema()
UNENCODED_PLUS = re.compile(" (?=[0-9]{2}:[0-9]{2}$)")
RETRYABLE_SQLSTATES = {"40001", "40P01"}  # serialization_failure, deadlock_detected


@dataclass
class Contract:
    """What a view promises: written by the decorators, read by openapi.py and the guard."""

    access: str = USER
    first: Hot | None = None  # what the guard asks for along with the caller's session
    described: bool = False  # in the OpenAPI document; a page or a file is not
    body: Schema | None = None
    prepare: Prepare | None = None  # what takes long, and is done to the body before any lock
    query: Schema | None = None
    reply: Schema | None = None
    status: int = 200
    accepted: Schema | None = None  # the reply of a 202
    may_raise: tuple[type[errors.Refusal], ...] = ()
    once: bool = True  # a POST takes an Idempotency-Key
    signs_out: bool = False  # who is signed out already may do it again
    creates: bool = False  # 201 where it had to create the resource
    takes: tuple[str, ...] = ()  # the media types of the body, where it is no JSON
    gives: tuple[str, ...] = ()  # the media types of the reply besides JSON
    explains_refusals: bool = False  # as a page, for a person's browser
    also: tuple[int, ...] = ()  # other statuses that have the same reply


def contract_of(view: View) -> Contract:
    """The one contract of a view: `functools.wraps` hands it on to whatever wraps the view."""
    contract: Contract | None = view.__dict__.get("contract")
    if contract is None:
        contract = view.__dict__["contract"] = Contract()
    return contract


def public(view: View) -> View:
    """Let anybody enter; every other route needs a credential."""
    contract_of(view).access = ANYONE
    return view


def reads_first(statement: Hot) -> Callable[[View], View]:
    """Name what the view reads first, which is asked for in one trip with the caller's session.

    Its parameters are `user_id` and the view's own; the view reads it as if it was not there yet.
    """

    def decorate(view: View) -> View:
        contract_of(view).first = statement
        return view

    return decorate


def for_calendars(view: View) -> View:
    """Let any credential enter, a `feed` token, too; who has none is asked for a password."""
    contract_of(view).access = ANY_SCOPE
    return view


def accepts(
    *,
    body: Schema | None = None,
    query: Schema | None = None,
    takes: tuple[str, ...] = (),
    load: Callable[[Schema], Any] = load_body,
    prepare: Prepare | None = None,
) -> Callable[[View], View]:
    """Hand the view what the client sent, validated, as `body` and `query`.

    `prepare` turns the body into what the view gets, before a transaction begins and before an
    Idempotency-Key is taken: a password is estimated and hashed there, since that takes long.
    """

    def decorate(view: View) -> View:
        contract = contract_of(view)
        contract.body, contract.query, contract.takes = body, query, takes
        contract.prepare = prepare

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
    signs_out: bool = False,
    gives: tuple[str, ...] = (),
    also: tuple[int, ...] = (),
    accepted: Schema | None = None,
) -> Callable[[View], View]:
    """Run the view, in a transaction where it may write; render what it returns."""

    def decorate(view: View) -> View:
        contract = contract_of(view)
        contract.access, contract.reply, contract.status = access, reply, status
        contract.may_raise, contract.once, contract.creates = may_raise, once, creates
        contract.gives, contract.also, contract.described = gives, also, True
        contract.signs_out, contract.accepted = signs_out, accepted
        addresses = _address_fields(reply)

        @wraps(view)
        def wrapper(**sent: Any) -> Response:
            kwargs = dict(sent)

            def run() -> Response:
                result = view(**kwargs)
                return result if isinstance(result, Response) else respond(result, contract)

            asking = current().request
            if contract.query is None and asking.query_string:
                load_query(NO_PARAMETERS)
            if asking.method in {"GET", "HEAD"}:
                return run()
            if contract.prepare is not None:
                kwargs["body"] = contract.prepare(sent["body"])
            keyed = once and asking.method == "POST"
            response = _retried(lambda: _write(run, sent if keyed else None))
            return _with_absolute(addresses, response) if addresses else response

        return wrapper

    return decorate


def _address_fields(reply: Schema | None) -> list[str]:
    fields = reply.fields if reply else {}
    return [name for name, field in fields.items() if isinstance(field, Address)]


def _with_absolute(names: list[str], response: Response) -> Response:
    """The answer to a write with absolute addresses: a stored answer has them relative."""
    body = orjson.loads(response.get_data())
    for name in names:
        if name in body:
            body[name] = absolute(body[name])
    response.set_data(encode(body))
    return response


def _write(run: Callable[[], Response], payload: Body | None) -> Response:
    """Carry out a write: all of it is committed here, or nothing is left behind.

    The payload is that of a request that may carry an Idempotency-Key.
    """
    with transaction():
        return run() if payload is None else idempotency.once(payload, run)


def _retried(write: Callable[[], Response]) -> Response:
    """Retry a transaction that PostgreSQL aborted (deadlock, serialization failure), or we did."""
    for _ in range(TRIES - 1):
        try:
            return write()
        except errors.BeginAgain:
            continue
        except OperationalError as error:
            if getattr(error.orig, "pgcode", None) not in RETRYABLE_SQLSTATES:
                raise
    return write()


def load_query(schema: Schema) -> Body:
    """The query string: each parameter known, sent once, and valid UTF-8.

    Raises:
        Invalid: One is not; `errors` names each.
        InvalidCursor
    """
    record = current()
    raw = record.request.query_string
    parse = _remembered_query if len(raw) <= REMEMBERED_QUERY else _read_query
    sent, loaded = parse(schema, raw)
    record.query = dict(sent)
    query: Body = {}
    for name, value in loaded.items():
        query[name] = list(value) if type(value) is list else value
    if "cursor" in query:
        query["cursor"] = cursors.read(query["cursor"])
    return query


def _read_query(schema: Schema, raw: bytes) -> tuple[dict[str, str], Body]:
    """The parameters as they were sent, and what they mean; the same each time, for everybody.

    Whatever depends on the clock or on who is calling is found out of them afterwards.
    """
    pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True, errors="surrogateescape")
    values = {name: _as_sent(schema, name, value) for name, value in pairs}
    messages: dict[Any, Any] = {}
    query: Body = {}
    try:
        query = schema.load(values, unknown=RAISE)
    except ValidationError as error:
        messages = error.messages_dict
        errors.let_go(error)
    for name, count in Counter(name for name, _ in pairs).items():
        if count > 1:
            messages[name] = ["This parameter was sent more than once."]
    if messages:
        raise errors.Invalid(errors=errors.reasons(messages, "parameter"))
    return values, query


_remembered_query = lru_cache(1024)(_read_query)


def _as_sent(schema: Schema, name: str, value: str) -> str:
    """A parameter; in a time or the name of its zone, a space is a `+` that was not encoded."""
    if isinstance(schema.fields.get(name), TimeZone):
        return value.replace(" ", "+")
    if isinstance(schema.fields.get(name), Time):
        return UNENCODED_PLUS.sub("+", value)
    return value


def respond(result: Any, contract: Contract) -> Response:  # noqa: PLR0911 - one for each kind
    """Render what a view returned, by its kind."""
    if contract.reply is None:
        body = None if contract.status == HTTPStatus.NO_CONTENT else b""
        return current_app.response_class(body, contract.status)
    match result:
        case Created(row, secrets):
            return _row_reply(row, HTTPStatus.CREATED, contract, secrets)
        case Accepted(begun):
            return _json_reply(begun, HTTPStatus.ACCEPTED, {})
        case Linked(row, links):
            reply = respond(row, contract)
            for relation, path in links.items():
                reply.headers.add("Link", f'<{path}>; rel="{relation}"')
            return reply
        case sa.Row():
            return _row_reply(result, contract.status, contract, {})
        case tuple():  # a Page, or one of a kind of its own, as Changes
            return _page_reply(result, contract.status)
        case _:
            return _json_reply(result, contract.status, {})


def _row_reply(row: sa.Row[Any], status: int, contract: Contract, secrets: Body) -> Response:
    tag = conditional.etag(row)
    if conditional.is_known(tag):  # what is not sent is not encoded
        return conditional.unchanged(tag, {})
    headers = {"ETag": f'"{tag}"'}
    values = by_name(row)
    if status == HTTPStatus.CREATED and isinstance(contract.reply, Resource):
        names = values | (current().request.view_args or {})
        headers["Location"] = contract.reply.location.format_map(names)
    body = encode(values | secrets)
    return conditional.answer(body, status, None, headers)


def _page_reply(page: Any, status: int) -> Response:
    """A page as its schema names it: a cursor for the key, and no total that nobody asked for."""
    body: Body = page._asdict()
    if body.get("total", 0) is None:
        del body["total"]
    key = body.pop("next_key")
    body["next_cursor"] = None if key is None else cursors.make(key)
    headers: dict[str, str] = {}
    if body["next_cursor"] is not None:
        headers["Link"] = f'<{cursors.next_url(body["next_cursor"])}>; rel="next"'
    return _json_reply(body, status, headers)


def _json_reply(value: Any, status: int, headers: dict[str, str]) -> Response:
    body = encode(value)
    is_read = current().request.method in {"GET", "HEAD"}
    tag = conditional.digest(body) if is_read else None
    return conditional.answer(body, status, tag, headers)
