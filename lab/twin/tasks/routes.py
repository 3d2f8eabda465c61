"""The task endpoints: FastAPI reads the request from the signature, the service does the rest."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from lab.twin import cursors
from lab.twin.auth.guard import Caller, SignedIn, identify
from lab.twin.conditional import Expected, digest, etag, remembered, tagged, unchanged
from lab.twin.database import Reader, Writer
from lab.twin.projects.access import seen_by
from lab.twin.strict import StrictRoute, each_parameter_once, no_parameters
from lab.twin.tasks import service
from lab.twin.tasks.query import Page
from lab.twin.tasks.schemas import NewTask, Task, TaskPage, TaskPatch, TaskQuery

# Who is calling comes first: the rest of the request matters to nobody else.
tasks = APIRouter(tags=["tasks"], route_class=StrictRoute, dependencies=[Depends(identify)])
PLAIN = [Depends(no_parameters)]


@tasks.get("", response_model=TaskPage, dependencies=[Depends(each_parameter_once)])
async def list_tasks(
    request: Request, caller: SignedIn, query: Annotated[TaskQuery, Query()], db: Reader
) -> Response:
    """List the tasks you can see, newest first.

    A page is remembered under a digest of the question and the revisions behind it, as taskapp
    does; the revisions are read before the rows, so it can only be newer than its tag.
    """
    seen = await seen_by(db, caller)
    asked = _asked(request, caller, query)
    tag = digest(repr((caller.user_id, asked, seen)).encode())
    if response := unchanged(request, tag):
        return response
    if tag not in remembered:
        page = await service.list_tasks(db, caller, seen, asked)
        remembered[tag] = _page(request, caller, query, page)
    body, link = remembered[tag]
    response = Response(body, media_type="application/json", headers={"Link": link} if link else {})
    tagged(response, tag)
    return response


@tasks.post("", status_code=201, response_model=Task, dependencies=PLAIN)
async def create_task(caller: SignedIn, body: NewTask, response: Response, db: Writer) -> Any:
    """Create a task, in your inbox unless you name a project."""
    task = await service.create_task(db, caller, body.model_dump(exclude_unset=True))
    response.headers["Location"] = f"/api/v1/tasks/{task.id}"
    tagged(response, etag(task))
    return task


@tasks.get("/{task_id:id}", response_model=Task, dependencies=PLAIN)
async def get_task(
    task_id: int, request: Request, caller: SignedIn, response: Response, db: Reader
) -> Any:
    """Show one task."""
    task = await service.get_task(db, caller, task_id)
    tagged(response, etag(task))
    return unchanged(request, etag(task)) or task


@tasks.patch("/{task_id:id}", response_model=Task, dependencies=PLAIN)
async def update_task(  # noqa: PLR0913, PLR0917 - what FastAPI reads from a signature, Flask has in g and request
    task_id: int,
    caller: SignedIn,
    body: TaskPatch,
    expect: Expected,
    response: Response,
    db: Writer,
) -> Any:
    """Change the fields that are sent."""
    sent = body.model_dump(exclude_unset=True)
    task = await service.update_task(db, caller, task_id, sent, expect)
    tagged(response, etag(task))
    return task


@tasks.delete("/{task_id:id}", status_code=204, dependencies=PLAIN)
async def delete_task(task_id: int, caller: SignedIn, expect: Expected, db: Writer) -> None:
    """Delete a task and what is below it."""
    await service.delete_task(db, caller, task_id, expect)


def _asked(request: Request, caller: Caller, query: TaskQuery) -> dict[str, Any]:
    """What the service is asked: the parameters sent, the defaults, and the clock if it matters."""
    asked = query.model_dump(exclude_unset=True) | {"limit": query.limit, "total": query.total}
    if query.cursor:
        asked["cursor"] = cursors.read(query.cursor, request, caller.user_id)
    return asked | {"at": query.moment()}


def _page(
    request: Request, caller: Caller, query: TaskQuery, page: Page
) -> tuple[bytes, str | None]:
    body: dict[str, Any] = {"items": page.items, "next_cursor": None}
    link = None
    if page.next_key is not None:
        body["next_cursor"] = cursors.make(page.next_key, request, caller.user_id)
        link = f'<{cursors.url(body["next_cursor"], request)}>; rel="next"'
    if page.total is not None:
        body["total"] = page.total
    kept = set(query.fields_.split(",")) if query.fields_ else set(Task.model_fields)
    chosen: Any = {"items": {"__all__": kept}, "next_cursor": True, "total": True}
    shown = TaskPage.model_validate(body, from_attributes=True)
    return shown.model_dump_json(include=chosen, exclude_unset=True).encode(), link
