"""The OpenAPI 3.1 document, made from the notes that `@accepts` and `@replies` leave.

What depends on no route stands in `openapi.json`.
"""

import json
import re
from collections.abc import Iterator, Sequence
from copy import deepcopy
from http import HTTPStatus
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Flask
from marshmallow import Schema
from werkzeug.routing import Rule

from taskapp import errors
from taskapp.caller import ADMIN, ANYONE
from taskapp.errors import Refusal
from taskapp.web.body import media_types
from taskapp.web.contract import Contract, contract_of
from taskapp.web.fields import OneOf

VERSION = "0.1.0"
FIXED = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
ARGUMENTS, HEADERS = FIXED["arguments"], FIXED["headers"]
ROOMS = {"personal_tokens": "auth"}  # described with the room they belong to
# No schema says what is in it; an import, or a file, ends at the limit set for it.
STREAM = {"type": "string", "format": "binary", "maxLength": 2**63 - 1}
PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
ARGUMENT = re.compile(r"<(?:(\w+):)?(\w+)>")
STREAMED_BODIES = {"text/csv", "application/x-ndjson", "text/calendar"}
FORM = {"type": "object", "properties": {"file": STREAM}, "required": ["file"]}
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


def build(app: Flask) -> dict[str, Any]:
    plugin = MarshmallowPlugin(schema_name_resolver=_schema_name)
    spec = APISpec("taskapp", VERSION, "3.1.0", [plugin], **deepcopy(FIXED["document"]))
    converter: Any = plugin.converter
    converter.add_attribute_function(_one_of)
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        view = app.view_functions[rule.endpoint]
        if contract_of(view).described:
            method = _method(rule)
            operations = {method.lower(): _operation(rule, view, method)}
            spec.path(ARGUMENT.sub(r"{\2}", rule.rule), operations=operations)
    return spec.to_dict()


def _one_of(converter: Any, field: Any, **_: Any) -> dict[str, Any]:
    """How a field of our own is described: its shapes, one of which an object has."""
    if not isinstance(field, OneOf):
        return {}
    shapes = [converter.resolve_nested_schema(shape) for shape in field.shapes.values()]
    return {"oneOf": shapes}


def _method(rule: Rule) -> str:
    """The one method of a rule, besides those that every route knows."""
    methods = (rule.methods or set()) - {"HEAD", "OPTIONS"}
    return min(methods)


def _operation(rule: Rule, view: Any, method: str) -> dict[str, Any]:
    contract = contract_of(view)
    blueprint, _, name = rule.endpoint.rpartition(".")
    docstring = view.__doc__ or ""
    operation: dict[str, Any] = {"operationId": name, "security": []}
    operation["summary"] = docstring.strip().partition("\n")[0]
    operation["tags"] = [ROOMS.get(blueprint, blueprint)]
    if contract.access != ANYONE:
        operation["security"] = [{"bearer": []}]
    operation["parameters"] = _parameters(contract, rule, method)
    operation["responses"] = _responses(contract, rule, method)
    if contract.body is not None:
        content = _content(contract.takes or media_types(method), contract.body)
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _parameters(contract: Contract, rule: Rule, method: str) -> list[dict[str, Any]]:
    parameters = []
    for kind, name in ARGUMENT.findall(rule.rule):
        schema = ARGUMENTS[kind]
        parameters.append({"in": "path", "name": name, "required": True, "schema": schema})
    if contract.query is not None:
        parameters.append({"in": "query", "schema": contract.query})
    conditional = method == "GET" or "sessions" not in rule.rule  # a session has no ETag
    if contract.once and conditional:
        parameters.append(HEADERS.get(method, HEADERS[""]))
    return parameters


def _content(takes: Sequence[str], body: Schema) -> dict[str, Any]:
    content = {}
    for media_type in takes:
        schema: Any = body
        if media_type in STREAMED_BODIES:
            schema = STREAM
        if media_type == "multipart/form-data" and len(takes) > 1:  # one shape of several
            schema = FORM
        content[media_type] = {"schema": schema}
    return content


def _responses(contract: Contract, rule: Rule, method: str) -> dict[str, Any]:
    answer = _answer(contract)
    responses = {str(contract.status): answer}
    if contract.creates:
        responses["201"] = {**answer, "description": "Created"}
    if contract.accepted is not None:
        content = {"application/json": {"schema": contract.accepted}}
        responses["202"] = {"description": "Accepted", "content": content}
    if errors.RangeNotSatisfiable in contract.may_raise:
        responses["206"] = {**answer, "description": "The range that was asked for."}
    if method == "GET":
        responses["304"] = {"description": "What you have is still true."}
    refused = {(refusal.status, refusal.code) for refusal in _refusals(contract, rule, method)}
    for status, refusals in groupby(sorted(refused), itemgetter(0)):
        codes = [code for _, code in refusals]
        responses[str(status)] = {"description": ", ".join(codes), "content": PROBLEM}
    for status in contract.also:
        _add_reply(responses, status, answer)
    return responses


def _add_reply(responses: dict[str, Any], status: int, answer: dict[str, Any]) -> None:
    """The reply's own media type, also where a problem may come with the same status."""
    response = responses.setdefault(str(status), {"description": HTTPStatus(status).phrase})
    if status != HTTPStatus.ACCEPTED:
        response["content"] = {**response.get("content", {}), **answer["content"]}


def _answer(contract: Contract) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": HTTPStatus(contract.status).phrase}
    content: dict[str, Any] = {}
    if contract.reply is not None:
        content["application/json"] = {"schema": contract.reply}
    for media_type in contract.gives:
        content[media_type] = {"schema": STREAM}
    if content:
        answer["content"] = content
    return answer


def _refusals(contract: Contract, rule: Rule, method: str) -> Iterator[type[Refusal]]:
    """What the route says it may raise, and what follows from its shape."""
    yield from contract.may_raise
    yield from EVERYWHERE
    if contract.access != ANYONE:
        yield from errors.CREDENTIALS
    if contract.access == ADMIN:
        yield errors.Forbidden
    if rule.arguments:
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


def _schema_name(schema: Any) -> str:
    """`TaskSchema` is "Task"; its partial form, used by PATCH, is "TaskPatch"."""
    instance = schema() if isinstance(schema, type) else schema
    name = type(instance).__name__.removesuffix("Schema")
    if instance.partial and not name.endswith("Patch"):
        return f"{name}Patch"
    return name
