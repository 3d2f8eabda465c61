"""edit: change a task in an editor, or by options; nothing that was typed is lost."""

from __future__ import annotations

import sys
from typing import Any

import click

from taskapp_client import Json, completion, form, projects, tables, versions
from taskapp_client.commands.tasks import due_option, line, repeat_of, step
from taskapp_client.failures import Failure
from taskapp_client.filters import PRIORITIES, STATUSES
from taskapp_client.session import Session, json_option, note, pass_session, print_json, print_lines
from taskapp_client.store import Draft
from taskapp_client.versions import Collision, Version

PROBLEM = "#! "


@click.command()
@click.argument("task_id", metavar="ID", type=int, shell_complete=completion.task_ids)
@click.option("--title", metavar="TEXT")
@click.option("--description", metavar="TEXT")
@click.option("--status", type=click.Choice(STATUSES))
@click.option("--priority", type=click.Choice(PRIORITIES))
@due_option
@click.option("--label", multiple=True, help="The labels it shall have, instead of its own.")
@click.option("--no-labels", is_flag=True, help="Take all labels away.")
@click.option("--project", help="Move it there.", shell_complete=completion.project_names)
@click.option("--assign", metavar="WHO", help="me, none, an e-mail address or an id.")
@click.option("--repeat", metavar="HOW", help="daily, weekly, …, an RRULE, or none.")
@click.option(
    "--on-conflict",
    type=click.Choice(["ask", "mine", "theirs"]),
    default="ask",
    show_default=True,
    help="What counts where somebody else changed the same field.",
)
@click.option("--discard", is_flag=True, help="Drop what an earlier edit could not save.")
@json_option
@pass_session
def edit(
    session: Session, task_id: int, on_conflict: str, discard: bool, as_json: bool, **given: Any
) -> None:
    """Change a task, in an editor or by options.

    The editor is $VISUAL or $EDITOR; with options there is none.

    Only what you change is sent, and only over the version that you saw. Where somebody else
    changed the same field meanwhile, both versions are shown, and you choose.
    """
    if discard:
        session.store.drop_draft(task_id)
    if any(value not in (None, (), False) for value in given.values()):
        base = versions.read(session.service, task_id)
        wanted = _from_options(session, base, given)
        saved: Version | None = _save(session, base, wanted, on_conflict)
    else:
        saved = _in_editor(session, task_id, on_conflict)
    if as_json and saved:
        print_json(saved.task)


def _from_options(session: Session, base: Version, given: Json) -> Json:
    wanted = {
        name: given[name]
        for name in ("title", "description", "status", "priority")
        if given[name] is not None
    }
    if given["due"] is not None:
        wanted |= form.due_change(given["due"], base.task)
    if given["label"] or given["no_labels"]:
        wanted["labels"] = list(given["label"])
    if given["repeat"] is not None:
        wanted["repeat"] = repeat_of(given["repeat"])
    for name, field in (("project", "project"), ("assign", "assignee")):
        if given[name] is not None:
            wanted[field] = given[name]
    return _resolved(session, base, wanted)


def _resolved(session: Session, base: Version, typed: Json) -> Json:
    """The project and the assignee by their ids, as the service knows them."""
    wanted = dict(typed)
    if "project" in wanted:
        wanted["project_id"] = projects.find(session.service, wanted.pop("project"))["id"]
    if "assignee" in wanted:
        project_id = wanted.get("project_id", base.task["project_id"])
        who = wanted.pop("assignee")
        wanted["assignee_id"] = projects.member_id(session.service, who, project_id)
    return wanted


def _in_editor(session: Session, task_id: int, on_conflict: str) -> Version | None:
    """Edit, and go on with what was typed until it is saved or given up."""
    draft = session.store.draft(task_id)
    if draft:
        note("This is what an earlier edit could not save; --discard drops it.")
    else:
        base = versions.read(session.service, task_id)
        draft = Draft(base, form.write(base.task, _project_name(session, base.task)))
    while True:
        typed = click.edit(draft.text, extension=".txt", require_save=False)
        if typed == draft.text and not session.store.draft(task_id):
            note("Nothing was changed.")
            return None
        draft = Draft(draft.base, str(typed))
        session.store.save_draft(draft)  # until the service has it
        try:
            saved = _save_text(session, draft, on_conflict)
        except (ValueError, Failure) as error:
            draft = _next_try(session, draft, error)
            continue
        session.store.drop_draft(task_id)
        return saved


def _save_text(session: Session, draft: Draft, on_conflict: str) -> Version:
    task = draft.base.task
    typed = form.changes(draft.text, task, _project_name(session, task))
    wanted = _resolved(session, draft.base, typed)
    return _save(session, draft.base, wanted, on_conflict)


def _project_name(session: Session, task: Json) -> str:
    return projects.names(session.service).get(task["project_id"], str(task["project_id"]))


def _next_try(session: Session, draft: Draft, error: Exception) -> Draft:
    """What to edit next, where somebody is there to do it; otherwise the failure."""
    failure = error if isinstance(error, Failure) else Failure(str(error))
    if sys.stdin.isatty():
        note(f"Error: {failure.message}")
        if click.confirm("Edit again?", default=True, err=True):
            return _with_problem(session, draft, failure)
    task_id = draft.base.task["id"]
    note(f"What you typed is kept: `tasks edit {task_id}` goes on with it.")
    raise failure


def _with_problem(session: Session, draft: Draft, failure: Failure) -> Draft:
    """The text with the problem on top; after a conflict it is your changes over their version."""
    if isinstance(failure, Collision):
        theirs = failure.theirs
        both = {**theirs.task, **failure.yours}
        text = form.write(both, _project_name(session, both))
        return Draft(theirs, text)
    kept = [row for row in draft.text.splitlines() if not row.startswith(PROBLEM)]
    problem = [PROBLEM + row for row in failure.message.splitlines()]
    return Draft(draft.base, "\n".join(problem + kept))


def _save(session: Session, base: Version, wanted: Json, on_conflict: str) -> Version:
    """Save the changes; where others changed the same fields, as was chosen."""
    current = base
    left = versions.differing(base.task, wanted)
    while left:
        try:
            saved = versions.save(session.service, current, left)
        except Collision as collision:
            current = collision.theirs
            left = _settle(base, collision, on_conflict)
            continue
        before = {**base.task, **{name: current.task.get(name) for name in left}}
        session.record("edit", [step("update", saved, before, left)])
        note(f"Saved {line(saved.task)}.")
        return saved
    note("There is nothing to change.")
    return current


def _settle(base: Version, collision: Collision, on_conflict: str) -> Json:
    """Which of your changes are still wanted, after a look at theirs."""
    theirs = collision.theirs.task
    fields = versions.colliding(base.task, theirs, collision.yours)
    both = {name: collision.yours[name] for name in fields}
    print_lines(tables.both_sides(theirs, both))
    if on_conflict == "ask":
        if not sys.stdin.isatty():
            raise collision
        choices = click.Choice(["mine", "theirs", "edit"])
        on_conflict = click.prompt("Which counts?", type=choices, default="edit", err=True)
    if on_conflict == "edit":
        raise collision
    if on_conflict == "mine":
        return collision.yours
    return {name: value for name, value in collision.yours.items() if name not in fields}
