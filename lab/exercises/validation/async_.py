"""Validation with pydantic.

Look at the models: they are the data, too, with types that an editor and mypy understand. The work
is done in Rust where the types are pydantic's own; `EmailStr` asks email-validator, which is Python
and thorough, and the timing shows it. Unknown fields would be ignored, had we not forbidden them.
"""

import datetime as dt
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, EmailStr, Field, ValidationError

from lab.exercises.validation import ADULT, WEAK, age_on, is_strong


def _strong(password: str) -> str:
    if not is_strong(password):
        raise ValueError(WEAK)
    return password


def _adult(born: dt.date) -> dt.date:
    if age_on(dt.datetime.now(dt.UTC).date(), born) < ADULT:
        raise ValueError(f"Only from {ADULT} on.")
    return born


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class User(Model):
    name: Annotated[str, Field(min_length=1, max_length=100)]
    email: EmailStr
    password: Annotated[str, AfterValidator(_strong)] = Field(exclude=True)
    born: Annotated[dt.date, AfterValidator(_adult)]


class Comment(Model):
    author: EmailStr
    text: Annotated[str, Field(min_length=1, max_length=1000)]


class Post(Model):
    title: Annotated[str, Field(min_length=1, max_length=200)]
    author: User
    comments: list[Comment] = []


def wrong_places(data: dict[str, Any]) -> set[str]:
    """Where a post is wrong, as dotted paths; empty when it is right."""
    try:
        Post.model_validate(data)
    except ValidationError as error:
        return {".".join(str(step) for step in each["loc"]) for each in error.errors()}
    return set()
