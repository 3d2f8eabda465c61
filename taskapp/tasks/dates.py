"""How repeats and reminders come over the wire."""

import datetime as dt
from typing import Any

from marshmallow import Schema, fields, validate
from marshmallow.exceptions import ValidationError

from taskapp.tasks.recurrence import MAX_LENGTH, InvalidRule, parse
from taskapp.tasks.reminders import before_due
from taskapp.web.dates import TimeZone
from taskapp.web.fields import Text, Time, example

MAX_REMINDER = 40  # characters


class Rule(Text):
    """A recurrence rule, the part of RFC 5545, section 3.3.10, that tasks repeat by."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            min=1, max=MAX_LENGTH, metadata=example("FREQ=WEEKLY;BYDAY=MO,TH"), **kwargs
        )

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            parse(text)
        except InvalidRule as error:
            raise ValidationError(str(error)) from None
        return text.upper()


class Reminder(Text):
    """A time in RFC 3339, or how long before the task is due as an ISO 8601 duration: `-PT1H`."""

    def __init__(self) -> None:
        super().__init__(min=1, max=MAX_REMINDER, metadata=example("-PT1H"))

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs).upper()
        try:
            length = before_due(text)
        except ValueError as error:
            raise ValidationError(str(error)) from None
        if length is not None:
            return text
        try:
            moment: dt.datetime = Time().deserialize(text)
        except ValidationError:
            raise ValidationError(
                "Send a time (2026-01-31T09:30:00Z), or how long before the due date (-PT1H, -P1D)."
            ) from None
        return moment.isoformat(timespec="microseconds")[:26] + "Z"


class _RepeatSchema(Schema):
    rule = Rule(required=True)
    timezone = TimeZone()


# `from` is a keyword of Python, so no attribute can have this name.
RepeatSchema = _RepeatSchema.from_dict(
    {"from": fields.String(validate=validate.OneOf(("due", "done")), load_default="due")},
    name="RepeatSchema",
)
RepeatSchema.__doc__ = """How a task repeats once it is done.

Attributes:
    rule: A recurrence rule of RFC 5545, as `FREQ=WEEKLY;BYDAY=MO,TH`.
    from: Where the rule counts from: when the task was due, or when it was done.
    timezone: The time zone in which the rule counts days: an IANA name. Without it, yours.
"""
