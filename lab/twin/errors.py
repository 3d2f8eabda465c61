"""Every refusal of this part of the contract, and its one renderer (RFC 9457): errors.py's twin."""

import re
from typing import Any, ClassVar

import asyncpg
import orjson
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy import exc as sql
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.routing import Match

from lab.twin.edge import current

Reason = dict[str, str]
METHODS = ("GET", "POST", "PATCH", "PUT", "DELETE")


class Refusal(HTTPException):
    """A request that the service will not carry out; each docstring is its `detail`."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal-error"
    named: ClassVar[dict[str, type["Refusal"]]] = {}

    def __init__(self, detail: str = "", *, errors: list[Reason] | None = None) -> None:
        super().__init__(self.status, detail or explanation(type(self)))
        self.errors = errors

    def __init_subclass__(cls, *, status: int = 0, code: str = "") -> None:
        cls.status, cls.code = status or cls.status, code or cls.code
        if code:
            Refusal.named[code] = cls


class MalformedRequest(Refusal, status=400, code="malformed-request"):
    """The request is not well-formed HTTP, or its body is not as long as it says."""


class MalformedJson(Refusal, status=400, code="malformed-json"):
    """The body is not strict JSON in UTF-8: no duplicate keys, NaN, BOM, trailing text
    or deep nesting."""


class Unauthorized(Refusal, status=401, code="unauthorized"):
    """This needs a credential: an access token as Bearer."""


class InvalidToken(Refusal, status=401, code="invalid-token"):
    """The token is not one that this service made for this purpose."""


class TokenExpired(Refusal, status=401, code="token-expired"):
    """The token was good and has run out: refresh it."""


class TokenRevoked(Refusal, status=401, code="token-revoked"):
    """The session has ended, or its user was disabled or deleted: sign in again."""


class WrongCredentials(Refusal, status=401, code="wrong-credentials"):
    """The e-mail address and the password do not belong together."""


class Forbidden(Refusal, status=403, code="forbidden"):
    """You may see this but not change it: ask an owner of the project, or an admin."""


class RegistrationClosed(Refusal, status=403, code="registration-closed"):
    """Nobody can register here: ask the person who runs the service for an account."""


class NotFound(Refusal, status=404, code="not-found"):
    """There is no such thing, or you may not see it."""


class MethodNotAllowed(Refusal, status=405, code="method-not-allowed"):
    """This URL does not know that method: the Allow header names those it knows."""


class Conflict(Refusal, status=409, code="conflict"):
    """The request is at odds with what is stored: the detail says with what."""


class EmailTaken(Refusal, status=409, code="email-taken"):
    """Another account has this e-mail address; capital letters make no difference."""


class StaleRevision(Refusal, status=412, code="precondition-failed"):
    """It was changed since you read it: read it again, and send its new ETag."""


class PayloadTooLarge(Refusal, status=413, code="payload-too-large"):
    """The body is larger than this URL takes: send less at once."""


class UnsupportedMediaType(Refusal, status=415, code="unsupported-media-type"):
    """The body must be uncompressed application/json in UTF-8."""


class Invalid(Refusal, status=422, code="validation-error"):
    """Some fields or parameters are not as they must be: `errors` names each one."""

    @classmethod
    def field(cls, name: str, detail: str) -> "Invalid":
        return cls(errors=[{"pointer": f"/{name}", "detail": detail}])


class InvalidCursor(Refusal, status=422, code="invalid-cursor"):
    """The cursor is damaged or belongs to another query: start again without one."""


class PreconditionRequired(Refusal, status=428, code="precondition-required"):
    """A write here must say which version it changes: send If-Match with the ETag you read."""


class InternalError(Refusal, status=500, code="internal-error"):
    """Something broke on our side; nothing of your request was kept. Tell us the request_id."""


class DatabaseUnavailable(Refusal, status=503, code="database-unavailable"):
    """The database cannot be reached; nothing of your request was kept. Try again."""


class DatabaseBusy(Refusal, status=503, code="database-busy"):
    """The database is too busy to take this write; nothing of it was kept. Try again."""


class StorageFull(Refusal, status=503, code="storage-full"):
    """The disk is full or read-only, so writes are refused; reads go on."""


def explanation(refusal: type[Refusal]) -> str:
    owner = Refusal.named.get(refusal.code, refusal)
    return " ".join((refusal.__doc__ or owner.__doc__ or "").split())


def title(refusal: Refusal) -> str:
    return refusal.code.replace("-", " ").capitalize()


def problem(refusal: Refusal) -> Response:
    """Render a refusal as application/problem+json."""
    body: dict[str, Any] = {
        "type": f"/problems/{refusal.code}",
        "title": title(refusal),
        "status": refusal.status,
        "detail": refusal.detail,
        "code": refusal.code,
        "request_id": current.get().request_id,
    }
    if refusal.errors:
        body["errors"] = refusal.errors
    headers = {"Cache-Control": "no-store", "X-Request-ID": body["request_id"]}
    headers |= refusal.headers or {}
    if refusal.status == 401:
        headers["WWW-Authenticate"] = _challenge(refusal)
    if refusal.status == 503:
        headers.setdefault("Retry-After", "2")
    media = "application/problem+json"
    return Response(orjson.dumps(body), refusal.status, headers, media)


def _challenge(refusal: Refusal) -> str:
    """RFC 6750, section 3: no error code where no credential was sent."""
    if isinstance(refusal, Unauthorized | WrongCredentials):
        return 'Bearer realm="taskapp"'
    return f'Bearer realm="taskapp", error="invalid_token", error_description="{title(refusal)}"'


def reason(error: dict[str, Any]) -> Reason:
    """pydantic's location, as a JSON Pointer into the body or a query parameter's name."""
    place, *path = error["loc"]
    if place == "query":
        return {"parameter": str(path[0]), "detail": error["msg"]}
    steps = (str(step).encode("utf-8", "replace").decode() for step in path)
    pointer = "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)
    return {"pointer": pointer, "detail": error["msg"]}


def from_validation(error: RequestValidationError) -> Refusal:
    found = error.errors()
    if any(each["loc"] == ("body",) and each["type"] == "missing" for each in found):
        return MalformedJson()
    return Invalid(errors=[reason(each) for each in found])


def from_http(error: StarletteHTTPException) -> Refusal:
    """Starlette's own errors: the first refusal of each status stands for it."""
    if isinstance(error, Refusal):
        return error
    kinds = (kind for kind in Refusal.named.values() if kind.status == error.status_code)
    return next(kinds, InternalError)()


