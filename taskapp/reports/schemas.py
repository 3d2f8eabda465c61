"""Histories, labels in use, and numbers for a dashboard, on the wire."""

from marshmallow import Schema, validate

from taskapp.tasks.models import PRIORITIES, STATUSES
from taskapp.web import fields

OLD_AND_NEW = fields.List(fields.Raw(), validate=validate.Length(equal=2))


class HistorySchema(Schema):
    """One change: each field with its old and its new value."""

    revision = fields.Int(required=True)
    at = fields.Time(required=True)
    user_id = fields.Int(required=True, allow_none=True)
    kind = fields.Text(max=50, required=True)
    changes = fields.Dict(keys=fields.String(), values=OLD_AND_NEW, required=True)


class LabelSchema(Schema):
    """A label, and how many tasks have it."""

    name = fields.Text(max=50, required=True)
    count = fields.Int(required=True)


class AssigneeCountSchema(Schema):
    """How many tasks somebody, or nobody, has."""

    user_id = fields.Int(required=True, allow_none=True)
    count = fields.Int(required=True)


class DayCountSchema(Schema):
    """How many tasks were done on a day, in UTC."""

    date = fields.Text(max=10, required=True)
    count = fields.Int(min=0, required=True)


class StatsSchema(Schema):
    """Numbers for a dashboard."""

    status = fields.Dict(keys=fields.Choice(STATUSES), values=fields.Int(min=0), required=True)
    priority = fields.Dict(keys=fields.Choice(PRIORITIES), values=fields.Int(min=0), required=True)
    assignee = fields.many(AssigneeCountSchema)
    overdue = fields.Int(min=0, required=True)
    done_per_day = fields.many(DayCountSchema, 31)
