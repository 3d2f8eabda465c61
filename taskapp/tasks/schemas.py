"""What a task looks like on the wire, and what its list can be asked."""

from typing import Any

from marshmallow import Schema, validate

from taskapp.tasks.dates import Reminder, RepeatSchema
from taskapp.tasks.models import PRIORITIES, STATUSES
from taskapp.tasks.statements import SORTS
from taskapp.web import fields
from taskapp.web.dates import Day, TimeZone
from taskapp.web.fields import PageQuerySchema, example, page_of


class Labels(fields.List):
    """Names, sorted and compared without case: the first spelling of each stays."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> list[Any]:
        names = super()._deserialize(value, attr, data, **kwargs)
        by_key = {name.casefold(): name for name in reversed(names)}
        return [by_key[key] for key in sorted(by_key)]


class TaskSchema(fields.Resource):
    """A task.

    Attributes:
        id: The task's number, in addresses and in `parent_id` of other tasks.
        project_id: The project it belongs to; the caller's inbox where none is sent.
        external_id: Your own key for it, unique within the project: an id in another system. Null
            without.
        title: What is to be done, in one line.
        description: All else there is to say about it; text, in which line breaks are kept.
        status: How far it is. Entering `done` sets `completed_at`, and makes the next task where it
            repeats.
        priority: How much it matters, from `none` to `urgent`.
        due_at: The moment by which it is to be done; null without. A task has this or `due_on`, not
            both.
        due_on: The day on which it is to be done, in whichever time zone one looks from; null
            without.
        repeat: How it comes again once it is done; null: not at all.
        reminders: When to remind: moments, or times before it is due, as `-PT1H` for one hour.
        assignee_id: The user who is to do it, a member of the project; null: nobody yet.
        parent_id: The task of which this one is a part, in the same project; null: of none.
        labels: Words to find it by; capital letters make no difference, and they come sorted.
        created_by: The user who created it.
        created_at: When it was created.
        updated_at: When it was last changed.
        completed_at: When it entered `done`; null while it is not done.
        revision: The project's revision at its last change: its ETag is
            `"<project_id>-<revision>"`.
    """

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
    labels = Labels(
        fields.Text(min=1, max=50, trim=True),
        validate=validate.Length(max=20),
        metadata=example(["home", "plants"]),
    )
    created_by = fields.Int(dump_only=True)
    created_at = fields.Time(dump_only=True)
    updated_at = fields.Time(dump_only=True)
    completed_at = fields.Time(dump_only=True, allow_none=True)
    revision = fields.Int(dump_only=True)


class ListedTaskSchema(TaskSchema):
    """A task, or those `fields` of it that were asked for."""

    may_be_cut = True
    title = fields.Text(max=500)


TaskPageSchema = page_of(ListedTaskSchema)
FIELDS = tuple(TaskSchema().fields)


class TaskQuerySchema(PageQuerySchema):
    """The query of the task list.

    Attributes:
        project_id: Only tasks of this project.
        status: Only these: a comma list of `todo`, `in_progress`, `done`, `cancelled`.
        priority: Only these: a comma list of `none`, `low`, `medium`, `high`, `urgent`.
        label: Only tasks with all of these labels: a comma list, in which `\\,` is a comma of a
            name and `\\\\` a backslash.
        assignee: Only tasks of this user: an id, `me`, or `none` for those of nobody.
        parent: Only the parts of this task: an id, or `none` for tasks that are part of no other.
        external_id: Only tasks with this key of your own.
        due: Only tasks without a due date, those past it, those due today, or today and in the six
            days after it.
        tz: The time zone in which days begin: an IANA name. Without it, that of your account.
        due_before: Only tasks due before this moment.
        due_after: Only tasks due after this moment.
        created_after: Only tasks created after this moment.
        created_before: Only tasks created before this moment.
        updated_after: Only tasks changed after this moment.
        completed_after: Only tasks done after this moment.
        completed_before: Only tasks done before this moment.
        repeat: `true`: only tasks that repeat; `false`: only others.
        q: Only tasks whose title or description has all of these words; the last may be the
            beginning of one. Case, accents and width make no difference.
        sort: What comes first: a comma list of fields, each with `-` for descending. Without it,
            `-id`: the newest. Empty values come last.
        format: The shape of the answer, as `Accept` may ask for it, too. All but `json` are the
            whole list.
        bom: `true`: with a byte order mark, by which Excel reads a CSV as UTF-8.
        fields: Only these fields of each task: a comma list.
    """

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
IN_UTF8 = validate.Regexp("[^\ufffd]*$", error="This is not valid UTF-8.")


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
    """Create a task.

    Attributes:
        op: What to do.
        body: The new task, as `POST /api/v1/tasks` takes it.
    """

    op = fields.Choice(("create",), required=True)
    body = fields.Nested(TaskSchema, required=True)


class DeleteOperationSchema(Schema):
    """Delete a task, if it still has the `revision` that is sent.

    Attributes:
        op: What to do.
        id: The task.
        revision: The task's `revision` as you last read it; if it is another now, the whole batch
            is refused (412).
    """

    op = fields.Choice(("delete",), required=True)
    id = fields.Int(required=True)
    revision = fields.Int()


class UpdateOperationSchema(DeleteOperationSchema):
    """Change a task, if it still has the `revision` that is sent.

    Attributes:
        body: The fields to change; what is not sent stays.
    """

    op = fields.Choice(("update",), required=True)
    body = fields.Nested(TaskSchema(partial=True), required=True)


class UpsertOperationSchema(Schema):
    """Create the task with your own key, or set its fields when it is there.

    Attributes:
        op: What to do.
        project_id: The project of the task.
        external_id: Your own key of the task.
        body: What it is to be; `title` is needed only where it has to be created.
    """

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
    """Operations to be carried out together or not at all.

    Attributes:
        operations: What to do, in this order.
    """

    operations = fields.List(Operation, required=True, validate=validate.Length(min=1, max=500))


class OperationResultSchema(Schema):
    """What one operation did.

    Attributes:
        op: What was done.
        id: The task it was done to.
        task: The task as it is now; left out where it was deleted.
    """

    op = fields.Choice(("create", "update", "delete", "upsert"), required=True)
    id = fields.Int(required=True)
    task = fields.Nested(TaskSchema, metadata=fields.ABSENT)


class BatchResultSchema(Schema):
    """What the operations did, in their order.

    Attributes:
        results: What each operation did.
    """

    results = fields.many(OperationResultSchema, 500)


class InProjectQuerySchema(Schema):
    """Which project it is about; without it an import goes to the inbox, and numbers are of all.

    Attributes:
        project_id: The project.
    """

    project_id = fields.QueryInt()
