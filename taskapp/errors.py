"""Every refusal a client can meet, and the one place that renders them (RFC 9457)."""

import re
from collections.abc import Iterator
from http import HTTPStatus
from itertools import islice
from typing import Any, ClassVar, Self

import orjson
from flask import Flask, Response, current_app, g
from gunicorn.http.errors import ParseException  # a malformed chunk, noticed while it is read
from marshmallow import ValidationError as MarshmallowError
from sqlalchemy import exc as sql
from werkzeug.exceptions import BadHost, HTTPException

Reason = dict[str, str]
MAX_REASONS = 100
NO_TEXT = re.compile(r"[\x00-\x1f\ud800-\udfff]")


class Refusal(Exception):
    """A request that the service will not carry out, and why.

    The first paragraph of each docstring is what `/problems/<code>` says; the second is the
    command that fixes it.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal-error"
    example: ClassVar[str] = ""  # an answer, and how it is read
    named: ClassVar[dict[str, type["Refusal"]]] = {}

    def __init__(self, detail: str = "", *, errors: list[Reason] | None = None):
        super().__init__(detail)
        self.detail = detail or explanation(type(self))
        self.errors = errors
        self.headers: dict[str, str] = {}
        self.members: dict[str, Any] = {}  # besides those of every problem (RFC 9457, section 3.2)

    def of_operation(self, number: int) -> Self:
        """The same refusal, of one operation of a batch."""
        place = f"/operations/{number}"
        if not self.errors:
            self.errors = [{"pointer": place, "detail": self.detail}]
            return self
        for reason in self.errors:
            reason["pointer"] = f"{place}/body{reason['pointer']}"
        return self

    def __init_subclass__(cls, *, status: int = 0, code: str = "") -> None:
        cls.status = status or cls.status
        if code:
            cls.code = code
            Refusal.named[code] = cls


class MalformedRequest(Refusal, status=400, code="malformed-request"):
    """The request is not well-formed HTTP, or its body is not as long as it says.

    curl --http1.1 -v $URL/api/v1/tasks -H "Authorization: Bearer $TOKEN"
    """


class MalformedJson(Refusal, status=400, code="malformed-json"):
    """The body is not strict JSON in UTF-8: no duplicate keys, NaN, BOM, trailing text or deep nesting.

    curl $URL/api/v1/tasks -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{"title": "Water the fern"}'
    """


class InvalidHost(Refusal, status=400, code="invalid-host"):
    """The Host header is missing or malformed, or names no host that this service answers to.

    curl -v $URL/health
    """


class Unauthorized(Refusal, status=401, code="unauthorized"):
    """This needs a credential: an access token as Bearer.

    curl $URL/api/v1/tasks -H "Authorization: Bearer $TOKEN"
    """


class InvalidToken(Refusal, status=401, code="invalid-token"):
    """The token is not one that this service made for this purpose.

    curl $URL/api/v1/auth/login -H 'Content-Type: application/json' -d '{"email": "…", "password": "…"}'
    """


class TokenExpired(Refusal, status=401, code="token-expired"):
    """The token was good and has run out: refresh it.

    curl $URL/api/v1/auth/refresh -H 'Content-Type: application/json' -d '{"refresh_token": "…"}'
    """


class TokenRevoked(Refusal, status=401, code="token-revoked"):
    """The session has ended, or its user was disabled or deleted: sign in again.

    curl $URL/api/v1/auth/login -H 'Content-Type: application/json' -d '{"email": "…", "password": "…"}'
    """


class TokenReused(Refusal, status=401, code="token-reused"):
    """This refresh token was used before, so its session has ended: sign in again.

    curl $URL/api/v1/auth/login -H 'Content-Type: application/json' -d '{"email": "…", "password": "…"}'
    """


class WrongCredentials(Refusal, status=401, code="wrong-credentials"):
    """The e-mail address and the password do not belong together.

    curl $URL/api/v1/auth/login -H 'Content-Type: application/json' -d '{"email": "…", "password": "…"}'
    """


class SecondFactorRequired(Refusal, status=401, code="second-factor-required"):
    """The password is right, and this account wants a code, too: send it with this ticket.

    curl $URL/api/v1/auth/login/totp -H 'Content-Type: application/json' -d '{"ticket": "…", "code": "123456"}'
    """

    @classmethod
    def with_ticket(cls, ticket: str) -> Self:
        refusal = cls()
        refusal.members["ticket"] = ticket
        return refusal


class Forbidden(Refusal, status=403, code="forbidden"):
    """You may see this but not change it: ask an owner of the project, or an admin.

    curl $URL/api/v1/projects -H "Authorization: Bearer $TOKEN"
    """


class InsufficientScope(Refusal, status=403, code="insufficient-scope"):
    """The credential is valid but was not given the scope that this needs.

    curl $URL/api/v1/auth/token -H "Authorization: Bearer $TOKEN"
    """


class RegistrationClosed(Refusal, status=403, code="registration-closed"):
    """Nobody can register here: ask the person who runs the service for an account.

    curl $URL/api/v1/auth/login -H 'Content-Type: application/json' -d '{"email": "…", "password": "…"}'
    """


class NotFound(Refusal, status=404, code="not-found"):
    """There is no such thing, or you may not see it.

    curl $URL/api/v1/tasks -H "Authorization: Bearer $TOKEN"
    """


class MethodNotAllowed(Refusal, status=405, code="method-not-allowed"):
    """This URL does not know that method: the Allow header names those it knows.

    curl -i -X OPTIONS $URL/api/v1/tasks
    """


class NotAcceptable(Refusal, status=406, code="not-acceptable"):
    """None of the media types in Accept can be made here.

    curl $URL/api/v1/tasks -H "Authorization: Bearer $TOKEN" -H 'Accept: application/json'
    """


class Conflict(Refusal, status=409, code="conflict"):
    """The request is at odds with what is stored: the detail says with what.

    curl $URL/api/v1/projects -H "Authorization: Bearer $TOKEN"
    """


class QuotaExceeded(Refusal, status=409, code="quota-exceeded"):
    """There is as much of this already as the service's operator allows: delete some of it first.

    curl $URL/api/v1/projects -H "Authorization: Bearer $TOKEN"
    """


class EmailTaken(Refusal, status=409, code="email-taken"):
    """Another account has this e-mail address; capital letters make no difference.

    curl $URL/api/v1/auth/login -H 'Content-Type: application/json' -d '{"email": "…", "password": "…"}'
    """


class RequestInProgress(Refusal, status=409, code="request-in-progress"):
    """A request with this Idempotency-Key is still being carried out: ask again in a moment.

    curl --retry 5 --retry-all-errors $URL/api/v1/tasks -H "Authorization: Bearer $TOKEN" -H "Idempotency-Key: $KEY" -H 'Content-Type: application/json' -d '{"title": "Water the fern"}'
    """


class CursorExpired(Refusal, status=410, code="cursor-expired"):
    """The cursor is older than what is kept of deletions: start again without one.

    curl $URL/api/v1/changes -H "Authorization: Bearer $TOKEN"
    """


class StaleRevision(Refusal, status=412, code="precondition-failed"):
    """It was changed since you read it: read it again, and send its new ETag.

    curl -i $URL/api/v1/tasks/1 -H "Authorization: Bearer $TOKEN" | grep -i etag
    """


class PayloadTooLarge(Refusal, status=413, code="payload-too-large"):
    """The body is larger than this URL takes: send less at once.

    curl $URL/openapi.json
    """


class UnsupportedMediaType(Refusal, status=415, code="unsupported-media-type"):
    """The body must be application/json, uncompressed and in UTF-8.

    curl $URL/api/v1/tasks -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{"title": "Water the fern"}'
    """


class RangeNotSatisfiable(Refusal, status=416, code="range-not-satisfiable"):
    """The range lies outside these bytes: Content-Range says how many there are.

    curl -OJ $URL/api/v1/tasks/1/attachments/1 -H "Authorization: Bearer $TOKEN" -H 'Range: bytes=0-99'
    """


class Invalid(Refusal, status=422, code="validation-error"):
    """Some fields or parameters are not as they must be: `errors` names each one.

    curl $URL/api/v1/tasks -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{"title": "Water the fern", "priority": "high"}'
    """

    example = """\
