"""Strict input where FastAPI is lenient: the twin of contract.py's first half.

pydantic checks values; what it never sees (duplicate keys, media types, repeated parameters) is
checked here, in the places that FastAPI leaves open for it: the request class and a dependency.
"""

import json
import math
from collections import Counter
from collections.abc import Callable, Coroutine
from email.message import Message
from itertools import chain
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.convertors import Convertor, register_url_convertor

from lab.twin.errors import Invalid, MalformedJson, PayloadTooLarge, UnsupportedMediaType
from lab.twin.fields import INT64

MAX_DEPTH = 32


class IdConvertor(Convertor[int]):
    """A positive id in canonical decimal: no 19th digit, which could pass int64, is ever needed."""

    regex = "[1-9][0-9]{0,17}"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


register_url_convertor("id", IdConvertor())  # before any route names it


class StrictRequest(Request):
    """A request whose body is strict JSON (RFC 8259, I-JSON RFC 7493) or refused."""

    async def body(self) -> bytes:
        if not hasattr(self, "_body"):
            self._body = await self._read(self.app.state.settings.max_body_bytes)
            self._check_media_type(self._body)
        return self._body

    async def _read(self, most: int) -> bytes:
        """FastAPI's own `max_body_size` answers in plain text; this is a problem like others."""
        if int(self.headers.get("content-length", "0")) > most:
            raise PayloadTooLarge
        raw = bytearray()
        async for chunk in self.stream():
            raw += chunk
            if len(raw) > most:
                raise PayloadTooLarge
        return bytes(raw)

    async def json(self) -> Any:
        raw = await self.body()
        try:
            value = json.loads(
                raw.decode("utf-8"),
                object_pairs_hook=_object,
                parse_constant=_refuse,
                parse_int=_int64,
                parse_float=_double,
            )
        except (ValueError, RecursionError):
            raise MalformedJson from None
        if _depth(value) > MAX_DEPTH:
            raise MalformedJson
        return value

    def _check_media_type(self, raw: bytes) -> None:
        if self.headers.get("content-encoding", "identity") != "identity":
            raise UnsupportedMediaType
        told = Message()
        told["content-type"] = self.headers.get("content-type") or "none/none"
        known = ["application/json"]
        if self.method == "PATCH":
            known.append("application/merge-patch+json")
        fits = told.get_content_type() in known  # a charset says nothing of JSON: RFC 8259, 11
        if (raw or "content-type" in self.headers) and not fits:
            raise UnsupportedMediaType


class StrictRoute(APIRoute):
    """A route whose requests are strict."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handle(StrictRequest(request.scope, request.receive))

        return strict


async def each_parameter_once(request: Request) -> None:
    counts = Counter(name for name, _ in request.query_params.multi_items())
    _refuse_parameters([name for name, count in counts.items() if count > 1], "Sent twice.")


async def no_parameters(request: Request) -> None:
    _refuse_parameters(list(request.query_params), "Unknown field.")


def _refuse_parameters(names: list[str], detail: str) -> None:
    if names:
        raise Invalid(errors=[{"parameter": name, "detail": detail} for name in names])


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("duplicate key")
    return members


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _int64(digits: str) -> int:
    if len(digits) > 20 or not -INT64 - 1 <= int(digits) <= INT64:
        raise ValueError("past int64")
    return int(digits)


def _double(digits: str) -> float:
    if math.isinf(value := float(digits)):
        raise ValueError("past double")
    return value


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level := [v for v in level if isinstance(v, dict | list)]:
        depth += 1
        inner = (v.values() if isinstance(v, dict) else v for v in level)
        level = list(chain.from_iterable(inner))
    return depth
