"""A demo that looks like real work: people, projects they share, tasks in every state."""

import datetime as dt
import secrets
import sys
from collections.abc import Callable
from random import Random
from typing import Any

import click
import sqlalchemy as sa
from flask.cli import with_appcontext

from taskapp.extensions import db, now, table
from taskapp.projects import access
from taskapp.projects import service as projects
from taskapp.tasks.models import PRIORITIES, STATUSES, Task, TaskLabel
from taskapp.tasks.query import words
from taskapp.users import service as users

NAMES = (
    "alice bob chidi dana emeka farah goran hana ines jonas kemi lars mei nils olga priya".split()
)
VERBS = "Water Repair Call Order Paint Review Translate Measure Clean Plan Test Answer".split()
THINGS = "fern gutter supplier fence contract leaflet attic filter route boiler letter".split()
PLACES = "upstairs today outside together again first".split()
LABELS = "home garden office errand waiting phone money".split()
BATCH = 500  # tasks a transaction


@click.command("seed")
@click.option("--tasks", default=200, show_default=True, type=click.IntRange(1))
@click.option("--users", "people", default=5, show_default=True, type=click.IntRange(1))
@with_appcontext
def seed(tasks: int, people: int) -> None:
    """Fill a demo: people, projects they share, tasks. Prints how to sign in."""
    with click.progressbar(length=tasks, label="tasks", file=sys.stderr) as bar:
        signed_up = fill(tasks, people, bar.update)
    click.echo(signed_up)


def fill(tasks: int, people: int, progress: Callable[[int], None]) -> str:
    """Make the demo, the same each time for the same numbers; returns how to sign in."""
    dice, password = Random(tasks + people), "-".join(secrets.token_hex(3) for _ in range(4))  # noqa: S311 - dice for a demo
    emails = [f"{NAMES[n % 16]}{n // 16 or ''}@example.com" for n in range(people)]
    crowd = [
        access.Actor(users.add_user(email, password, email.partition("@")[0].title()).id)
        for email in emails
    ]
    db.session.commit()
    homes = [(access.inbox_of(person.user_id), [person]) for person in crowd]
    homes += [_workshop(number, crowd, emails) for number in range(0, people, 5)]
    for done in range(0, tasks, BATCH):
        size = min(BATCH, tasks - done)
        _fill(dice, *homes[-1 - (done // BATCH) % len(homes)], size)
        progress(size)
    return f"Sign in as {emails[0]} (or any of {people}) with the password {password}"


def _workshop(number: int, crowd: list[access.Actor], emails: list[str]) -> tuple[int, list[Any]]:
    owner, home = crowd[number], {"name": f"Workshop {number // 5 + 1}"}
    project_id = projects.create_project(owner, home).id
    for email in emails[number + 1 : number + 5]:
        projects.add_member(owner, project_id, {"email": email, "role": "editor"})
    return project_id, crowd[number : number + 5]


def _fill(dice: Random, project_id: int, members: list[access.Actor], size: int) -> None:
    turn = access.take_turn(members[0], project_id)
    rows = [_task(dice, turn, dice.choice(members).user_id) for _ in range(size)]
    inserted = sa.insert(table(Task)).returning(Task.id, sort_by_parameter_order=True)
    ids = db.session.scalars(inserted, rows).all()
    labels = [
        {"task_id": task_id, "key": label, "name": label}
        for task_id, row in zip(ids, rows, strict=True)
        for label in row["labels"]
    ]
    if labels:
        db.session.execute(sa.insert(table(TaskLabel)), labels)
    access.record(turn, "created", ids)
    db.session.commit()


def _task(dice: Random, turn: access.Turn, assignee_id: int) -> dict[str, Any]:
    made = now() - dt.timedelta(minutes=dice.randrange(60 * 24 * 60))
    title = f"{dice.choice(VERBS)} the {dice.choice(THINGS)} {dice.choice(PLACES)}"
    status = dice.choices(STATUSES, (5, 2, 4, 1))[0]
    return {
        "project_id": turn.project_id,
        "title": title,
        "description": dice.choice(("", f"{title}: ask first, then do it.")),
        "status": status,
        "priority": dice.choices(PRIORITIES, (6, 2, 3, 2, 1))[0],
        "due_at": dice.choice((None, made + dt.timedelta(days=dice.randrange(1, 90)))),
        "assignee_id": dice.choice((None, assignee_id)),
        "labels": sorted(dice.sample(LABELS, dice.choice((0, 0, 1, 2)))),
        "created_by": turn.user_id,
        "created_at": made,
        "updated_at": made,
        "completed_at": made if status == "done" else None,
        "revision": turn.revision,
        "words": words(title),
    }
