"""What a task looks like on the wire, and what its list can be asked."""

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field

from lab.twin.database import now
from lab.twin.fields import (
    CommaList,
    Id,
    NameOrId,
    QueryBool,
    QueryId,
    Resource,
    Text,
    TimeIn,
    TimeOut,
    Trim,
    Wire,
    comma_list,
    name_or_id,
)
from lab.twin.tasks.models import PRIORITIES, STATUSES
from lab.twin.tasks.query import SORTS

Status = Literal["todo", "in_progress", "done", "cancelled"]
Priority = Literal["none", "low", "medium", "high", "urgent"]
# A default is never validated: such a field may be left out, and still may not be null.
ABSENT: Any = None
Title = Annotated[Text, Trim, Field(min_length=1, max_length=500)]
Label = Annotated[Text, Trim, Field(min_length=1, max_length=50)]


def _in_order(names: list[str]) -> list[str]:
    """Compared without case: the first spelling of each stays."""
    by_key = {name.casefold(): name for name in reversed(names)}
    return [by_key[key] for key in sorted(by_key)]


class Task(Resource):
    id: int
    project_id: int
    external_id: str | None
    title: str
    description: str
    status: Status
    priority: Priority
    due_at: TimeOut | None
    due_on: dt.date | None
    repeat: dict[str, str] | None
    reminders: list[str]
    assignee_id: int | None
    parent_id: int | None
    labels: list[str]
    created_by: int
    created_at: TimeOut
    updated_at: TimeOut
    completed_at: TimeOut | None
    revision: int


class TaskPage(BaseModel):
    """One page of a list of tasks."""

    items: list[Task]
    next_cursor: str | None
    total: int = 0


class TaskPatch(Wire):
    """The fields that a client writes; `exclude_unset` tells absent from null."""

    project_id: Id = ABSENT
    external_id: Annotated[Text, Field(min_length=1, max_length=200)] | None = None
    title: Title = ABSENT
    description: Annotated[Text, Field(max_length=65_536)] = ABSENT
    status: Status = ABSENT
    priority: Priority = ABSENT
    due_at: TimeIn | None = None
    assignee_id: Id | None = None
    parent_id: Id | None = None
    labels: Annotated[list[Label], Field(max_length=20), AfterValidator(_in_order)] = ABSENT


class NewTask(TaskPatch):
    title: Title


class TaskQuery(Wire):
    """The query of the task list."""

    limit: Annotated[QueryId, Field(le=200)] = 50
    cursor: Annotated[Text, Field(min_length=1, max_length=4096)] | None = None
    total: QueryBool = False
    project_id: QueryId = ABSENT
    status: Annotated[CommaList, comma_list(*STATUSES)] = ABSENT
    priority: Annotated[CommaList, comma_list(*PRIORITIES)] = ABSENT
    label: Annotated[CommaList, comma_list()] = ABSENT
    assignee: Annotated[NameOrId, name_or_id("me", "none")] = ABSENT
    parent: Annotated[NameOrId, name_or_id("none")] = ABSENT
    due: Literal["none", "overdue", "today"] = ABSENT
    due_before: TimeIn = ABSENT
    due_after: TimeIn = ABSENT
    created_after: TimeIn = ABSENT
    created_before: TimeIn = ABSENT
    updated_after: TimeIn = ABSENT
    q: Annotated[Text, Field(min_length=1, max_length=200)] = ABSENT
    sort: Annotated[
        CommaList, comma_list(*(sign + name for name in SORTS for sign in ("", "-")))
    ] = ABSENT
    fields_: Annotated[CommaList, comma_list(*Task.model_fields), Field(alias="fields")] = ABSENT

    def moment(self) -> dt.datetime | None:
        """The moment an answer depends on is part of the question, so that it can be remembered."""
        moment = now().replace(microsecond=0)
        if self.due == "today":
            return moment.replace(hour=0, minute=0, second=0)
        return moment if self.due == "overdue" else None
