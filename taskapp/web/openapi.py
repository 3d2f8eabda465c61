"""The OpenAPI 3.1 document, made from the notes that `@accepts` and `@replies` leave.

What depends on no route stands in `openapi.json`.
"""

import json
import re
from copy import deepcopy
from http import HTTPStatus
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Flask
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


def build(app: Flask) -> dict[str, Any]:
    plugin = MarshmallowPlugin(schema_name_resolver=_schema_name)
    spec = APISpec("taskapp", VERSION, "3.1.0", [plugin], **deepcopy(FIXED["document"]))
    converter: Any = plugin.converter
    converter.add_attribute_function(_shapes)
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        view = app.view_functions[rule.endpoint]
        if contract_of(view).described:
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
            {"in": "path", "name": name, "required": True, "schema": ARGUMENTS[kind]}
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
    typed = {"application/json": contract.reply} if contract.reply else {}
    if shapes := typed | dict.fromkeys(contract.gives, STREAM):
        answer["content"] = {media: {"schema": shape} for media, shape in shapes.items()}
    responses = {str(contract.status): answer}
    if contract.creates:
        responses["201"] = {**answer, "description": "Created"}
    if errors.RangeNotSatisfiable in contract.may_raise:
        responses["206"] = {**answer, "description": "The range that was asked for."}
    if method == "GET":
        responses["304"] = {"description": "What you have is still true."}
    refused = {(refusal.status, refusal.code) for refusal in _refusals(contract, rule, method)}
    for status, codes in groupby(sorted(refused), itemgetter(0)):
        described = ", ".join(code for _, code in codes)
        responses[str(status)] = {"description": described, "content": PROBLEM}
    return responses


def _refusals(contract: Contract, rule: Rule, method: str) -> list[type[Refusal]]:
    """What the route says it may raise, and what follows from its shape."""
    e = errors
    follows = [
        (True, (*contract.may_raise, e.Invalid, e.InvalidHost, e.RateLimited)),
        (True, (e.InternalError, e.DatabaseUnavailable, e.DatabaseBusy)),
        (contract.access != ANYONE, e.CREDENTIALS),
        (contract.access == ADMIN, (e.Forbidden,)),
        (rule.arguments, (e.NotFound,)),
        (contract.query and "cursor" in contract.query.fields, (e.InvalidCursor,)),
        (contract.body, (e.MalformedJson, e.MalformedRequest)),
        (contract.body, (e.PayloadTooLarge, e.UnsupportedMediaType)),
        (method != "GET", (e.StorageFull,)),
        (method == "POST" and contract.once, (e.IdempotencyMismatch, e.RequestInProgress)),
        (method in {"PATCH", "PUT", "DELETE"}, e.CONDITIONS),
    ]
    return [refusal for applies, refusals in follows if applies for refusal in refusals]


def _schema_name(schema: Any) -> str:
    """`TaskSchema` is "Task"; its partial form, used by PATCH, is "TaskPatch"."""
    instance = schema() if isinstance(schema, type) else schema
    name = type(instance).__name__.removesuffix("Schema")
    return f"{name}Patch" if instance.partial and not name.endswith("Patch") else name
