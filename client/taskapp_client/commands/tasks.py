"""One task at a time: add, show, done, rm, undo."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable
from typing import Any

import click

from taskapp_client import Json, completion, days, form, projects, tables, versions
from taskapp_client.days import Due, DueType
from taskapp_client.failures import Conflict, NotFound, Unavailable
from taskapp_client.filters import PRIORITIES
from taskapp_client.session import Session, json_option, note, pass_session, print_json, print_lines
from taskapp_client.versions import Collision, Version

# What changes with every write, also with one that was undone.
STAMPS = {"revision", "updated_at"}
IDS = click.argument(
    "task_ids",
    metavar="ID...",
    type=int,
    nargs=-1,
    required=True,
    shell_complete=completion.task_ids,
)


def due_option(command: Callable[..., Any]) -> Callable[..., Any]:
    text = "When: today, friday, +3d, 2026-12-31, 'tomorrow 17:00'."
    return click.option("--due", type=DueType(), help=text)(command)


@click.command()
@click.argument("title", nargs=-1, required=True)
@due_option
@click.option(
    "--label", multiple=True, help="A label; may be repeated.", shell_complete=completion.labels
)
@click.option(
    "--project",
    help="A project, by name or id; default: your inbox.",
    shell_complete=completion.project_names,
)
@click.option("--priority", type=click.Choice(PRIORITIES), help="How urgent it is.")
@click.option("--description", metavar="TEXT", help="More about it; - reads standard input.")
@click.option("--assign", metavar="WHO", help="me, an e-mail address or an id.")
@click.option("--parent", type=int, metavar="ID", help="The task that this one is part of.")
@click.option("--repeat", metavar="HOW", help="daily, weekly, …, or an RRULE; 'weekly from done'.")
@click.option("--remind", multiple=True, metavar="WHEN", help="-PT1H: an hour before it is due.")
@click.option("--key", metavar="KEY", help="Your own Idempotency-Key: the same again adds nothing.")
@json_option
@pass_session
def add(
    session: Session, title: tuple[str, ...], as_json: bool, key: str | None, **given: Any
) -> None:
    """Add a task.

    tasks add "Water the fern" --due tomorrow --label home
    """
    body = _new_task(session, " ".join(title), given)
    key = key or str(uuid.uuid4())
    try:
        version = versions.create(session.service, body, key)
    except Unavailable as error:
        raise Unavailable(
            f"{error.message}\nIt may have been added. The same command with --key {key} adds it"
            " once, whatever happened, for 24 hours."
        ) from None
    session.record("add", [step("create", version)])
    if as_json:
        print_json(version.task)
    else:
        due = days.show(days.due_of(version.task))
        when = f", due {due}" if due else ""
        click.echo(f"Added {line(version.task)}{when}.")


def _new_task(session: Session, title: str, given: Json) -> Json:
    body: Json = {"title": title}
    if given["project"]:
        body["project_id"] = projects.find(session.service, given["project"])["id"]
    if given["assign"]:
        assignee = projects.member_id(session.service, given["assign"], body.get("project_id"))
        body["assignee_id"] = assignee
    if given["description"] == "-":
        body["description"] = sys.stdin.read()
    elif given["description"]:
        body["description"] = given["description"]
    optional = {"priority": given["priority"], "parent_id": given["parent"]}
    optional["labels"] = list(given["label"])
    optional["reminders"] = list(given["remind"])
    optional["repeat"] = repeat_of(given["repeat"])
    body |= {name: value for name, value in optional.items() if value}
    due: Due | None = given["due"]
    return body | (due.set_fields() if due else {})


def repeat_of(text: str | None) -> Json | None:
    try:
        return form.read_repeat(text or "none")
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--repeat") from None


@click.command()
@IDS
@json_option
@pass_session
def show(session: Session, task_ids: tuple[int, ...], as_json: bool) -> None:
    """Show tasks with everything about them."""
    shown = [versions.read(session.service, task_id).task for task_id in task_ids]
    if as_json:
        print_json(shown[0] if len(shown) == 1 else shown)
        return
    names = projects.names(session.service)
    for task in shown:
        print_lines(tables.details(task, names.get(task["project_id"], "")))


@click.command()
@IDS
@json_option
@pass_session
def done(session: Session, task_ids: tuple[int, ...], as_json: bool) -> None:
    """Mark tasks as done."""
    _each(session, "done", task_ids, as_json, _finish)


def _finish(session: Session, task_id: int) -> tuple[Json | None, Version]:
    before = versions.read(session.service, task_id)
    if before.task["status"] == "done":
        note(f"It was done already: {line(before.task)}.")
        return None, before
    changes = {"status": "done"}
    try:
        after = versions.save(session.service, before, changes)
    except Collision as collision:
        print_lines(tables.both_sides(collision.theirs.task, collision.yours))
        raise
    note(f"Done: {line(after.task)}.")
    if after.link:
        note(f"The next one is {after.link.rpartition('/')[2]}.")
    return step("update", after, before.task, changes), after


@click.command()
@IDS
@json_option
@pass_session
def rm(session: Session, task_ids: tuple[int, ...], as_json: bool) -> None:
    """Delete tasks, and what is below them.

    `tasks undo` brings them back.
    """
    _each(session, "rm", task_ids, as_json, _remove)


def _remove(session: Session, task_id: int) -> tuple[Json | None, Version]:
    version = versions.read(session.service, task_id)
    versions.remove(session.service, version)
    note(f"Deleted {line(version.task)}. `tasks undo` brings it back.")
    return step("delete", version), version


def _each(
    session: Session,
    command: str,
    task_ids: tuple[int, ...],
    as_json: bool,
    act: Callable[[Session, int], tuple[Json | None, Version]],
) -> None:
    """Do it to each task; what was done before one fails is in the journal, too."""
    steps: list[Json] = []
    tasks: list[Json] = []
    try:
        for task_id in task_ids:
            done_step, version = act(session, task_id)
            tasks.append(version.task)
            if done_step:
                steps.append(done_step)
    finally:
        session.record(command, steps)
    if as_json:
        print_json(tasks)


def step(
    kind: str, version: Version, before: Json | None = None, changes: Json | None = None
) -> Json:
    """What the journal keeps of a write: enough to undo it, and to see that nobody undid it."""
    names = changes or {}
    return {
        "kind": kind,
        "task": version.task,
        "etag": version.etag,
        "before": {name: (before or {}).get(name) for name in names},
    }


@click.command()
@click.option("--skip", is_flag=True, help="Pass over it: the next undo undoes the one before it.")
@json_option
@pass_session
def undo(session: Session, skip: bool, as_json: bool) -> None:
    """Undo the last add, edit, done or rm of this machine.

    Once more undoes the one before it. What others changed since stays as it is.
    """
    last = session.store.last_command()
    if last is None:
        raise NotFound("There is nothing to undo: the journal of this machine is empty.")
    number, command, steps = last
    if skip:
        session.store.keep_steps(number, [])
        note(f"Passed over the last {command}.")
        return
    tasks = []
    while steps:
        tasks.append(_undo(session, steps[-1]))
        steps.pop()
        session.store.keep_steps(number, steps)
    if as_json:
        print_json(tasks)


def _undo(session: Session, done_step: Json) -> Json:
    version = Version(done_step["task"], done_step["etag"])
    if done_step["kind"] == "create":
        return _undo_create(session, version)
    if done_step["kind"] == "delete":
        return _undo_delete(session, version)
    return _undo_update(session, version, done_step["before"])


def _undo_create(session: Session, version: Version) -> Json:
    try:
        current = versions.read(session.service, version.task["id"])
    except NotFound:
        note(f"It is gone already: {line(version.task)}.")
        return version.task
    content = {name: value for name, value in version.task.items() if name not in STAMPS}
    if versions.differing(current.task, content):
        raise Conflict(
            f"{line(version.task)} was changed since it was added, so it was not deleted:"
            f" `tasks rm {version.task['id']}` deletes it all the same."
        )
    versions.remove(session.service, current)
    note(f"Deleted again: {line(version.task)}.")
    return version.task


def _undo_delete(session: Session, version: Version) -> Json:
    task_id = version.task["id"]
    try:
        restored = versions.restore(session.service, task_id)
    except NotFound:
        raise NotFound(
            f"The service cannot bring {line(version.task)} back: its project is gone, it was"
            " deleted too long ago, or this service has no restore."
            " `tasks undo --skip` passes over it."
        ) from None
    except Conflict as error:
        if error.code != "conflict" or not _is_there(session, task_id):
            raise
        restored = versions.read(session.service, task_id)
    note(f"It is back: {line(restored.task)}.")
    return restored.task


def _is_there(session: Session, task_id: int) -> bool:
    """Whether somebody, or an earlier try of ours, restored it."""
    try:
        versions.read(session.service, task_id)
    except NotFound:
        return False
    return True


def _undo_update(session: Session, version: Version, before: Json) -> Json:
    try:
        restored = versions.save(session.service, version, before)
    except Collision as collision:
        print_lines(tables.both_sides(collision.theirs.task, before))
        raise Conflict(
            f"Task {version.task['id']} was changed by somebody else since, so nothing was undone."
            f" Set it as you want it: `tasks edit {version.task['id']}`."
        ) from None
    note(f"As it was before: {line(restored.task)}.")
    return restored.task


def line(task: Json) -> str:
    """A task in a sentence."""
    return f'{task["id"]} "{tables.plain(task["title"])}"'
