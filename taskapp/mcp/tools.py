"""The tools, a class each: what an agent reads of it, what it takes and gives, its scope.

A tool's docstring is its description for the agent.
"""

import inspect
import re
from functools import cached_property
from typing import Any, ClassVar

from marshmallow import Schema

from taskapp.caller import Caller
from taskapp.comments.schemas import CommentSchema as CommentRowSchema
from taskapp.database.session import Body
from taskapp.mcp import schemas, service
from taskapp.mcp.schemas import list_of, output_schema
from taskapp.projects.schemas import ProjectSchema
from taskapp.tasks.schemas import TaskQuerySchema, TaskSchema
from taskapp.web import cursors
from taskapp.web.current import current

TASK = schemas.row_schema(TaskSchema())
COMMENT = schemas.row_schema(CommentRowSchema())
PROJECT = schemas.row_schema(ProjectSchema())
CURSOR = {"type": ["string", "null"], "description": "Of the next page; null where there is none."}
SEPARATOR = re.compile(r"[\\,]")  # escaped by a backslash in a comma list
REPEATED = {
    "type": "boolean",
    "description": "True when this request_id was carried out before: nothing was done again.",
}


class Tool:
    """One tool."""

    name: ClassVar[str]
    title: ClassVar[str]
    arguments: ClassVar[Schema]
    result: ClassVar[dict[str, Any]]  # a JSON Schema
    scope: ClassVar[str] = "read"

    def run(self, caller: Caller, arguments: Body) -> Body:
        """Carry it out; raises what the service raises."""
        raise NotImplementedError

    @property
    def writes(self) -> bool:
        return self.scope == "write"

    @cached_property
    def definition(self) -> dict[str, Any]:
        """As `tools/list` shows it."""
        annotations = {
            "readOnlyHint": not self.writes,
            "destructiveHint": False,  # the history keeps what was there
            "idempotentHint": True,  # by request_id
            "openWorldHint": False,
        }
        return {
            "name": self.name,
            "title": self.title,
            "description": inspect.getdoc(self),
            "inputSchema": schemas.input_schema(self.arguments),
            "outputSchema": self.result,
            "annotations": annotations,
        }


class FindTasks(Tool):
    """Find tasks the caller can see, by words, project, status, priority, labels, due date.

    Each item has the id and the revision that update_task and complete_task need.
    """

    name = "find_tasks"
    title = "Find tasks"
    arguments = schemas.FindTasksSchema()
    result = output_schema(items=list_of(TASK), next_cursor=CURSOR)

    def run(self, caller: Caller, arguments: Body) -> Body:
        query = TaskQuerySchema().load(_as_query(arguments))
        query["cursor"] = _read_cursor(self, arguments)
        return _with_cursor(service.find_tasks(caller, query))


def _as_query(arguments: Body) -> dict[str, str]:
    """The same question as the query string of the task list has it."""
    query = {"limit": str(arguments["limit"])}
    query["sort"] = "-id" if arguments["newest_first"] else "id"
    for name in ("status", "priority"):
        if name in arguments:
            query[name] = ",".join(dict.fromkeys(arguments[name]))
    if "labels" in arguments:
        labels = dict.fromkeys(arguments["labels"])
        query["label"] = ",".join(SEPARATOR.sub(r"\\\g<0>", label) for label in labels)
    if "project_id" in arguments:
        query["project_id"] = str(arguments["project_id"])
    if arguments.get("assigned_to_me"):
        query["assignee"] = "me"
    if "due" in arguments:
        query["due"] = arguments["due"]
    if "text" in arguments:
        query["q"] = arguments["text"]
    return query


class GetTask(Tool):
    """Read one task with its comments.

    Read it before you change it, and again after a change was refused because the task is no
    longer as you read it.
    """

    name = "get_task"
    title = "Get a task"
    arguments = schemas.TaskIdSchema()
    result = output_schema(task=TASK, comments=list_of(COMMENT), more_comments={"type": "boolean"})

    def run(self, caller: Caller, arguments: Body) -> Body:
        return service.get_task(caller, arguments["id"])


