"""Holds every answer of the service against its own OpenAPI document."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from flask import Flask
from jsonschema_rs import Draft202012Validator
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse

from taskapp.web import openapi


class Document:
    """The document of an app, and what it promises of an answer."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.content: dict[str, Any] = openapi.build(app)
        self.validator = lru_cache(maxsize=None)(self._validator)

    def check(self, response: TestResponse) -> None:
        """The status is documented, the media type too, and the body is as its schema says."""
        promised = self._promised(response)
        if promised is None:
            return
        path, method, operation = promised
        status = str(response.status_code)
        assert status in operation["responses"], f"{method} {path} does not document {status}"
        described = self.resolved(operation["responses"][status])
        self._check_headers(response, described["headers"], f"{method} {path} {status}")
        content = described.get("content", {})
        if method == "head" or not response.data:
            return
        assert response.mimetype in content, f"{method} {path} {status}: {response.mimetype}"
        if response.mimetype.endswith(("/json", "+json")):
            self.validator(path, method, status, response.mimetype).validate(response.get_json())

    def resolved(self, value: dict[str, Any]) -> dict[str, Any]:
        """What a reference refers to."""
        for name in value.get("$ref", "#").split("/")[1:]:
            value = (self.content if name == "components" else value)[name]
        return value

    def _check_headers(self, response: TestResponse, promised: dict[str, Any], where: str) -> None:
        """Each header that the document knows is there where it says so, and nowhere else."""
        sent = {name for name in self.content["components"]["headers"] if name in response.headers}
        required = {name for name in promised if self.resolved(promised[name]).get("required")}
        assert sent <= promised.keys(), f"{where} does not document {sent - promised.keys()}"
        assert required <= sent, f"{where} lacks {required - sent}"

    def _promised(self, response: TestResponse) -> tuple[str, str, dict[str, Any]] | None:
        request = response.request
        try:
            rule, _ = self.app.url_map.bind("localhost").match(
                request.path, method=request.method, return_rule=True
            )
        except HTTPException:
            return None  # no such route or method: there is nothing to promise
        path = openapi.ARGUMENT.sub(r"{\2}", rule.rule)
        method = "get" if request.method == "HEAD" else request.method.lower()
        operation = self.content["paths"].get(path, {}).get(method)
        return (path, request.method.lower(), operation) if operation else None

    def _validator(self, path: str, method: str, status: str, media: str) -> Draft202012Validator:
        operation = self.content["paths"][path]["get" if method == "head" else method]
        content = self.resolved(operation["responses"][status])["content"]
        schema = content[media]["schema"]
        return Draft202012Validator({**schema, "components": self.content["components"]})
