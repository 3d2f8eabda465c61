"""What each operation may answer: its statuses, media types, headers, and problems as examples."""

from collections.abc import Iterator
from http import HTTPStatus
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from werkzeug.routing import Rule

from taskapp import errors
from taskapp.caller import ADMIN, ANYONE
from taskapp.errors import Refusal
from taskapp.web.contract import Contract
from taskapp.web.fields import Resource
from taskapp.web.json_schemas import Described
from taskapp.web.rate_limits import UNLIMITED

# No schema says what is in it; an import, or a file, ends at the limit set for it.
STREAM = {"type": "string", "format": "binary", "maxLength": 2**63 - 1}
PROBLEM = "application/problem+json"
EVERYWHERE = (
    errors.Invalid,
    errors.InvalidHost,
    errors.RateLimited,
    errors.InternalError,
    errors.DatabaseUnavailable,
    errors.DatabaseBusy,
)
WITH_A_BODY = (
    errors.MalformedJson,
    errors.MalformedRequest,
    errors.PayloadTooLarge,
    errors.UnsupportedMediaType,
)
WITH_A_KEY = (errors.IdempotencyMismatch, errors.RequestInProgress)
# Headers of every response, of limited ones, and of those of a status.
ON_ALL = ("X-Request-ID", "Link", "Server-Timing")
ON_LIMITED = ("RateLimit", "RateLimit-Policy")
BY_STATUS = {
    201: ("Location",),
    206: ("Content-Range",),
    303: ("Location",),
    401: ("WWW-Authenticate",),
    403: ("WWW-Authenticate",),  # where a scope is missing
    416: ("Content-Range",),
    429: ("Retry-After",),
    503: ("Retry-After",),
}
EXAMPLE_REQUEST_ID = "0b7d5e1c9a3f4d2e8c6b1a0f9e8d7c6b"
# What `errors` holds in the example of a problem that names what is wrong.
EXAMPLE_REASONS: dict[type[Refusal], errors.Reason] = {
    errors.Invalid: {"pointer": "/title", "detail": "Missing data for required field."},
    errors.InvalidCursor: {"parameter": "cursor", "detail": "Not a cursor of this list."},
}


class Route(NamedTuple):
    """A route, and the schemas of its replies."""

    contract: Contract
    rule: Rule
    method: str
    reply: Described | None
    accepted: Described | None

    @property
    def blueprint(self) -> str:
        name: str = self.rule.endpoint.partition(".")[0]
        return name


class Components:
    """What many operations refer to: problems by their codes, and an example of each."""

    def __init__(self) -> None:
        self.responses: dict[str, Described] = {}
        self.codes: set[str] = set()

    def problem(self, status: int, codes: list[str]) -> Described:
        """A reference to the response of a status with one of these codes."""
        name = ".".join(codes)
        if name not in self.responses:
            self.codes.update(codes)
            self.responses[name] = _problem(status, codes)
        return _reference("responses", name)

    def page(self, status: int, codes: list[str]) -> Described:
        """The response with one of these codes; a person's browser gets it as a page."""
        self.codes.update(codes)
        problem = _problem(status, codes)
        content = {**problem["content"], "text/html": {"schema": STREAM}}
        return {**problem, "content": content}

    def described(self) -> Described:
        examples = {code: _example(Refusal.named[code]) for code in sorted(self.codes)}
        return {"responses": self.responses, "examples": examples}


def responses_of(route: Route, components: Components) -> Described:
    """Each status that a route may answer, and what comes with it."""
    contract = route.contract
    answer = _answer(route, contract.status)
    responses = {str(contract.status): answer}
    if contract.creates:
        responses["201"] = _answer(route, 201)
    if contract.accepted is not None:
        responses["202"] = _answer(route._replace(reply=route.accepted), 202)
    if errors.RangeNotSatisfiable in contract.may_raise:
        responses["206"] = {**_answer(route, 206), "description": "The range of the bytes."}
    if route.method == "GET":
        headers = _headers(route, 304)
        responses["304"] = {"description": "What you have is still true.", "headers": headers}
    for status, codes in _problems(route):
        described = components.page if contract.explains_refusals else components.problem
        responses[str(status)] = described(status, codes)
    for status in contract.also:
        _add_reply(responses, route, status, components)
    return responses


