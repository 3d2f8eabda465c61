"""What the shell offers for an argument: from the offline copy, so no key press waits."""

from __future__ import annotations

import sqlite3
from typing import Any

import click
from click.shell_completion import CompletionItem

from taskapp_client import copy
from taskapp_client.failures import Failure
from taskapp_client.session import Session

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
    try:
        names = copy.project_names(Session().store)
    except (Failure, sqlite3.Error):
        return []
    return [name for name in sorted(names.values()) if name.startswith(incomplete)]


def _tasks() -> list[dict[str, Any]]:
    try:
        return copy.tasks(Session().store)
    except (Failure, sqlite3.Error):
        return []
