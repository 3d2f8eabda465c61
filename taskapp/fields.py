"""The value types of the wire: strict on the way in, with the limits that OpenAPI shows.

JSON fields take the exact JSON type and coerce nothing. Their query twins read the canonical
text of the same value.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Collection, Sequence
from typing import Any

import orjson
from marshmallow import Schema, fields, validate
from marshmallow.exceptions import ValidationError

INT64 = 2**63 - 1
FORBIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\ud800-\udfff]")
# RFC 3339, section 5.6; a leap second is refused because no database here can hold one.
RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
CANONICAL_INT = re.compile(r"0|-?[1-9][0-9]{0,18}")


class Text(fields.String):
    """Unicode text in NFC without control characters; lengths count code points."""

    def __init__(self, *, min: int = 0, max: int, trim: bool = False, **kwargs: Any) -> None:
        self.trim = trim
        bounds = [validate.Length(min=min or None, max=max), *kwargs.pop("validate", [])]
        super().__init__(validate=bounds, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        if FORBIDDEN.search(text):
            raise ValidationError("Control characters and lone surrogates are not text.")
        return unicodedata.normalize("NFC", text.strip() if self.trim else text)


class Email(Text):
    """An e-mail address; kept as written, compared without case."""

    def __init__(self, **kwargs: Any) -> None:
        # RFC 5321, section 4.5.3.1.3 bounds an address at 254 octets.
        super().__init__(min=3, max=254, trim=True, validate=[validate.Email()], **kwargs)


class Password(fields.String):
    """A secret as its owner typed it; bounded in bytes, so that nobody makes us hash a megabyte."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(load_only=True, validate=validate.Length(min=1, max=1024), **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            raise ValidationError("A lone surrogate is not text.") from None
        if size > 1024:
            raise ValidationError("Longer than maximum length 1024 bytes.")
        return unicodedata.normalize("NFC", text)


class Int(fields.Integer):
    """A JSON integer, and nothing that merely looks like one."""

    def __init__(self, *, min: int = 1, max: int = INT64, **kwargs: Any) -> None:
        super().__init__(validate=validate.Range(min, max), **kwargs)

    def _validated(self, value: Any) -> int:
        if type(value) is not int:
            raise self.make_error("invalid", input=value)
        return value


class QueryInt(Int):
    def _validated(self, value: Any) -> int:
        if not CANONICAL_INT.fullmatch(value):
            raise self.make_error("invalid", input=value)
        return int(value)


class Bool(fields.Boolean):
    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> bool:
        if type(value) is not bool:
            raise self.make_error("invalid", input=value)
        return value


class QueryBool(fields.Boolean):
    truthy = {"true"}  # noqa: RUF012 - marshmallow's own form
    falsy = {"false"}  # noqa: RUF012


class Time(fields.DateTime):
    """RFC 3339 with an offset in; UTC out; the years that every database here can hold."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> dt.datetime:
        if not isinstance(value, str) or not RFC3339.fullmatch(value):
            raise ValidationError("Not an RFC 3339 time with an offset, as 2026-01-31T09:30:00Z.")
        try:
            utc = dt.datetime.fromisoformat(value.upper()).astimezone(dt.UTC)
        except (ValueError, OverflowError):
            raise ValidationError("There is no such time.") from None
        if not 1970 <= utc.year <= 2999:
            raise ValidationError("Years go from 1970 to 2999, in UTC.")
        return utc


class Choice(fields.String):
    """One of a few names."""

    def __init__(self, names: Sequence[str], **kwargs: Any) -> None:
        super().__init__(validate=validate.OneOf(names), **kwargs)


class CommaList(Text):
    """`a,b,c` in a query: each part allowed, and there once."""

    def __init__(self, names: Collection[str] = (), most: int = 20, **kwargs: Any) -> None:
        self.names, self.most = frozenset(names), most
        super().__init__(max=2000, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        parts = [part.strip() for part in super()._deserialize(value, attr, data).split(",")]
        wrong = [part for part in parts if not part or (self.names and part not in self.names)]
        if (
            wrong
            or len(parts) > self.most
            or len({part.lstrip("-") for part in parts}) < len(parts)
        ):
            raise ValidationError(self._hint())
        return parts

    def _hint(self) -> str:
        known = f" of {', '.join(sorted(self.names))}" if self.names else ""
        return f"Not a comma list{known}, each once and at most {self.most}."


class OneOfOr(fields.String):
    """A name out of a few, or else what the other field reads: `assignee=me`, `assignee=7`."""

    def __init__(self, names: Collection[str], other: fields.Field[Any], **kwargs: Any) -> None:
        self.names, self.other = names, other
        super().__init__(**kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        return value if value in self.names else self.other.deserialize(value, attr, data, **kwargs)


class PageQuerySchema(Schema):
    """The query of every list."""

    limit = QueryInt(max=200, load_default=50)
    cursor = Text(min=1, max=4096)
    total = QueryBool(load_default=False)


def page_of(item: type[Schema]) -> type[Schema]:
    """The schema of one page of a list."""
    name = item.__name__.removesuffix("Schema")
    page = Schema.from_dict(
        {
            "items": fields.List(
                fields.Nested(item), required=True, validate=validate.Length(max=200)
            ),
            "next_cursor": Text(max=4096, allow_none=True, required=True),
            "total": Int(min=0),
        },
        name=f"{name}PageSchema",
    )
    page.__doc__ = f"One page of a list of {name}s."
    return page


def encode(value: Any) -> bytes:
    """JSON as this service writes it, on the wire and into JSON columns."""
    return orjson.dumps(value, default=_plain, option=orjson.OPT_PASSTHROUGH_DATETIME)


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    raise TypeError(type(value).__name__)
