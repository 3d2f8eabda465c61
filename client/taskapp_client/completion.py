"""What the shell offers for an argument: from the offline copy, so no key press waits."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import TypeVar

import click
from click.shell_completion import CompletionItem

from taskapp_client import Json, copy
from taskapp_client.failures import Failure
from taskapp_client.session import Session
from taskapp_client.store import Store

T = TypeVar("T")
OPEN = {"todo", "in_progress"}


def task_ids(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Open tasks by their ids, with their titles beside them."""
    offered = [task for task in _tasks() if task["status"] in OPEN]
    return [
        CompletionItem(str(task["id"]), help=task["title"])
        for task in offered
        if str(task["id"]).startswith(incomplete)
    ]


def labels(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    known = set()
    for task in _tasks():
        known.update(task["labels"])
    return [name for name in sorted(known) if name.startswith(incomplete)]


def project_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    nothing: dict[int, str] = {}
    names = _from_copy(copy.project_names, nothing)
    return [name for name in sorted(names.values()) if name.startswith(incomplete)]


def _tasks() -> list[Json]:
    return _from_copy(copy.tasks, [])


def _from_copy(read: Callable[[Store], T], nothing: T) -> T:
    """What the copy holds, or nothing: who presses a key wants no message."""
    with closing(Session()) as session:
        try:
            return read(session.store)
        except (Failure, OSError, sqlite3.Error):
            return nothing
