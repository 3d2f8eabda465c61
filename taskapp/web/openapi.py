"""The OpenAPI 3.1 document, made from the notes that `@accepts` and `@replies` leave.

What depends on no route stands in `openapi.json`, and the examples of what a client sends. A
view's docstring describes its operation: the first line is the summary.
"""

import inspect
import json
import re
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from flask import Flask
from marshmallow import Schema
from werkzeug.routing import Rule

from taskapp.caller import ANYONE
from taskapp.web import json_schemas, openapi_responses
from taskapp.web.body import media_types
from taskapp.web.contract import Contract, contract_of
from taskapp.web.json_schemas import OPENAPI, Described, JsonSchemas

VERSION = "0.1.0"
FIXED = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
ARGUMENTS, ARGUMENTS_SAY = FIXED["arguments"], FIXED["arguments_say"]
HEADERS, EXAMPLES, SECURITY = FIXED["headers"], FIXED["examples"], FIXED["security"]
# Described with the room they belong to.
ROOMS = {"personal_tokens": "auth", "second_factor": "auth", "oidc": "auth"}
ARGUMENT = re.compile(r"<(?:(\w+):)?(\w+)>")
STREAMED_BODIES = {"text/csv", "application/x-ndjson", "text/calendar"}
FORM = FIXED["form"]


def build(app: Flask) -> Described:
    """The whole document, as it stands at /openapi.json."""
    rules = [rule for rule in app.url_map.iter_rules() if _contract(app, rule).described]
    rules.sort(key=lambda rule: rule.rule)
    document: Described = deepcopy(FIXED["document"])
    responses = json_schemas.responses(_schema_name)
    for rule in rules:
        contract = _contract(app, rule)
        for reply in filter(None, (contract.reply, contract.accepted)):
            responses.reference(reply)
    shown = frozenset(responses.named)
    requests = json_schemas.requests(lambda schema: _request_name(schema, shown))
    components = openapi_responses.Components()
    paths: dict[str, Any] = {}
    for rule in rules:
        operation = _Operation(app, rule, requests, responses, components)
        path = paths.setdefault(ARGUMENT.sub(r"{\2}", rule.rule), {})
        path[operation.method.lower()] = operation.described()
    document["openapi"] = OPENAPI
    document["info"]["version"] = VERSION
    document["paths"] = paths
    document["components"]["schemas"] |= responses.named | requests.named
    document["components"] |= components.described()
    return document


def _contract(app: Flask, rule: Rule) -> Contract:
    return contract_of(app.view_functions[rule.endpoint])


class _Operation:
    """One route, as the document describes it."""

    def __init__(
        self,
        app: Flask,
        rule: Rule,
        requests: JsonSchemas,
        responses: JsonSchemas,
        components: openapi_responses.Components,
    ) -> None:
        self.rule, self.requests, self.responses = rule, requests, responses
        self.components = components
        self.view = app.view_functions[rule.endpoint]
        self.contract = contract_of(self.view)
        self.blueprint, _, self.name = rule.endpoint.rpartition(".")
        self.method = _method(rule)

    def described(self) -> Described:
        summary, _, description = inspect.cleandoc(self.view.__doc__ or "").partition("\n")
        operation: Described = {"operationId": self.name, "summary": summary.rstrip(".")}
        operation["description"] = " ".join([summary, *description.split()])
        operation["tags"] = [ROOMS.get(self.blueprint, self.blueprint)]
        operation["security"] = self._security()
        operation["parameters"] = self._parameters()
        if self.contract.body is not None:
            takes = self.contract.takes or media_types(self.method)
            operation["requestBody"] = self._request_body(takes, self.contract.body)
        operation["responses"] = self._responses()
        return operation

    def _security(self) -> list[Described]:
        if self.name in SECURITY:
            schemes: list[Described] = SECURITY[self.name]
        elif self.contract.access == ANYONE:
            schemes = []
        else:
            schemes = SECURITY[""]
        return schemes

    def _parameters(self) -> list[Described]:
        parameters = []
        for kind, name in ARGUMENT.findall(self.rule.rule):
            parameters.append(_argument(kind, name))
        if self.contract.query is not None:
            parameters += self.requests.parameters(self.contract.query)
        conditional = self.method == "GET" or "sessions" not in self.rule.rule  # which have no ETag
        if self.contract.once and conditional:
            header = HEADERS.get(self.method, HEADERS[""])
            parameters.append(header)
        return parameters

    def _request_body(self, takes: Sequence[str], body: Schema) -> Described:
        content: Described = {}
        examples = EXAMPLES.get(self.name, {})
        for media_type in takes:
            schema = self.requests.reference(body)
            if media_type in STREAMED_BODIES:
                schema = openapi_responses.STREAM
            if media_type == "multipart/form-data" and len(takes) > 1:  # one shape of several
                schema = FORM
            content[media_type] = {"schema": schema}
            if media_type in examples:
                content[media_type]["example"] = examples[media_type]
        description = json_schemas.summary(body)
        return {"description": description, "required": True, "content": content}

    def _responses(self) -> Described:
        contract = self.contract
        reply = self._reference(contract.reply)
        accepted = self._reference(contract.accepted)
        route = openapi_responses.Route(contract, self.rule, self.method, reply, accepted)
        return openapi_responses.responses_of(route, self.components)

    def _reference(self, reply: Schema | None) -> Described | None:
        return None if reply is None else self.responses.reference(reply)


def _method(rule: Rule) -> str:
    """The one method of a rule, besides those that every route knows."""
    methods = (rule.methods or set()) - {"HEAD", "OPTIONS"}
    return min(methods)


def _argument(kind: str, name: str) -> Described:
    """A part of the path; an id is called after what it is the id of."""
    what = name.removesuffix("_id").replace("_", " ")
    description = ARGUMENTS_SAY.get(name, f"The `id` of the {what}.")
    parameter: Described = {"in": "path", "name": name, "required": True}
    return {**parameter, "description": description, "schema": ARGUMENTS[kind]}


def _schema_name(schema: Any) -> str:
    """`TaskSchema` is "Task"; its partial form, used by PATCH, is "TaskPatch"."""
    instance = schema() if isinstance(schema, type) else schema
    name = type(instance).__name__.removesuffix("Schema")
    if instance.partial is True and not name.endswith("Patch"):
        return f"{name}Patch"
    return name


def _request_name(schema: Any, shown: frozenset[str]) -> str:
    """What a client sends of a thing that it is also shown is another schema: "TaskInput"."""
    name = _schema_name(schema)
    return f"{name}Input" if name in shown else name
