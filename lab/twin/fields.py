"""The value types of the wire, as annotations: the twin of fields.py.

A marshmallow field is a class that knows both directions; a pydantic type is a plain type with
validators beside it, and the model decides the direction.
"""

import datetime as dt
import re
import unicodedata
from typing import Annotated, Any

from email_validator import EmailNotValidError, validate_email
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StrictInt,
    StringConstraints,
)

from lab.twin.database import zulu

INT64 = 2**63 - 1
FORBIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\ud800-\udfff]")
RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
CANONICAL_INT = re.compile(r"0|-?[1-9][0-9]{0,18}")


def clean(text: str) -> str:
    if FORBIDDEN.search(text):
        raise ValueError("Control characters and lone surrogates are not text.")
    return unicodedata.normalize("NFC", text)


def email(text: str) -> str:
    """Checked by email-validator, kept as written."""
    try:
        validate_email(text, check_deliverability=False)
    except EmailNotValidError as error:
        raise ValueError(str(error)) from None
    return text


def in_1024_bytes(text: str) -> str:
    if len(text.encode()) > 1024:
        raise ValueError("Longer than maximum length 1024 bytes.")
    return text


def instant(value: Any) -> dt.datetime:
    if not isinstance(value, str) or not RFC3339.fullmatch(value):
        raise ValueError("Not an RFC 3339 time with an offset, as 2026-01-31T09:30:00Z.")
    try:
        utc = dt.datetime.fromisoformat(value.upper()).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        raise ValueError("This is not a valid date and time.") from None
    if not 1970 <= utc.year <= 2999:
        raise ValueError("Years go from 1970 to 2999, in UTC.")
    return utc


def canonical(value: Any) -> int:
    if not isinstance(value, str) or not CANONICAL_INT.fullmatch(value):
        raise ValueError("Not a valid integer.")
    return int(value)


def each_once(text: str) -> str:
    names = [name.lstrip("-") for name in text.split(",")]
    if len(set(names)) < len(names):
        raise ValueError("Each name once.")
    return text


def id_in_int64(text: str) -> str:
    if text.isdigit() and int(text) > INT64:
        raise ValueError("Past int64.")
    return text


Trim = StringConstraints(strip_whitespace=True)
Text = Annotated[str, AfterValidator(clean)]
Name = Annotated[Text, Trim, Field(min_length=1, max_length=200)]
Email = Annotated[Text, Trim, Field(min_length=3, max_length=254), AfterValidator(email)]
Password = Annotated[Text, Field(min_length=1, max_length=1024), AfterValidator(in_1024_bytes)]
Id = Annotated[StrictInt, Field(ge=1, le=INT64)]
QueryId = Annotated[int, BeforeValidator(canonical), Field(ge=1, le=INT64)]
QueryBool = Annotated[bool, BeforeValidator({"true": True, "false": False}.get)]
CommaList = Annotated[Text, AfterValidator(each_once)]
NameOrId = Annotated[str, AfterValidator(id_in_int64)]
TimeIn = Annotated[dt.datetime, BeforeValidator(instant)]
TimeOut = Annotated[dt.datetime, PlainSerializer(zulu, when_used="json")]


def comma_list(*names: str, most: int = 20) -> Any:
    """Bounds for `a,b,c` in a query: each part allowed."""
    part = "|".join(sorted(names)) or "[^,]{1,50}"
    return Field(max_length=2000, pattern=f"^({part})(,({part})){{0,{most - 1}}}$")


def name_or_id(*names: str) -> Any:
    """Bounds for a name out of a few, or an id: `assignee=me`, `assignee=7`."""
    return Field(max_length=19, pattern=f"^({'|'.join(names)}|[1-9][0-9]{{0,18}})$")


class Wire(BaseModel):
    """What clients send: nothing unknown."""

    model_config = ConfigDict(extra="forbid")


class Resource(BaseModel):
    """What clients get, straight from a row."""

    model_config = ConfigDict(from_attributes=True)
