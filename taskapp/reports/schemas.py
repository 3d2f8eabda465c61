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
    """One change: each field with its old and its new value.

    Attributes:
        revision: The revision of the project that it made.
        at: When it happened.
        user_id: Who did it; null: the service itself, or a user who is gone.
        kind: What happened.
        changes: Each field that changed, with its old and its new value.
    """

    revision = fields.Int(required=True)
    at = fields.Time(required=True)
    user_id = fields.Int(required=True, allow_none=True)
    kind = fields.Choice(KINDS, required=True)
    changes = fields.Dict(keys=fields.String(), values=OLD_AND_NEW, required=True)


class HistoryPageSchema(fields.page_of(HistorySchema)):  # type: ignore[misc]
    """One page of a task's history."""

    complete = fields.Bool(required=True, metadata=COMPLETE)


class EventSchema(HistorySchema):
    """One change in a project; `task_id` is null where it is no task's.

    Attributes:
        id: The event's number; later events of a project have higher ones.
        task_id: The task it happened to; null where it is no task's.
    """

    id = fields.Int(required=True)
    task_id = fields.Int(required=True, allow_none=True)


class EventQuerySchema(Schema):
    """The query of a project's events.

    Attributes:
        limit: How many at most. A page ends earlier where its texts are longer than 4 MiB together;
            `has_more` says so.
        cursor: `next_cursor` of the page before; without it, from the beginning.
    """

    limit = fields.QueryInt(max=200, load_default=50)
    cursor = fields.String(metadata=fields.CURSOR)


class ProjectEventsSchema(Schema):
    """What happened in a project, and the next cursor, also when there is no more.

    Attributes:
        items: What happened, oldest first.
        has_more: Whether there is more already.
        next_cursor: Where to go on from, now or later.
    """

    items = fields.many(EventSchema, 200)
    has_more = fields.Bool(required=True)
    next_cursor = fields.Text(max=4096, required=True)


class LabelSchema(Schema):
    """A label, and how many tasks have it.

    Attributes:
        name: The label.
        count: How many tasks have it.
    """

    name = fields.Text(max=50, required=True)
    count = fields.Int(required=True)


class AssigneeCountSchema(Schema):
    """How many tasks somebody, or nobody, has.

    Attributes:
        user_id: Whose tasks they are; null: nobody's.
        count: How many.
    """

    user_id = fields.Int(required=True, allow_none=True)
    count = fields.Int(required=True)


class DayCountSchema(Schema):
    """How many tasks were done on a day.

    Attributes:
        date: The day, as 2030-12-31.
        count: How many.
    """

    date = fields.Text(max=10, required=True)
    count = fields.Int(min=0, required=True)


class AgeCountSchema(Schema):
    """How many open tasks are younger than so many days, and not counted before.

    Attributes:
        under_days: Younger than so many days, and not counted in the entry before; null: all that
            are older.
        count: How many.
    """

    under_days = fields.Int(required=True, allow_none=True)
    count = fields.Int(min=0, required=True)


class StatsQuerySchema(InProjectQuerySchema):
    """The query of the numbers; days are those of `tz`, or of your own time zone.

    Attributes:
        project_id: Only tasks of this project; without it, of all that you see.
        tz: The time zone in which days begin: an IANA name. Without it, that of your account.
    """

    tz = TimeZone()


STATUS_COUNTS = fields.counts_of(STATUSES, "StatusCounts", "How many tasks have each status.")
PRIORITY_COUNTS = fields.counts_of(
    PRIORITIES, "PriorityCounts", "How many tasks have each priority."
)


class StatsSchema(Schema):
    """Numbers for a dashboard.

    Attributes:
        status: How many tasks have each status.
        priority: How many tasks have each priority.
        assignee: How many tasks each user has.
        overdue: How many open tasks are past their due date.
        open_by_age: How many open tasks were created how long ago.
        done_per_day: How many tasks were done on each of the last 30 days.
    """

    status = fields.Nested(STATUS_COUNTS, required=True)
    priority = fields.Nested(PRIORITY_COUNTS, required=True)
    assignee = fields.many(AssigneeCountSchema)
    overdue = fields.Int(min=0, required=True)
    open_by_age = fields.many(AgeCountSchema, 4)
    done_per_day = fields.many(DayCountSchema, 31)