def _answer(route: Route, status: int) -> Described:
    phrase = HTTPStatus(status).phrase
    answer: Described = {"description": phrase, "headers": _headers(route, status)}
    content: Described = {}
    if route.reply is not None:
        content["application/json"] = {"schema": route.reply}
    for media_type in route.contract.gives:
        content[media_type] = {"schema": STREAM}
    if content:
        answer["content"] = content
    return answer


def _add_reply(responses: Described, route: Route, status: int, components: Components) -> None:
    """The reply's own media type, also where a problem may come with the same status."""
    answer = _answer(route, status)
    if status == HTTPStatus.ACCEPTED:
        del answer["content"]
    reference = responses.get(str(status), {}).get("$ref", "")
    name = reference.rpartition("/")[2]
    if name:
        problem = components.responses[name]
        answer["headers"] = {**answer["headers"], **problem["headers"]}
        answer["content"] = {**problem["content"], **answer["content"]}
        answer["description"] = problem["description"]
    responses[str(status)] = answer


def _problem(status: int, codes: list[str]) -> Described:
    names = [*ON_ALL, *ON_LIMITED, *BY_STATUS.get(status, ())]
    meanings = [f"`{code}`: {errors.explanation(Refusal.named[code])}" for code in codes]
    examples = {code: _reference("examples", code) for code in codes}
    schema = _reference("schemas", "Problem")
    return {
        "description": "\n\n".join(meanings),
        "headers": {name: _reference("headers", name) for name in names},
        "content": {PROBLEM: {"schema": schema, "examples": examples}},
    }


def _example(kind: type[Refusal]) -> Described:
    """A problem as a client would get it."""
    reason = EXAMPLE_REASONS.get(kind)
    refusal = kind(errors=[reason] if reason else None)
    value = errors.described(refusal, kind.status, EXAMPLE_REQUEST_ID)
    return {"summary": errors.title(kind), "value": value}


def _headers(route: Route, status: int) -> Described:
    names = [*ON_ALL, *BY_STATUS.get(status, ())]
    if route.rule.endpoint not in UNLIMITED:
        names += ON_LIMITED
    if route.method == "GET" or isinstance(route.contract.reply, Resource):
        names.append("ETag")
    if route.method == "POST" and route.contract.once:
        names.append("Idempotency-Replayed")
    if route.contract.gives and status != HTTPStatus.NOT_MODIFIED:
        names.append("Content-Disposition")
    return {name: _reference("headers", name) for name in names}


def _reference(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}


def _problems(route: Route) -> Iterator[tuple[int, list[str]]]:
    """The problems that a route may answer: by status, their codes."""
    refused = {(refusal.status, refusal.code) for refusal in _refusals(route)}
    for status, refusals in groupby(sorted(refused), itemgetter(0)):
        codes = [code for _, code in refusals]
        yield status, codes


def _refusals(route: Route) -> Iterator[type[Refusal]]:
    """What the route says it may raise, and what follows from its shape."""
    contract, method = route.contract, route.method
    yield from contract.may_raise
    yield from EVERYWHERE
    if contract.access != ANYONE:
        yield from errors.CREDENTIALS
    if contract.access == ADMIN:
        yield errors.Forbidden
    if route.rule.arguments:
        yield errors.NotFound
    if contract.query is not None and "cursor" in contract.query.fields:
        yield errors.InvalidCursor
    if contract.body is not None:
        yield from WITH_A_BODY
    if method != "GET":
        yield errors.StorageFull
    if method == "POST" and contract.once:
        yield from WITH_A_KEY
    if method in {"PATCH", "PUT", "DELETE"}:
        yield from errors.CONDITIONS