def from_database(error: sql.DBAPIError) -> Refusal:
    """The driver's words never leave the service; they only decide which refusal this is."""
    code, words = getattr(error.orig, "pgcode", None) or "", str(error.orig)
    if code in {"53100", "25006"} or re.search(r"is full|readonly|disk I/O", words):
        return StorageFull()
    if (code[:2] in {"40", "55", "57"} and not code.startswith("57P")) or "locked" in words:
        return DatabaseBusy()
    if isinstance(error, sql.OperationalError | sql.InterfaceError) or code[:2] in {"08", "57"}:
        return DatabaseUnavailable()
    raise error


def init_app(app: FastAPI) -> None:
    def on(kind: type[Exception], refuse: Any) -> None:
        async def handle(_: Request, error: Exception) -> Response:
            return problem(refuse(error))

        app.add_exception_handler(kind, handle)

    on(StarletteHTTPException, from_http)
    on(RequestValidationError, from_validation)
    on(sql.DBAPIError, from_database)
    on(sql.TimeoutError, lambda _: DatabaseBusy())
    # What fails while a connection is made, asyncpg raises as it is: SQLAlchemy wraps the rest.
    on(OSError, lambda _: DatabaseUnavailable())
    on(asyncpg.PostgresError, lambda _: DatabaseUnavailable())
    on(Exception, lambda _: InternalError())
    app.add_exception_handler(405, _method_not_allowed)


async def _method_not_allowed(request: Request, _: Exception) -> Response:
    """Starlette's Allow names the methods of one route; ours, those of all routes at this path."""
    known = [method for method in METHODS if _matches(request, method)]
    allow = ", ".join([*known, "OPTIONS", *(["HEAD"] if "GET" in known else [])])
    if request.method == "OPTIONS":
        return Response(headers={"Allow": allow})
    refusal = MethodNotAllowed()
    refusal.headers = {"Allow": allow}
    return problem(refusal)


def _matches(request: Request, method: str) -> bool:
    scope = {**request.scope, "method": method}
    return any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)
