"""Tasks with the version that was read, and writing that never overwrites unseen work."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from taskapp_client import Json
from taskapp_client.failures import Conflict, Failure
from taskapp_client.service import Answer, Service

ROUNDS = 5
TIMES = ("due_at",)


@dataclass(frozen=True)
class Version:
    """A task, and the ETag of exactly this version of it."""

    task: Json
    etag: str
    link: str = ""


class Collision(Conflict):
    """Somebody changed the same fields to something else in the meantime."""

    def __init__(self, theirs: Version, yours: Json) -> None:
        super().__init__(f"Somebody else changed task {theirs.task['id']} in the meantime.")
        self.theirs = theirs
        self.yours = yours


def read(service: Service, task_id: int) -> Version:
    return _version(service.get(f"/tasks/{task_id}"))


def create(service: Service, body: Json, key: str) -> Version:
    return _version(service.post("/tasks", body, key=key))


def save(service: Service, base: Version, changes: Json) -> Version:
    """Change fields of a task that was read as `base`.

    A 412 is not the end: what others did to other fields stays, and what already is as it shall be
    needs no change. That covers the retry of a change that had arrived, too.

    Raises:
        Collision: others changed the same field to something else.
    """
    task_id = base.task["id"]
    for _ in range(ROUNDS):
        left = differing(base.task, changes)
        if not left:
            return base
        answer = service.patch(f"/tasks/{task_id}", left, etag=base.etag)
        if answer.status != 412:
            return _version(answer)
        theirs = read(service, task_id)
        if colliding(base.task, theirs.task, left):
            raise Collision(theirs, left)
        base = theirs
    raise Conflict(f"Task {task_id} is being changed all the time: try again later.")


def remove(service: Service, version: Version) -> None:
    """Delete the version that was read.

    Raises:
        Conflict: it has changed since.
    """
    task_id = version.task["id"]
    if service.delete(f"/tasks/{task_id}", etag=version.etag).status == 412:
        raise Conflict(
            f"Somebody changed task {task_id} in the meantime, so it was not deleted:"
            f" look at it (`tasks show {task_id}`), then try again."
        )


def restore(service: Service, task_id: int) -> Version:
    return _version(service.post(f"/tasks/{task_id}/restore"))


def differing(task: Json, fields: Json) -> Json:
    """Those fields that the task has otherwise."""
    return {name: value for name, value in fields.items() if not same(name, task.get(name), value)}


def colliding(base: Json, theirs: Json, yours: Json) -> list[str]:
    """The fields that both sides changed since `base`, to different values."""
    changed_by_them = differing(base, {name: theirs.get(name) for name in yours})
    return [name for name in changed_by_them if not same(name, theirs.get(name), yours[name])]


def same(name: str, one: Any, other: Any) -> bool:
    """Whether two values of a field mean the same to the service."""
    if name in TIMES and one and other:
        return dt.datetime.fromisoformat(one) == dt.datetime.fromisoformat(other)
    if name == "labels":
        return sorted(one or []) == sorted(other or [])
    return bool(one == other)


def _version(answer: Answer) -> Version:
    if not answer.etag:
        raise Failure("The answer has no ETag: a proxy on the way removes it.")
    link = answer.response.links.get("next-occurrence", {}).get("url", "")
    return Version(answer.body, answer.etag, link)
