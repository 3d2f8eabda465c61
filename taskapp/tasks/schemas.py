"""What a task looks like on the wire, and what its list can be asked."""

from typing import Any

from marshmallow import Schema, post_load, validate

from taskapp.tasks.dates import Reminder, RepeatSchema
from taskapp.tasks.models import PRIORITIES, STATUSES
from taskapp.tasks.query import SORTS
from taskapp.web import fields
from taskapp.web.dates import Day, TimeZone
from taskapp.web.fields import PageQuerySchema, example, page_of


class TaskSchema(fields.Resource):
    """A task. Clients write every field that is not read-only."""

    location = "/api/v1/tasks/{id}"
    id = fields.Int(dump_only=True)
    project_id = fields.Int()
    external_id = fields.Text(min=1, max=200, allow_none=True, metadata=example("crm/4711"))
    title = fields.Text(
        min=1, max=500, trim=True, required=True, metadata=example("Water the fern")
    )
    description = fields.Text(max=65_536)
    status = fields.Choice(STATUSES)
    priority = fields.Choice(PRIORITIES)
    due_at = fields.Time(allow_none=True)
    due_on = Day(allow_none=True)
    repeat = fields.Nested(RepeatSchema, allow_none=True)
    reminders = fields.List(
        Reminder(), validate=validate.Length(max=5), metadata=example(["-PT1H"])
    )
    assignee_id = fields.Int(allow_none=True)
    parent_id = fields.Int(allow_none=True)
    labels = fields.List(
        fields.Text(min=1, max=50, trim=True),
        validate=validate.Length(max=20),
        metadata=example(["home", "plants"]),
    )
    created_by = fields.Int(dump_only=True)
    created_at = fields.Time(dump_only=True)
    updated_at = fields.Time(dump_only=True)
    completed_at = fields.Time(dump_only=True, allow_none=True)
    revision = fields.Int(dump_only=True)

    @post_load
    def _sort_labels(self, task: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Compared without case: the first spelling of each stays."""
        if "labels" in task:
            by_key = {name.casefold(): name for name in reversed(task["labels"])}
            task["labels"] = [by_key[key] for key in sorted(by_key)]
        return task


class ListedTaskSchema(TaskSchema):
    """A task, or those `fields` of it that were asked for."""

    title = fields.Text(max=500)


TaskPageSchema = page_of(ListedTaskSchema)
FIELDS = tuple(TaskSchema().fields)


class TaskQuerySchema(PageQuerySchema):
    """The query of the task list."""

    project_id = fields.QueryInt()
    status = fields.CommaList(STATUSES)
    priority = fields.CommaList(PRIORITIES)
    label = fields.CommaList()
    assignee = fields.NameOrId("me", "none")
    parent = fields.NameOrId("none")
    external_id = fields.Text(min=1, max=200)
    due = fields.Choice(("none", "overdue", "today", "week"))
    tz = TimeZone()
    due_before = fields.Time()
    due_after = fields.Time()
    created_after = fields.Time()
    created_before = fields.Time()
    updated_after = fields.Time()
    completed_after = fields.Time()
    completed_before = fields.Time()
    repeat = fields.QueryBool()
    q = fields.Text(min=1, max=200)
    sort = fields.CommaList([*SORTS, *(f"-{name}" for name in SORTS)])
    format = fields.Text(max=10, metadata={"enum": ["json", "ndjson", "csv", "ics"]})
    bom = fields.QueryBool()
    fields = fields.CommaList(FIELDS)  # type: ignore[assignment]  # the parameter has marshmallow's own name


class PutTaskSchema(TaskSchema):
    """A task as its own key finds it: the address says the project and the key."""

    title = fields.Text(min=1, max=500, trim=True)  # needed only to create it

    class Meta:
        exclude = ("project_id", "external_id")


# Bytes that are no UTF-8 come as U+FFFD: many keys would be one.
IN_UTF8 = validate.Regexp("[^\ufffd]*$", error="Not text in UTF-8.")


class ExternalIdSchema(Schema):
    """A client's own key, in an address."""

    external_id = fields.Text(max=200, required=True, validate=[IN_UTF8])


def external_id_of(text: str) -> str:
    """The key in an address.

    Raises:
        ValidationError: It is longer than a key may be, or no text.
    """
    key: str = ExternalIdSchema().load({"external_id": text})["external_id"]
    return key


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


class UpsertOperationSchema(Schema):
    """Create the task with your own key, or set its fields when it is there."""

    op = fields.Choice(("upsert",), required=True)
    project_id = fields.Int(required=True)
    external_id = fields.Text(min=1, max=200, required=True)
    body = fields.Nested(PutTaskSchema, required=True)


Operation = fields.OneOf(
    "op",
    create=CreateOperationSchema(),
    update=UpdateOperationSchema(),
    delete=DeleteOperationSchema(),
    upsert=UpsertOperationSchema(),
)


class BatchSchema(Schema):
    """Operations to be carried out together or not at all."""

    operations = fields.List(Operation, required=True, validate=validate.Length(min=1, max=500))


class OperationResultSchema(Schema):
    """What one operation did."""

    op = fields.Choice(("create", "update", "delete", "upsert"), required=True)
    id = fields.Int(required=True)
    task = fields.Nested(TaskSchema)


class BatchResultSchema(Schema):
    """What the operations did, in their order."""

    results = fields.many(OperationResultSchema, 500)


class InProjectQuerySchema(Schema):
    """Which project it is about; without it an import goes to the inbox, and numbers are of all."""

    project_id = fields.QueryInt()
