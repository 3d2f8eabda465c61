"""The service explains itself: where to go, the OpenAPI document and two readers, the problems."""

import datetime as dt
from typing import Any

from flask import Blueprint, Response, current_app, render_template, request
from marshmallow import Schema

from taskapp import errors
from taskapp.database.encoding import encode
from taskapp.database.session import now
from taskapp.web import assets, conditional, openapi
from taskapp.web.addresses import absolute
from taskapp.web.contract import public, replies
from taskapp.web.current import current
from taskapp.web.exports import media_ranges
from taskapp.web.fields import Int, Nested, Text, many

docs = Blueprint("docs", __name__)
LINKS = {"api": "/api/v1", "docs": "/docs", "redoc": "/redoc"}
LINKS |= {"openapi": "/openapi.json", "problems": "/problems", "health": "/health"}
SERVER = b'"servers":[{"url":"/"}]'  # as the stored document has it
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; worker-src 'self' blob:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
# The task page has no inline script or style, and makes elements from text alone.
TASK_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; "
    "require-trusted-types-for 'script'"
)


class ProblemTypeSchema(Schema):
    """What a problem code means, and the command that fixes it.

    Attributes:
        code: What programs know it by.
        status: The HTTP status it comes with.
        title: The code in words.
        meaning: What it means.
        fix: A command that shows how to fix it.
        example: A request, its answer, and how that is read; empty for most codes.
    """

    code = Text(max=100, required=True)
    status = Int(min=400, max=599, required=True)
    title = Text(max=100, required=True)
    meaning = Text(max=2000, required=True)
    fix = Text(max=2000, required=True)
    example = Text(max=4000, required=True)


class ProblemTypesSchema(Schema):
    """Every problem code.

    Attributes:
        items: Every problem there is.
    """

    items = many(ProblemTypeSchema)


class LinksSchema(Schema):
    """Where the parts of the service are.

    Attributes:
        api: The API itself.
        docs: The API to read and to try, by Swagger UI.
        redoc: The API to read, by ReDoc.
        openapi: The API as a document for programs (OpenAPI 3.1).
        problems: Every problem explained.
        health: Whether the service is alive.
    """

    api = Text(max=2000, required=True)
    docs = Text(max=2000, required=True)
    redoc = Text(max=2000, required=True)
    openapi = Text(max=2000, required=True)
    problems = Text(max=2000, required=True)
    health = Text(max=2000, required=True)


class IndexSchema(Schema):
    """Where to go from here.

    Attributes:
        name: What this is.
        version: Which version of it.
        links: Where its parts are.
    """

    name = Text(max=100, required=True)
    version = Text(max=100, required=True)
    links = Nested(LinksSchema, required=True)


@docs.get("/")
@public
@replies(IndexSchema(), gives=("text/html",))
def index() -> Any:
    """Say what this is, and where its parts are; a person's browser gets the task page.

    The addresses of the API, its documents and the problems.
    """
    return _task_page() if is_for_people() else _index()


@docs.get("/api/v1")
@public
@replies(IndexSchema())
def api_index() -> dict[str, Any]:
    """Say what this is, and where its parts are.

    The addresses of the API, its documents and the problems.
    """
    return _index()


def _index() -> dict[str, Any]:
    links = {name: absolute(path) for name, path in LINKS.items()}
    return {"name": "taskapp", "version": openapi.VERSION, "links": links}


def _task_page() -> Response:
    """The page of docs/page.md; its files lie in static/page and are served as they are."""
    policy = {"Content-Security-Policy": TASK_PAGE_POLICY}
    response = Response(assets.page("page/index.html"), headers=policy, mimetype="text/html")
    response.add_etag()
    response.make_conditional(request)
    return response


@docs.get("/openapi.json")
@public
def document() -> Response:
    built = current_app.extensions.get("openapi")
    if built is None:
        built = encode(openapi.build(current_app))
        current_app.extensions["openapi"] = built
    located = built.replace(SERVER, _server_here(), 1)
    return conditional.answer(located, 200, conditional.digest(located), {})


def _server_here() -> bytes:
    return encode({"servers": [{"url": current().base}]})[1:-1]


@docs.get("/.well-known/security.txt")
@public
def security_txt() -> Response:
    """RFC 9116; the date is a year ahead of whoever asks."""
    expires = f"{now() + dt.timedelta(days=365):%Y-%m-%dT00:00:00Z}"
    text = f"Contact: {absolute('/static/SECURITY.md')}\nExpires: {expires}\n"
    return Response(text, mimetype="text/plain")


@docs.get("/problems")
@public
@replies(ProblemTypesSchema(), gives=("text/html",))
def list_problems() -> Any:
    """List every problem code.

    As JSON, or as a page for a browser.
    """
    problems = [_explained(kind) for kind in errors.Refusal.named.values()]
    return _for_people(problems) or {"items": problems}


@docs.get("/problems/<code>")
@public
@replies(ProblemTypeSchema(), gives=("text/html",))
def get_problem(code: str) -> Any:
    """Explain one problem code.

    What it means, and a command that shows how to fix it.
    """
    if code not in errors.Refusal.named:
        raise errors.NotFound
    explained = _explained(errors.Refusal.named[code])
    return _for_people([explained]) or explained


@docs.get("/docs", endpoint="swagger_ui", defaults={"template": "docs.html"})
@docs.get("/redoc", endpoint="redoc", defaults={"template": "redoc.html"})
@public
def page(template: str, **values: Any) -> Response:
    policy = {"Content-Security-Policy": PAGE_POLICY}
    html = render_template(template, prefix=current().prefix, **values)
    return Response(html, headers=policy, mimetype="text/html")


def _for_people(problems: list[dict[str, Any]]) -> Response | None:
    if not is_for_people():
        return None
    html: Response = page("problems.html", problems=problems)
    return html


def is_for_people() -> bool:
    """Whether a browser asks: one that prefers HTML."""
    accept = media_ranges(request.headers.get("Accept", ""))
    return accept.best_match(["application/json", "text/html"]) == "text/html"


def _explained(kind: type[errors.Refusal]) -> dict[str, Any]:
    command = (kind.__doc__ or "").partition("\n\n")[2]
    return {
        "code": kind.code,
        "status": kind.status,
        "title": errors.title(kind),
        "meaning": errors.explanation(kind),
        "fix": command.strip(),
        "example": kind.example,
    }