class CreateTask(Tool):
    """Create a task in a project, or in the caller's inbox."""

    name = "create_task"
    title = "Create a task"
    arguments = schemas.CreateTaskSchema()
    result = output_schema(task=TASK, repeated=REPEATED)
    scope = "write"

    def run(self, caller: Caller, arguments: Body) -> Body:
        return service.create_task(caller, arguments)


class UpdateTask(Tool):
    """Change the fields that are sent; all others stay.

    Needs the task's current revision: if somebody has changed the task since you read it, nothing
    is written, and the answer shows who changed what.
    """

    name = "update_task"
    title = "Update a task"
    arguments = schemas.UpdateTaskSchema(partial=("title",))
    result = output_schema(task=TASK, repeated=REPEATED)
    scope = "write"

    def run(self, caller: Caller, arguments: Body) -> Body:
        fields = dict(arguments)
        task_id = fields.pop("id")
        revision = fields.pop("revision")
        return service.update_task(caller, task_id, revision, fields)


class CompleteTask(Tool):
    """Set a task to done. Needs the task's current revision, as update_task does."""

    name = "complete_task"
    title = "Complete a task"
    arguments = schemas.RevisionSchema()
    result = output_schema(task=TASK, repeated=REPEATED)
    scope = "write"

    def run(self, caller: Caller, arguments: Body) -> Body:
        done = {"status": "done"}
        return service.update_task(caller, arguments["id"], arguments["revision"], done)


class RestoreTask(Tool):
    """Bring a deleted task back, with what was below it, its comments and attachments."""

    name = "restore_task"
    title = "Restore a deleted task"
    arguments = schemas.RestoreSchema()
    result = output_schema(task=TASK, repeated=REPEATED)
    scope = "write"

    def run(self, caller: Caller, arguments: Body) -> Body:
        return service.restore_task(caller, arguments["id"])


class Comment(Tool):
    """Add a comment to a task."""

    name = "comment"
    title = "Comment on a task"
    arguments = schemas.CommentSchema()
    result = output_schema(comment=COMMENT, repeated=REPEATED)
    scope = "write"

    def run(self, caller: Caller, arguments: Body) -> Body:
        return service.add_comment(caller, arguments["task_id"], arguments["body"])


class ListProjects(Tool):
    """List the projects the caller is in, with the role in each: a viewer may not write."""

    name = "list_projects"
    title = "List projects"
    arguments = schemas.PageSchema()
    result = output_schema(items=list_of(PROJECT), next_cursor=CURSOR)

    def run(self, caller: Caller, arguments: Body) -> Body:
        query = {"limit": arguments["limit"], "cursor": _read_cursor(self, arguments)}
        return _with_cursor(service.list_projects(caller, query))


class WhatChanged(Tool):
    """List tasks that changed since a cursor, and ids that are deleted or no longer visible.

    Without a cursor, everything. Keep next_cursor for the next time: no change is ever missed.
    """

    name = "what_changed"
    title = "What has changed"
    arguments = schemas.WhatChangedSchema()
    result = output_schema(
        tasks=list_of(TASK),
        deleted=list_of({"type": "integer"}),
        has_more={"type": "boolean"},
        next_cursor={"type": "string"},
    )

    def run(self, caller: Caller, arguments: Body) -> Body:
        query = {"limit": arguments["limit"], "cursor": _read_cursor(self, arguments)}
        return _with_cursor(service.what_changed(caller, query))


def _read_cursor(tool: Tool, arguments: Body) -> list[Any] | None:
    """The key in the cursor, which is good for this tool and these arguments only."""
    query = {name: repr(value) for name, value in arguments.items()}
    query["tool"] = tool.name
    current().query = query
    if "cursor" not in arguments:
        return None
    return cursors.read(arguments["cursor"])


def _with_cursor(result: Body) -> Body:
    key = result.pop("next_key")
    result["next_cursor"] = None if key is None else cursors.make(key)
    return result


ALL: list[Tool] = [
    FindTasks(),
    GetTask(),
    CreateTask(),
    UpdateTask(),
    CompleteTask(),
    RestoreTask(),
    Comment(),
    ListProjects(),
    WhatChanged(),
]
TOOLS = {tool.name: tool for tool in ALL}
