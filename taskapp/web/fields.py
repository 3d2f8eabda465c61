"""The value types of the wire: strict on the way in, with the limits that OpenAPI shows.

JSON fields take the exact JSON type and coerce nothing. Their query twins read the canonical
text of the same value.
"""

import datetime as dt
import re
import unicodedata
from collections.abc import Collection, Sequence
from typing import Any, ClassVar

from marshmallow import Schema, fields, validate
from marshmallow.exceptions import ValidationError

from taskapp import marks
from taskapp.errors import MAX_REASONS

# So that schemas find every type in one place.
Dict, Raw, String = fields.Dict, fields.Raw, fields.String
INT64 = 2**63 - 1
MANY = validate.Length(max=1_000_000)  # of what has no smaller bound of its own
FORBIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\ud800-\udfff]")
RETURN = re.compile(r"\r\n?")
LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
# The same for readers of the document; a trimmed text has something in it.
PLAIN = r"[^\x00-\x08\x0b\x0c\x0e-\x1f]"
# White space as it is trimmed, sign by sign: `\s` is another set in each language (ECMA-262 lacks
# U+0085 and has U+FEFF).
BLANK = "\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
VISIBLE = rf"[^\x00-\x20{BLANK}]"
TEXT_PATTERN = f"^{PLAIN}*$"
TRIMMED_PATTERN = f"^{PLAIN}*{VISIBLE}{PLAIN}*$"
# No bounds of its own: whatever is no cursor of ours is a damaged one.
CURSOR = {"pattern": "^[A-Za-z0-9_.-]+$", "minLength": 1, "maxLength": 7000}
# RFC 3339, section 5.6; a leap second is refused because no database here can hold one.
RFC3339 = re.compile(
    r"(?a)\d{4}-\d\d-\d\d[Tt]([01]\d|2[0-3]):\d\d:\d\d(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)"
)
MAX_TIME = 40  # characters; fractions of a second may have any number of digits
YEARS = "^(19[7-9]|2[0-9]{2})[0-9]-"
# Code points of a text that NFC may make one of, as in Vietnamese or pointed Hebrew.
MAX_GROWTH = 4
MARKS = "".join(filter(unicodedata.combining, marks.MARKS))
RUN_OF_MARKS = re.compile(f"[{MARKS}]{{31}}")
LONG_RUN_OF_MARKS = re.compile(f"[{MARKS}]{{35}}")
CANONICAL_INT = re.compile(r"0|-?[1-9][0-9]{0,18}")


def example(value: Any) -> dict[str, Any]:
    """What the document shows of a field."""
    return {"examples": [value]}


class Nested(fields.Nested):
    """An object inside another, which is whole also where the other may be sent in part."""

    def _deserialize(
        self, value: Any, attr: Any, data: Any, partial: Any = None, **kwargs: Any
    ) -> Any:
        return super()._deserialize(value, attr, data, partial=None, **kwargs)


