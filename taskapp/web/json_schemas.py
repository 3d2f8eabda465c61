"""JSON Schemas of what goes over the wire: what a client sends, and what it is answered, apart.

A field is described by its line below `Attributes:` in the docstring of its schema, or of a parent
of that; by `description` in its metadata where one of them means something else by it.
"""

import inspect
import re
from collections.abc import Callable
from functools import cache
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import Schema
from marshmallow.fields import Field

from taskapp.web.fields import OneOf

OPENAPI = "3.1.0"  # its schemas are those of JSON Schema 2020-12
ATTRIBUTE = re.compile(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)
Described = dict[str, Any]
Fields = dict[str, Field[Any]]
Naming = Callable[[Any], str]


@cache
def descriptions(schema: type[Schema]) -> dict[str, str]:
    """What the docstrings of a schema and its parents say of each field."""
    texts: dict[str, str] = {}
    for kind in reversed(schema.__mro__):
        docstring = inspect.cleandoc(vars(kind).get("__doc__") or "")
        _, _, attributes = docstring.partition("\nAttributes:\n")
        for name, text in ATTRIBUTE.findall(attributes):
            texts[name] = " ".join(text.split())
    return texts


def summary(schema: Schema) -> str:
    """What a schema's docstring says of it as a whole."""
    docstring = inspect.cleandoc(type(schema).__doc__ or "")
    text, _, _ = docstring.partition("\nAttributes:\n")
    return " ".join(text.split())


class _Converter(OpenAPIConverter):
    """What both directions have in common: each schema and each field is described."""

    def init_attribute_functions(self) -> None:
        untyped: Any = super()
        untyped.init_attribute_functions()
        untyped.add_attribute_function(_one_of)
        untyped.add_attribute_function(_described)

    def schema2jsonschema(self, schema: Schema) -> Described:
        untyped: Any = super()
        converted = untyped.schema2jsonschema(schema)
        return {"description": summary(schema), **converted}


class _Requests(_Converter):
    """What a client sends: without what it may only read."""

    def fields2jsonschema(self, fields: Fields, *, partial: Any = None) -> Described:
        sent = {name: field for name, field in fields.items() if not field.dump_only}
        untyped: Any = super()
        converted: Described = untyped.fields2jsonschema(sent, partial=partial)
        for described in converted["properties"].values():
            described.pop("writeOnly", None)
        return converted


class _Responses(_Converter):
    """What a client is answered: all that is always there is required."""

    def fields2jsonschema(self, fields: Fields, *, partial: Any = None) -> Described:
        shown = {name: field for name, field in fields.items() if not field.load_only}
        untyped: Any = super()
        converted: Described = untyped.fields2jsonschema(shown)
        for described in converted["properties"].values():
            described.pop("readOnly", None)
            described.pop("default", None)
        required = sorted(name for name, field in shown.items() if _is_always_there(field))
        converted["required"] = required
        return converted


def _is_always_there(field: Field[Any]) -> bool:
    schema: Any = field.parent
    if getattr(schema, "may_be_cut", False):
        return False
    return not field.metadata.get("absent")


def _one_of(converter: Any, field: Any, **_: Any) -> Described:
    """How a field of our own is described: its shapes, one of which an object has."""
    if not isinstance(field, OneOf):
        return {}
    shapes = [converter.resolve_nested_schema(shape) for shape in field.shapes.values()]
    return {"oneOf": shapes}


def _described(_: Any, field: Any, ret: Described) -> Described:
    """The description of a field; the items of a list have none of their own."""
    if not isinstance(field.parent, Schema) or "description" in ret:
        return {}
    text = descriptions(type(field.parent)).get(field.name)
    return {"description": text} if text else {}


class _RequestPlugin(MarshmallowPlugin):
    Converter = _Requests


class _ResponsePlugin(MarshmallowPlugin):
    Converter = _Responses


class JsonSchemas:
    """The JSON Schemas of one direction, each of them once."""

    def __init__(self, plugin: type[MarshmallowPlugin], name_of: Naming) -> None:
        made = plugin(schema_name_resolver=name_of)
        self._spec = APISpec("", "", OPENAPI, [made])
        self._converter: Any = made.converter

    @property
    def named(self) -> dict[str, Described]:
        """Those that were referred to, by name."""
        return self._spec.components.schemas

    def reference(self, schema: Schema) -> Described:
        """A reference to the schema of this name; the schema itself where it has no name."""
        reference: Described = self._converter.resolve_nested_schema(schema)
        return reference

    def parameters(self, schema: Schema) -> list[Described]:
        """The fields of a query, each a parameter."""
        parameters: list[Described] = self._converter.schema2parameters(schema, location="query")
        return parameters


def requests(name_of: Naming) -> JsonSchemas:
    return JsonSchemas(_RequestPlugin, name_of)


def responses(name_of: Naming) -> JsonSchemas:
    return JsonSchemas(_ResponsePlugin, name_of)
