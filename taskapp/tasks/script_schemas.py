"""What scripts send and get: batches, their own keys, changes, imports, reports."""

from marshmallow import Schema, validate

from taskapp import fields
from taskapp.tasks.models import PRIORITIES, STATUSES
from taskapp.tasks.schemas import TaskSchema


class PutTaskSchema(TaskSchema):
    """A task as its own key finds it: the address says the project and the key."""

    class Meta:
        exclude = ("project_id", "external_id")


# Bytes that are no UTF-8 come as U+FFFD: many keys would be one.
IN_UTF8 = validate.Regexp("[^\ufffd]*$", error="Not text in UTF-8.")


class ExternalIdSchema(Schema):
    """A client's own key, in an address."""

    external_id = fields.Text(max=200, required=True, validate=[IN_UTF8])


class CreateOperationSchema(Schema):
    """Create a task."""

    op = fields.Choice(("create",), required=True)
    body = fields.Nested(TaskSchema, required=True)


class DeleteOperationSchema(Schema):
    """Delete a task, if it still has the `revision` that is sent."""

    op = fields.Choice(("delete",), required=True)
    id = fields.Int(required=True)
    revision = fields.Int()


class UpdateOperationSchema(DeleteOperationSchema):
    """Change a task, if it still has the `revision` that is sent."""

    op = fields.Choice(("update",), required=True)
    body = fields.Nested(TaskSchema(partial=True), required=True)


Operation = fields.OneOf(
    "op",
    create=CreateOperationSchema(),
    update=UpdateOperationSchema(),
    delete=DeleteOperationSchema(),
)


class BatchSchema(Schema):
    """Operations to be carried out together or not at all."""

    operations = fields.List(Operation, required=True, validate=validate.Length(min=1, max=500))


class OperationResultSchema(Schema):
    """What one operation did."""

    op = fields.Choice(("create", "update", "delete"), required=True)
    id = fields.Int(required=True)
    task = fields.Nested(TaskSchema)


class BatchResultSchema(Schema):
    """What the operations did, in their order."""

    results = fields.many(OperationResultSchema, 500)


class ChangesQuerySchema(Schema):
    """The query of the changes feed."""

    limit = fields.QueryInt(max=200, load_default=50)
    cursor = fields.String(metadata=fields.CURSOR)


class ChangesSchema(Schema):
    """What changed since a cursor, and the next cursor."""

    tasks = fields.many(TaskSchema, 200)
    deleted = fields.List(fields.Int(), required=True, validate=fields.MANY)
    has_more = fields.Bool(required=True)
    next_cursor = fields.Text(max=7000, required=True)


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


class InProjectQuerySchema(Schema):
    """Which project it is about; without it an import goes to the inbox, and numbers are of all."""

    project_id = fields.QueryInt()


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


class ImportedSchema(Schema):
    """How many tasks an import made, changed, and found as they should be."""

    created = fields.Int(min=0, required=True)
    updated = fields.Int(min=0, required=True)
    unchanged = fields.Int(min=0, required=True)
