"""The OpenAPI 3.1 document, made from the notes that `@accepts` and `@replies` leave."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any, cast

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from flask import Flask
from marshmallow import Schema, fields
from werkzeug.routing import Rule

from taskapp import errors
from taskapp.contract import ADMIN, ANYONE, Contract, contract_of
from taskapp.errors import Refusal
from taskapp.fields import INT64, CommaList, Int, OneOfOr, Text

VERSION = "0.1.0"
DESCRIPTION = (
    "A task tracker that never loses a write: every answer has an ETag, every write can be "
    "conditional, every list says what it left out, every error says how to mend it."
)
ARGUMENT = re.compile(r"<(?:(\w+):)?(\w+)>")
ARGUMENT_TYPES: dict[str, dict[str, Any]] = {
    "id": {"type": "integer", "format": "int64", "minimum": 1, "maximum": INT64},
    "": {"type": "string", "maxLength": 100},
}
EXAMPLES: dict[str, Any] = {
    "email": "alice@example.com",
    "name": "Alice",
    "password": "seven mossy lanterns",
    "current_password": "seven mossy lanterns",
    "new_password": "eleven quiet harbours",
    "title": "Water the fern",
    "description": "A cup, from below.",
    "labels": ["home", "plants"],
    "due_at": "2026-12-31T17:00:00Z",
    "external_id": "crm/4711",
    "status": "todo",
    "priority": "high",
    "role": "editor",
    "code": "not-found",
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
    errors = fields.List(fields.Nested(ReasonSchema))


def build(app: Flask) -> dict[str, Any]:
    plugin = MarshmallowPlugin(schema_name_resolver=_schema_name)
    spec = APISpec(
        title="taskapp",
        version=VERSION,
        openapi_version="3.1.0",
        info={"description": DESCRIPTION},
        servers=[{"url": "/"}],
        plugins=[plugin],
    )
    converter = cast("OpenAPIConverter", plugin.converter)  # there is one once a spec has it
    converter.add_attribute_function(_limits)  # type: ignore[no-untyped-call]  # apispec's gap
    spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        view = app.view_functions[rule.endpoint]
        if "contract" in view.__dict__:
            operations = _operations(rule, view, converter)
            spec.path(ARGUMENT.sub(r"{\2}", rule.rule), operations=operations)
    return spec.to_dict()


def _limits(_: Any, field: fields.Field[Any], **__: Any) -> dict[str, Any]:
    """What apispec cannot know of our own types, and an example by the field's name."""
    extra: dict[str, Any] = {}
    if isinstance(field, fields.DateTime):
        extra["maxLength"] = 40
    if isinstance(field, Int):
        extra["format"] = "int64"
    if field.name in EXAMPLES:
        extra["examples"] = [EXAMPLES[field.name]]
    return extra


def _operations(rule: Rule, view: Any, converter: OpenAPIConverter) -> dict[str, dict[str, Any]]:
    contract = contract_of(view)
    operations = {}
    for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
        operation: dict[str, Any] = {
            "operationId": rule.endpoint.rpartition(".")[2],
            "summary": (view.__doc__ or "").strip().partition("\n")[0],
            "tags": [rule.endpoint.partition(".")[0]],
            "parameters": [*_path_parameters(rule), *_query_parameters(contract, converter)],
            "responses": _responses(contract, rule, method),
        }
        operation["security"] = [] if contract.access == ANYONE else [{"bearer": []}]
        if contract.body is not None:
            operation["requestBody"] = {"required": True, "content": _body(contract, method)}
        operations[method.lower()] = operation
    return operations


def _path_parameters(rule: Rule) -> list[dict[str, Any]]:
    return [
        {"in": "path", "name": name, "required": True, "schema": ARGUMENT_TYPES[kind]}
        for kind, name in ARGUMENT.findall(rule.rule)
    ]


def _query_parameters(contract: Contract, converter: OpenAPIConverter) -> list[dict[str, Any]]:
    named = contract.query.fields.items() if contract.query else ()
    return [_query_parameter(name, field, converter) for name, field in named]


def _query_parameter(
    name: str, field: fields.Field[Any], converter: OpenAPIConverter
) -> dict[str, Any]:
    parameter: dict[str, Any] = {"in": "query", "name": name}
    if isinstance(field, CommaList):
        one = {"enum": sorted(field.names)} if field.names else {"minLength": 1, "maxLength": 50}
        many = {"maxItems": field.most, "minItems": 1, "uniqueItems": True}
        schema = {"type": "array", "items": {"type": "string", **one}, **many}
        return parameter | {"style": "form", "explode": False, "schema": schema}
    if isinstance(field, OneOfOr):
        other = converter.field2property(field.other)
        return parameter | {"schema": {"anyOf": [{"enum": sorted(field.names)}, other]}}
    return parameter | {"schema": converter.field2property(field)}


def _body(contract: Contract, method: str) -> dict[str, Any]:
    types = ["application/json"]
    if method == "PATCH":
        types.append("application/merge-patch+json")
    return {media: {"schema": contract.body} for media in types}


def _responses(contract: Contract, rule: Rule, method: str) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": HTTPStatus(contract.status).phrase}
    if contract.reply is not None:
        answer["content"] = {"application/json": {"schema": contract.reply}}
    responses = {str(contract.status): answer}
    if method == "GET":
        responses["304"] = {"description": "What you have is still true."}
    by_status: dict[int, set[str]] = {}
    for refusal in _refusals(contract, rule, method):
        by_status.setdefault(refusal.status, set()).add(refusal.code)
    for status, codes in sorted(by_status.items()):
        content = {"application/problem+json": {"schema": ProblemSchema()}}
        responses[str(status)] = {"description": ", ".join(sorted(codes)), "content": content}
    return responses


def _refusals(contract: Contract, rule: Rule, method: str) -> list[type[Refusal]]:
    """What the route says it may raise, and what follows from its shape."""
    found = [*contract.may_raise, errors.Invalid, errors.InvalidHost, errors.RateLimited]
    found += [errors.InternalError, errors.DatabaseUnavailable, errors.DatabaseBusy]
    if contract.access != ANYONE:
        found += [errors.Unauthorized, errors.InvalidToken, errors.TokenExpired]
        found += [errors.TokenRevoked, errors.InsufficientScope]
    if contract.access == ADMIN:
        found.append(errors.Forbidden)
    if rule.arguments:
        found.append(errors.NotFound)
    if contract.query is not None and "cursor" in contract.query.fields:
        found.append(errors.InvalidCursor)
    if contract.body is not None:
        found += [errors.MalformedJson, errors.MalformedRequest, errors.PayloadTooLarge]
        found.append(errors.UnsupportedMediaType)
    if method != "GET":
        found.append(errors.StorageFull)
    if method in {"PATCH", "PUT", "DELETE"}:
        found += [errors.StaleRevision, errors.PreconditionRequired]
    return found


def _schema_name(schema: Any) -> str:
    """`TaskSchema` is "Task"; its partial form, used by PATCH, is "TaskPatch"."""
    instance = schema() if isinstance(schema, type) else schema
    name = type(instance).__name__.removesuffix("Schema")
    return f"{name}Patch" if instance.partial and not name.endswith("Patch") else name