curl $URL/api/v1/tasks/batch -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '
  {"operations": [{"op": "create", "body": {"title": "Water the fern", "priority": "highest"}}]}'

{
  "type": "/problems/validation-error",
  "title": "Validation error",
  "status": 422,
  "detail": "Some fields or parameters are not as they must be: `errors` names each one.",
  "code": "validation-error",
  "request_id": "8f14e45fceea467a9a0c2f6a7b7d1c3e",
  "errors": [
    {
      "pointer": "/operations/0/body/priority",
      "detail": "Must be one of: none, low, medium, high, urgent."
    }
  ]
}

`pointer` says where in the body (RFC 6901): in `operations` the first one (they count from 0), of its
`body` the member `priority`; "" is the body itself. A query parameter has its name in `parameter`
instead. `detail` says what would be right. There are at most 100 of them."""

    @classmethod
    def field(cls, name: str, detail: str) -> Self:
        return cls(errors=[{"pointer": f"/{name}", "detail": detail}])


class InvalidCursor(Refusal, status=422, code="invalid-cursor"):
    """The cursor is damaged or belongs to another query: start again without one.

    curl "$URL/api/v1/tasks?limit=50" -H "Authorization: Bearer $TOKEN"
    """


class IdempotencyMismatch(Refusal, status=422, code="idempotency-mismatch"):
    """This Idempotency-Key was used for another payload: a new request wants a new key.

    curl $URL/api/v1/tasks -H "Authorization: Bearer $TOKEN" -H "Idempotency-Key: $(uuidgen)" -H 'Content-Type: application/json' -d '{"title": "Water the fern"}'
    """


class PreconditionRequired(Refusal, status=428, code="precondition-required"):
    """A write here must say which version it changes: send If-Match with the ETag you read.

    curl -X PATCH $URL/api/v1/tasks/1 -H "Authorization: Bearer $TOKEN" -H 'If-Match: "…"' -H 'Content-Type: application/json' -d '{"status": "done"}'
    """


class RateLimited(Refusal, status=429, code="rate-limited"):
    """Too many requests: wait as many seconds as Retry-After says.

    curl --retry 5 $URL/api/v1/tasks -H "Authorization: Bearer $TOKEN"
    """

    @classmethod
    def after(cls, seconds: int) -> Self:
        refusal = cls("Too many failed sign-ins: wait as many seconds as Retry-After says.")
        refusal.headers["Retry-After"] = str(max(1, seconds))
        return refusal


class InternalError(Refusal, status=500, code="internal-error"):
    """Something broke on our side; nothing of your request was kept. Tell us the request_id.

    curl --retry 3 $URL/health/ready
    """


class DatabaseUnavailable(Refusal, status=503, code="database-unavailable"):
    """The database cannot be reached; nothing of your request was kept. Try again.

    curl --retry 5 $URL/health/ready
    """


class DatabaseBusy(Refusal, status=503, code="database-busy"):
    """The database is too busy to take this write; nothing of it was kept. Try again.

    curl --retry 5 $URL/api/v1/tasks -H "Authorization: Bearer $TOKEN"
    """


class BeginAgain(DatabaseBusy):
    """The task was moved while this waited, each time that it was tried. Try again."""


class ProviderUnavailable(Refusal, status=503, code="provider-unavailable"):
    """The identity provider cannot be reached, or its answers make no sense. Try again.

    curl --retry 5 $URL/api/v1/auth/providers
    """


class StorageFull(Refusal, status=503, code="storage-full"):
    """The disk is full or read-only, so writes are refused; reads go on.

    curl $URL/api/v1/tasks -H "Authorization: Bearer $TOKEN"
    """


# What every route that wants a credential may say, every write of tasks, and every conditional write.
CREDENTIALS = (Unauthorized, InvalidToken, TokenExpired, TokenRevoked, InsufficientScope)
WRITES = (Forbidden, NotFound, Conflict, QuotaExceeded)
CONDITIONS = (StaleRevision, PreconditionRequired)
# What stands for an error of werkzeug's own, by its status; any other is an error of ours.
BY_STATUS: dict[int, type[Refusal]] = {
    400: MalformedRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    405: MethodNotAllowed,
    406: NotAcceptable,
    409: Conflict,
    410: CursorExpired,
    412: StaleRevision,
    413: PayloadTooLarge,
    415: UnsupportedMediaType,
    416: RangeNotSatisfiable,
    422: Invalid,
    428: PreconditionRequired,
    429: RateLimited,
    503: DatabaseUnavailable,
}
HEADERS_OF_WERKZEUG = {"Allow", "Retry-After", "Content-Range"}  # that go on to the client
# SQLSTATEs (PostgreSQL, appendix A): disk_full and read_only_sql_transaction.
DISK_FULL, READ_ONLY = "53100", "25006"
# Classes: operator_intervention by shutdown; transaction_rollback, object_not_in_prerequisite_state
# (a lock that was waited for too long), operator_intervention (a statement that ran too long).
SERVER_STOPPED = "57P"
BUSY = ("40", "55", "57")
SQLITE_READ_ONLY = "readonly"
SQLITE_STORAGE_FULL = re.compile(r"is full|disk I/O")
SQLITE_BUSY = re.compile(r"locked|interrupted")


def explanation(refusal: type[Refusal]) -> str:
    """What the code means: the first paragraph of the docstring, as one line."""
    owner = Refusal.named.get(refusal.code, refusal)
    text = refusal.__doc__ or owner.__doc__ or ""
    paragraph = text.partition("\n\n")[0]
    return " ".join(paragraph.split())


def title(refusal: type[Refusal]) -> str:
    return refusal.code.replace("-", " ").capitalize()


def described(refusal: Refusal, status: int, request_id: str, prefix: str = "") -> dict[str, Any]:
    """A refusal as RFC 9457 has it."""
    reference = f"{prefix}/problems/{refusal.code}"
    body: dict[str, Any] = {
        "type": reference,
        "title": title(type(refusal)),
        "status": status,
        "detail": refusal.detail,
        "code": refusal.code,
        "request_id": request_id,
    }
    if refusal.errors:
        body["errors"] = refusal.errors
    body.update(refusal.members)
    return body


def problem(refusal: Refusal) -> Response:
    """Render a refusal as application/problem+json."""
    current = g.get("current")  # web/current.py; none for a command
    request_id = ""
    prefix = ""
    if current is not None:
        current.problem = refusal.code  # names the request in the log
        request_id = current.request_id
        prefix = current.prefix
    body = described(refusal, refusal.status, request_id, prefix)
    headers = {"Cache-Control": "no-store", **refusal.headers}
    if refusal.status == HTTPStatus.UNAUTHORIZED or isinstance(refusal, InsufficientScope):
        headers["WWW-Authenticate"] = _challenge(refusal)
        if current is not None and current.asks_for_basic:
            headers["WWW-Authenticate"] += ', Basic realm="taskapp", charset="UTF-8"'  # RFC 7617
    if refusal.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.setdefault("Retry-After", "2")
    media = "application/problem+json"
    return Response(orjson.dumps(body), refusal.status, headers, mimetype=media)


def _challenge(refusal: Refusal) -> str:
    """RFC 6750, section 3: no error code where no credential was sent."""
    if isinstance(refusal, Unauthorized | WrongCredentials | SecondFactorRequired):
        return 'Bearer realm="taskapp"'
    error = "insufficient_scope" if isinstance(refusal, InsufficientScope) else "invalid_token"
    described = f'error="{error}", error_description="{title(type(refusal))}"'
    return f'Bearer realm="taskapp", {described}'


def reasons(messages: Any, key: str = "pointer") -> list[Reason]:
    """Flatten marshmallow's nested messages into `errors`: JSON Pointers or parameter names.

    A client learns of the first MAX_REASONS: a small body may hold hundreds of thousands.
    """
    return list(islice(_reasons(messages, key, ""), MAX_REASONS))


def _reasons(messages: Any, key: str, path: str) -> Iterator[Reason]:
    if isinstance(messages, dict):
        for name, nested in messages.items():
            yield from _reasons(nested, key, _step(path, name, key))
        return
    for message in messages:
        yield {key: path, "detail": str(message)}


def _step(path: str, name: Any, key: str) -> str:
    plain = NO_TEXT.sub("\ufffd", str(name))  # what a client calls a field may be anything
    if name == "_schema" or (path and key == "parameter"):
        return path
    if key == "parameter":
        return plain
    return f"{path}/{plain.replace('~', '~0').replace('/', '~1')}"


def from_http(error: HTTPException) -> Refusal:
    """The refusal that stands for one of werkzeug's own errors."""
    refusal: Refusal
    if isinstance(error, BadHost):
        refusal = InvalidHost()
    else:
        refusal = BY_STATUS.get(error.code or 500, InternalError)()
    for name, value in error.get_headers():
        if name in HEADERS_OF_WERKZEUG:
            refusal.headers[name] = value
    return refusal


