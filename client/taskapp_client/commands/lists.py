"""Many tasks: ls, and the offline copy."""

from __future__ import annotations

from itertools import islice
from typing import Any

import click

from taskapp_client import Json, copy, filters, projects, tables
from taskapp_client.session import Session, json_option, note, pass_session, print_json, print_lines


@click.command()
@filters.filter_options
@click.option(
    "--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many."
)
@click.option("--offline", is_flag=True, help="From the copy that `tasks sync` made.")
@json_option
@pass_session
def ls(session: Session, limit: int, offline: bool, as_json: bool, **options: Any) -> None:
    """List tasks.

    What is open, the next due first, unless you say otherwise.
    """
    chosen = filters.from_options(options)
    listed = _offline(session, chosen) if offline else _online(session, chosen, limit)
    tasks = listed[:limit]
    if as_json:
        print_json(tasks)
    elif not tasks:
        note("No tasks.")
    else:
        names = copy.project_names(session.store) if offline else projects.names(session.service)
        print_lines(tables.task_table(tasks, names))
    if len(listed) > limit:
        note(f"There are more than these {limit}: --limit {2 * limit} shows more.")


def _online(session: Session, chosen: filters.Filters, limit: int) -> list[Json]:
    """The tasks, and one more than the limit where there are more."""
    query = chosen.query(session.service)
    query["limit"] = min(limit + 1, 200)
    return list(islice(session.service.items("/tasks", query), limit + 1))


def _offline(session: Session, chosen: filters.Filters) -> list[Json]:
    tasks = copy.tasks(session.store)
    names = copy.project_names(session.store)
    user_id = int(session.store.state("user_id") or 0)
    return chosen.over(tasks, names, user_id)


@click.command()
@json_option
@pass_session
def sync(session: Session, as_json: bool) -> None:
    """Bring the offline copy up to date.

    Only what changed since the last time is fetched.
    """
    result = copy.sync(session.service, session.store)
    held = len(copy.tasks(session.store))
    if as_json:
        print_json({"changed": result.changed, "gone": result.gone, "tasks": held})
        return
    if result.started_again:
        note("The last sync was too long ago, so the copy was made again from the beginning.")
    click.echo(f"{result.changed} changed, {result.gone} gone; the copy holds {held} tasks.")
