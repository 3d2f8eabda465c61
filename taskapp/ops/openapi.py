"""The OpenAPI 3.1 document, made from the notes that `@accepts` and `@replies` leave."""

import re
from http import HTTPStatus
from itertools import groupby
from operator import itemgetter
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Flask
from marshmallow import Schema, fields
from werkzeug.routing import Rule

from taskapp import errors, idempotency
from taskapp.body import media_types
from taskapp.contract import ADMIN, ANYONE, Contract, contract_of
from taskapp.errors import Refusal
from taskapp.fields import INT64, MANY, PLAIN, Int, OneOf, Text

VERSION = "0.1.0"
DESCRIPTION = (
    "A task tracker that never loses a write: every answer has an ETag, every write can be "
    "conditional, every list says what it left out, every error says how to mend it."
)
ROOMS = {"scripts": "tasks", "personal_tokens": "auth"}  # told with the rooms they belong to
TAGS = "auth users projects tasks comments attachments health docs".split()
STREAM = {"type": "string", "format": "binary"}  # no schema says what is in it
ARGUMENT = re.compile(r"<(?:(\w+):)?(\w+)>")
ARGUMENT_TYPES: dict[str, dict[str, Any]] = {
    "id": {"type": "integer", "format": "int64", "minimum": 1, "maximum": INT64},
    "anything": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": f"^{PLAIN}*$"},
    "": {"type": "string", "maxLength": 100},
}


def _header(name: str, description: str, **schema: Any) -> dict[str, Any]:
    schema = {"type": "string", "maxLength": 2000, **schema}
    return {"in": "header", "name": name, "description": description, "schema": schema}


HEADERS = {
    "GET": _header("If-None-Match", "The ETag that you have: 304 while it is still true."),
    "POST": _header(
        "Idempotency-Key",
        "A retry with the same key has no second effect, and gets the same answer.",
        pattern=idempotency.KEY.pattern,
        maxLength=257,
    ),
    "": _header("If-Match", "The ETag that you saw last: 412 when it is not true any more."),
}


class ReasonSchema(Schema):
    """One field or parameter that is not as it must be."""

    pointer = Text(max=2000, metadata={"description": "JSON Pointer into the body (RFC 6901)."})
    parameter = Text(max=2000, metadata={"description": "Name of a query parameter."})
    detail = Text(max=2000, required=True)


class ProblemSchema(Schema):
    """Why a request was refused (RFC 9457)."""

    type = Text(max=100, required=True)
    title = Text(max=100, required=True)
    status = Int(min=400, max=599, required=True)
    detail = Text(max=2000, required=True)
    code = Text(max=100, required=True)
    request_id = Text(max=64, required=True)
    errors = fields.List(fields.Nested(ReasonSchema), validate=MANY)


def build(app: Flask) -> dict[str, Any]:
    plugin = MarshmallowPlugin(schema_name_resolver=_schema_name)
    spec = APISpec(
        title="taskapp",
        version=VERSION,
        openapi_version="3.1.0",
        info={"description": DESCRIPTION},
        servers=[{"url": "/"}],
        tags=[{"name": name} for name in TAGS],
        plugins=[plugin],
    )
    converter: Any = plugin.converter
    converter.add_attribute_function(_shapes)
    spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        view = app.view_functions[rule.endpoint]
        if "contract" in view.__dict__:
            method = min((rule.methods or set()) - {"HEAD", "OPTIONS"})
            operation = {method.lower(): _operation(rule, view, method)}
            spec.path(ARGUMENT.sub(r"{\2}", rule.rule), operations=operation)
    return spec.to_dict()


def _shapes(converter: Any, field: Any, **_: Any) -> dict[str, Any]:
    if not isinstance(field, OneOf):
        return {}
    return {"oneOf": [converter.resolve_nested_schema(shape) for shape in field.shapes.values()]}


def _operation(rule: Rule, view: Any, method: str) -> dict[str, Any]:
    contract = contract_of(view)
    blueprint, _, name = rule.endpoint.rpartition(".")
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": (view.__doc__ or "").strip().partition("\n")[0],
        "tags": [ROOMS.get(blueprint, blueprint)],
        "security": [] if contract.access == ANYONE else [{"bearer": []}],
        "parameters": [
            {"in": "path", "name": name, "required": True, "schema": ARGUMENT_TYPES[kind]}
            for kind, name in ARGUMENT.findall(rule.rule)
        ],
        "responses": _responses(contract, rule, method),
    }
    if contract.query is not None:
        operation["parameters"].append({"in": "query", "schema": contract.query})
    conditional = method == "GET" or "sessions" not in rule.rule  # a session has no ETag
    if contract.once and conditional:
        operation["parameters"].append(HEADERS.get(method, HEADERS[""]))
    if contract.body is not None:
        takes = contract.takes or media_types(method)
        streams = {"text/csv", "application/x-ndjson"}
        content = {m: {"schema": STREAM if m in streams else contract.body} for m in takes}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _responses(contract: Contract, rule: Rule, method: str) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": HTTPStatus(contract.status).phrase}
    json = {"application/json": contract.reply} if contract.reply else {}
    if shapes := json | dict.fromkeys(contract.gives, STREAM):
        answer["content"] = {media: {"schema": shape} for media, shape in shapes.items()}
    responses = {str(contract.status): answer}
    if contract.creates:
        responses["201"] = {**answer, "description": "Created"}
    if errors.RangeNotSatisfiable in contract.may_raise:
        responses["206"] = {**answer, "description": "The range that was asked for."}
    if method == "GET":
        responses["304"] = {"description": "What you have is still true."}
    content = {"application/problem+json": {"schema": ProblemSchema()}}
    refused = {(refusal.status, refusal.code) for refusal in _refusals(contract, rule, method)}
    for status, codes in groupby(sorted(refused), itemgetter(0)):
        described = ", ".join(code for _, code in codes)
        responses[str(status)] = {"description": described, "content": content}
    return responses


def _refusals(contract: Contract, rule: Rule, method: str) -> list[type[Refusal]]:
    """What the route says it may raise, and what follows from its shape."""
    e = errors
    found = [*contract.may_raise, e.Invalid, e.InvalidHost, e.RateLimited]
    found += [e.InternalError, e.DatabaseUnavailable, e.DatabaseBusy]
    if contract.access != ANYONE:
        found += [*e.CREDENTIALS, *([e.Forbidden] if contract.access == ADMIN else [])]
    if rule.arguments:
        found += [e.NotFound]
    if contract.query is not None and "cursor" in contract.query.fields:
        found += [e.InvalidCursor]
    if contract.body is not None:
        found += [e.MalformedJson, e.MalformedRequest, e.PayloadTooLarge, e.UnsupportedMediaType]
    if method != "GET":
        found += [e.StorageFull]
    if contract.once and method == "POST":
        found += [e.IdempotencyMismatch, e.RequestInProgress]
    if method in {"PATCH", "PUT", "DELETE"}:
        found += [e.StaleRevision, e.PreconditionRequired]
    return found


def _schema_name(schema: Any) -> str:
    """`TaskSchema` is "Task"; its partial form, used by PATCH, is "TaskPatch"."""
    instance = schema() if isinstance(schema, type) else schema
    name = type(instance).__name__.removesuffix("Schema")
    return f"{name}Patch" if instance.partial and not name.endswith("Patch") else name