class List(fields.List[Any]):
    """A list whose length is looked at before its items; the first MAX_REASONS faults are named."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> list[Any]:
        if not isinstance(value, list):
            raise self.make_error("invalid")
        for validator in self.validators:
            if isinstance(validator, validate.Length):
                validator(value)
        items = []
        faults: dict[int, Any] = {}
        for number, item in enumerate(value):
            try:
                items.append(self.inner.deserialize(item, **kwargs))
            except ValidationError as error:
                faults[number] = error.messages
                if len(faults) == MAX_REASONS:
                    break
        if faults:
            raise ValidationError(faults)
        return items


class Checked(fields.Field[Any]):
    """A field with few validators: one alone has no faults to gather."""

    def _validate(self, value: Any) -> None:
        if len(self.validators) == 1:
            self.validators[0](value)
        else:
            super()._validate(value)


class Text(Checked, fields.String):
    """Unicode text in NFC without control characters; lengths count code points.

    The length is looked at first: to normalize takes time, and quadratic time for a long run of
    combining marks (UAX 15, section 12.1: a stream-safe text has runs of 30 at most).
    """

    def __init__(self, *, min: int = 0, max: int, trim: bool = False, **kwargs: Any) -> None:
        self.trim = trim
        self.longest_sent = max * MAX_GROWTH
        metadata = {"pattern": TRIMMED_PATTERN if trim else TEXT_PATTERN}
        metadata.update(kwargs.pop("metadata", {}))
        bounds: list[Any] = [validate.Length(min=min or None, max=max)]
        bounds.extend(kwargs.pop("validate", []))
        super().__init__(validate=bounds, metadata=metadata, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        if self.trim:
            text = LINE_BREAK.sub(" ", text).strip()
        if len(text) > self.longest_sent:
            raise ValidationError(f"Longer than maximum length {self.longest_sent // MAX_GROWTH}.")
        return text_of(text)


def text_of(text: str) -> str:
    """Text as it is kept: in NFC, with line ends of one kind.

    Raises:
        ValidationError: It holds what is no text; the message says which character, and where.
    """
    if text.isascii() and text.isprintable():  # as most are: no line end, no control character
        return text
    text = RETURN.sub("\n", text)
    forbidden = FORBIDDEN.search(text)
    if forbidden:
        raise ValidationError(_not_text(forbidden[0], forbidden.start() + 1))
    return text if text.isascii() else _normalized(text)


def _not_text(character: str, place: int) -> str:
    kind = "control character" if character < " " else "lone surrogate"
    return f"Character {place} is U+{ord(character):04X}: a {kind} is not text."


def _normalized(text: str) -> str:
    """The text in NFC, which may shorten a run of marks by those that its letter takes in."""
    if not LONG_RUN_OF_MARKS.search(text):
        text = unicodedata.normalize("NFC", text)
        if not RUN_OF_MARKS.search(text):
            return text
    raise ValidationError("More than 30 combining marks in a row are not text.")


class Address(Text):
    """An address of this service: relative where it is stored, absolute in an answer."""


class Email(Text):
    """An e-mail address; kept as written, compared without case."""

    def __init__(self, **kwargs: Any) -> None:
        metadata = example("alice@example.com")
        metadata["format"] = "email"
        kwargs.setdefault("metadata", metadata)
        kwargs["validate"] = [validate.Email()]
        # RFC 5321, section 4.5.3.1.3 bounds an address at 254 octets.
        super().__init__(min=3, max=254, trim=True, **kwargs)


class Password(Text):
    """A secret; bounded in bytes, so that nobody makes us hash a megabyte."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs["metadata"] = {**example("seven mossy lanterns"), "format": "password"}
        kwargs["validate"] = [_in_1024_bytes]
        super().__init__(min=1, max=1024, load_only=True, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        """Never changed: not to NFC, and not its line ends."""
        password: str = String._deserialize(self, value, attr, data, **kwargs)
        if len(password) <= self.longest_sent:
            text_of(password)
        return password


def _in_1024_bytes(text: str) -> None:
    if len(text.encode()) > 1024:
        raise ValidationError("Longer than maximum length 1024 bytes.")


class Int(Checked, fields.Integer):
    """A JSON integer, and nothing that merely looks like one."""

    def __init__(self, *, min: int = 1, max: int = INT64, **kwargs: Any) -> None:
        metadata = {"format": "int64"}
        metadata.update(kwargs.pop("metadata", {}))
        super().__init__(validate=validate.Range(min, max), metadata=metadata, **kwargs)

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

    def __init__(self, **kwargs: Any) -> None:
        metadata = {**example("2030-12-31T17:00:00Z"), "maxLength": MAX_TIME, "pattern": YEARS}
        super().__init__(metadata=metadata, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> dt.datetime:
        is_short = isinstance(value, str) and len(value) <= MAX_TIME
        if not is_short or not RFC3339.fullmatch(value):
            raise ValidationError("Not an RFC 3339 time with an offset, as 2026-01-31T09:30:00Z.")
        try:
            utc = dt.datetime.fromisoformat(value.upper()).astimezone(dt.UTC)
        except (ValueError, OverflowError):
            raise ValidationError("This is not a valid date and time.") from None
        if not 1970 <= utc.year <= 2999:
            raise ValidationError("Years go from 1970 to 2999, in UTC.")
        return utc


class Choice(Checked, fields.String):
    """One of a few names."""

    def __init__(self, names: Sequence[str], **kwargs: Any) -> None:
        self.names = names
        super().__init__(validate=validate.OneOf(names), **kwargs)


ESCAPED = re.compile(r"\\([\\,])")
# Signs that no text has stand for an escaped comma or backslash while the list is split.
HIDDEN = {",": "\ud800", "\\": "\ud801"}
SHOWN = {ord(hidden): sign for sign, hidden in HIDDEN.items()}


class CommaList(Text):
    r"""`a,b,c` in a query: each part allowed, and there once.

    Where parts are anything, `\,` is a comma inside one and `\\` a backslash.
    """

    def __init__(self, names: Collection[str] = (), most: int = 20, **kwargs: Any) -> None:
        part = "|".join(sorted(names)) or r"(\\[\\,]|[^,\x00-\x08\x0b\x0c\x0e-\x1f]){1,50}"
        self.parts = re.compile(f"({part})")
        self.most = most
        # A sort may begin with a sign; a label may, too, and is another one then.
        self.sign = "-" if names else ""
        pattern = f"^({part})(,({part})){{0,{most - 1}}}$"
        super().__init__(max=2000, metadata={"pattern": pattern}, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        text: str = super()._deserialize(value, attr, data)
        parts = ESCAPED.sub(_hidden, text).split(",")
        unsigned = {part.lstrip(self.sign) for part in parts}
        known = all(map(self.parts.fullmatch, parts))
        if not known or len(unsigned) < len(parts) or len(parts) > self.most:
            raise ValidationError(f"Not a list of {self.parts.pattern}, each once.")
        return [part.translate(SHOWN) for part in parts]


def _hidden(escape: re.Match[str]) -> str:
    return HIDDEN[escape[1]]


class NameOrId(fields.String):
    """A name out of a few, or an id: `assignee=me`, `assignee=7`."""

    def __init__(self, *names: str) -> None:
        self.names = names
        pattern = f"^({'|'.join(names)}|[1-9][0-9]{{0,18}})$"
        super().__init__(metadata={"pattern": pattern, "maxLength": 19})

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if value in self.names:
            return value
        return QueryInt().deserialize(value, attr, data)


class OneOf(fields.Field[Any]):
    """An object of one of several shapes, which one of its fields tells apart."""

    def __init__(self, by: str, **shapes: Schema) -> None:
        self.by = by
        self.shapes = shapes
        super().__init__()

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        shape = value.get(self.by) if isinstance(value, dict) else None
        if shape not in list(self.shapes):
            known = ", ".join(self.shapes)
            raise ValidationError({self.by: [f"Must be one of: {known}."]})
        return self.shapes[shape].load(value)


class Resource(Schema):
    """What has a URL of its own, made from its fields and the request's path."""

    location: ClassVar[str]


# What an answer may leave out.
ABSENT = {"absent": True}
PAGE_SAYS = """One page of a list.

Attributes:
    items: What is on this page.
    next_cursor: Send it as `cursor` for the next page; null: this is the last.
    total: How many items the list has in all; only where `total=true` asks for it.
"""


class PageQuerySchema(Schema):
    """The query of every list.

    Attributes:
        limit: How many items at most. A page ends earlier where its texts are longer than 4 MiB
            together; `next_cursor` says that there is more.
        cursor: `next_cursor` of the page before; without it, the first page.
        total: `true`: count all items of the list, too.
    """

    limit = QueryInt(max=200, load_default=50)
    cursor = String(metadata=CURSOR)
    total = QueryBool(load_default=False)


PAGE_QUERY = PageQuerySchema()


def many(item: type[Schema] | Schema, most: int = 1_000_000) -> List:
    """A list that is always there; a million is for what has no smaller bound of its own."""
    return List(fields.Nested(item), required=True, validate=validate.Length(max=most))


def page_of(item: type[Schema]) -> type[Schema]:
    """The schema of one page of a list."""
    name = item.__name__.removesuffix("Schema")
    members: dict[str, Any] = {
        "items": many(item, 200),
        "next_cursor": Text(max=4096, allow_none=True, required=True),
        "total": Int(min=0, metadata=ABSENT),
    }
    page = Schema.from_dict(members, name=f"{name}PageSchema")
    page.__doc__ = PAGE_SAYS
    return page


def counts_of(names: Sequence[str], title: str, description: str) -> type[Schema]:
    """The schema of an object that has a number for each name."""
    members: dict[str, Any] = {
        name: Int(min=0, required=True, metadata={"description": f"How many are `{name}`."})
        for name in names
    }
    counts = Schema.from_dict(members, name=f"{title}Schema")
    counts.__doc__ = description
    return counts