def from_database(error: sql.DBAPIError) -> Refusal:
    """The driver's words never leave the service; they only decide which refusal this is."""
    sqlstate = getattr(error.orig, "pgcode", None) or ""
    words = str(error.orig)
    if sqlstate == READ_ONLY or SQLITE_READ_ONLY in words:
        return StorageFull("The database is read-only, so writes are refused; reads go on.")
    if sqlstate == DISK_FULL or SQLITE_STORAGE_FULL.search(words):
        return StorageFull()
    if sqlstate.startswith(SERVER_STOPPED):
        return DatabaseUnavailable()
    if sqlstate.startswith(BUSY) or SQLITE_BUSY.search(words):
        return DatabaseBusy()
    return DatabaseUnavailable()


def refusal_of(error: Exception) -> Refusal:  # noqa: PLR0911 - a table, one line a kind
    """The refusal that stands for an error, whichever library raised it.

    What is unforeseen is logged, and says nothing to the client.
    """
    match error:
        case Refusal():
            return error
        case HTTPException():
            return from_http(error)
        case MarshmallowError():
            return Invalid(errors=reasons(error.messages))
        case ParseException():
            return MalformedRequest()
        case sql.TimeoutError():
            return DatabaseBusy()
        case sql.DataError() | sql.IntegrityError() | sql.ProgrammingError():
            pass  # our mistake, and not the database's state
        case sql.DBAPIError():
            current_app.logger.warning("database: %s", error.orig)
            return from_database(error)
    current_app.logger.error("unhandled exception", exc_info=error)
    return InternalError()


def let_go(error: BaseException) -> None:
    """Drop the frames that an answered error holds by its traceback, and with them the request.

    A frame of marshmallow's or of werkzeug's holds its error in turn, and so a large body would
    stay until garbage is collected.
    """
    each: BaseException | None = error
    while each is not None and each.__traceback__ is not None:
        each.__traceback__ = None
        each = each.__context__


def _refuse(error: Exception) -> Response:
    response = problem(refusal_of(error))
    let_go(error)
    return response


def init_app(app: Flask) -> None:
    app.register_error_handler(Exception, _refuse)
