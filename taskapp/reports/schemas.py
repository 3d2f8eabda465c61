"""Histories, labels in use, and numbers for a dashboard, on the wire."""

from marshmallow import Schema, validate

from taskapp.ledger.events import KINDS
from taskapp.tasks.models import PRIORITIES, STATUSES
from taskapp.tasks.schemas import InProjectQuerySchema
from taskapp.web import fields
from taskapp.web.dates import TimeZone

COMPLETE = {"description": "Whether no older change was deleted (HISTORY_EVENTS_PER_TASK)."}
OLD_AND_NEW = fields.List(fields.Raw(), validate=validate.Length(equal=2))


class HistorySchema(Schema):
    """One change: each field with its old and its new value."""

    revision = fields.Int(required=True)
    at = fields.Time(required=True)
    user_id = fields.Int(required=True, allow_none=True)
    kind = fields.Choice(KINDS, required=True)
    changes = fields.Dict(keys=fields.String(), values=OLD_AND_NEW, required=True)


class HistoryPageSchema(fields.page_of(HistorySchema)):  # type: ignore[misc]
    """One page of a task's history."""

    complete = fields.Bool(required=True, metadata=COMPLETE)


class EventSchema(HistorySchema):
    """One change in a project; `task_id` is null where it is no task's."""

    id = fields.Int(required=True)
    task_id = fields.Int(required=True, allow_none=True)


class EventQuerySchema(Schema):
    """The query of a project's events."""

    limit = fields.QueryInt(max=200, load_default=50)
    cursor = fields.String(metadata=fields.CURSOR)


class ProjectEventsSchema(Schema):
    """What happened in a project, and the next cursor, also when there is no more."""

    items = fields.many(EventSchema, 200)
    has_more = fields.Bool(required=True)
    next_cursor = fields.Text(max=4096, required=True)


class LabelSchema(Schema):
    """A label, and how many tasks have it."""

    name = fields.Text(max=50, required=True)
    count = fields.Int(required=True)


class AssigneeCountSchema(Schema):
    """How many tasks somebody, or nobody, has."""

    user_id = fields.Int(required=True, allow_none=True)
    count = fields.Int(required=True)


class DayCountSchema(Schema):
    """How many tasks were done on a day."""

    date = fields.Text(max=10, required=True)
    count = fields.Int(min=0, required=True)


class AgeCountSchema(Schema):
    """How many open tasks are younger than so many days, and not counted before."""

    under_days = fields.Int(required=True, allow_none=True)
    count = fields.Int(min=0, required=True)


class StatsQuerySchema(InProjectQuerySchema):
    """The query of the numbers; days are those of `tz`, or of your own time zone."""

    tz = TimeZone()


class StatsSchema(Schema):
    """Numbers for a dashboard."""

    status = fields.Dict(keys=fields.Choice(STATUSES), values=fields.Int(min=0), required=True)
    priority = fields.Dict(keys=fields.Choice(PRIORITIES), values=fields.Int(min=0), required=True)
    assignee = fields.many(AssigneeCountSchema)
    overdue = fields.Int(min=0, required=True)
    open_by_age = fields.many(AgeCountSchema, 4)
    done_per_day = fields.many(DayCountSchema, 31)
