"""Validation with marshmallow.

Look at the schema: it is an object that knows how to read and write; the data stay plain dicts.
All errors come at once, nested as the data are. Unknown fields are refused by default.
"""

import datetime as dt
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from lab.exercises.validation import ADULT, WEAK, age_on, is_strong


def _strong(password: str) -> None:
    if not is_strong(password):
        raise ValidationError(WEAK)


def _adult(born: dt.date) -> None:
    if age_on(dt.datetime.now(dt.UTC).date(), born) < ADULT:
        raise ValidationError(f"Only from {ADULT} on.")


class UserSchema(Schema):
    name = fields.String(required=True, validate=validate.Length(1, 100))
    email = fields.Email(required=True)
    password = fields.String(required=True, validate=_strong, load_only=True)
    born = fields.Date(required=True, validate=_adult)


class CommentSchema(Schema):
    author = fields.Email(required=True)
    text = fields.String(required=True, validate=validate.Length(1, 1000))


class PostSchema(Schema):
    title = fields.String(required=True, validate=validate.Length(1, 200))
    author = fields.Nested(UserSchema, required=True)
    comments = fields.List(fields.Nested(CommentSchema), load_default=list)


_post = PostSchema()


def wrong_places(data: dict[str, Any]) -> set[str]:
    """Where a post is wrong, as dotted paths; empty when it is right."""
    try:
        _post.load(data)
    except ValidationError as error:
        return set(_paths(error.messages))
    return set()


def _paths(messages: Any, path: str = "") -> list[str]:
    if not isinstance(messages, dict):
        return [path]
    named = ((f"{path}.{name}" if path else str(name), each) for name, each in messages.items())
    return [result for name, each in named for result in _paths(each, name)]
