"""A demo that looks like real work: people, projects they share, tasks in every state."""

from __future__ import annotations

import datetime as dt
import random
import secrets
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from taskapp.extensions import db, now, table
from taskapp.projects import access
from taskapp.projects import service as projects
from taskapp.projects.models import Membership
from taskapp.tasks.models import PRIORITIES, STATUSES, Task, TaskLabel
from taskapp.tasks.query import words
from taskapp.users import service as users

NAMES = [
    "Alice",
    "Bob",
    "Chidi",
    "Dana",
    "Emeka",
    "Farah",
    "Goran",
    "Hana",
    "Ines",
    "Jonas",
    "Kemi",
    "Lars",
    "Mei",
    "Nils",
    "Olga",
    "Priya",
]
VERBS = [
    "Water",
    "Repair",
    "Call",
    "Order",
    "Paint",
    "Review",
    "Translate",
    "Measure",
    "Clean",
    "Plan",
    "Test",
    "Answer",
]
THINGS = "fern|gutter|supplier|spare parts|fence|contract|leaflet|attic|filter|route|boiler|letter"
PLACES = "in the hall|for Monday|with the neighbours|before the audit|at the depot|by phone"
LABELS = ("home", "garden", "office", "errand", "waiting", "phone", "money")
BATCH = 1000  # tasks a transaction
Progress = Callable[[int], None]


def fill(tasks: int, people: int, progress: Progress) -> str:
    """Make the demo, the same each time for the same numbers; returns how to sign in."""
    dice = random.Random(tasks * 1000 + people)  # noqa: S311 - a demo needs no secret dice
    password = "-".join(secrets.token_hex(3) for _ in range(4))
    ids = [_person(number, password) for number in range(people)]
    homes = [_shared_project(owner, ids) for owner in ids[: max(1, people // 5)]]
    homes += [(access.inbox_of(user), [user]) for user in ids]
    db.session.commit()
    for done in range(0, tasks, BATCH):
        home, members = dice.choice(homes)
        size = min(BATCH, tasks - done)
        _tasks(dice, access.Turn(home, 0, members[0]), members, size)
        progress(size)
    return f"Sign in as {_email(0)} (or any of the {people}) with the password {password}"


def _email(number: int) -> str:
    name, lap = NAMES[number % len(NAMES)].lower(), number // len(NAMES)
    return f"{name}{lap or ''}@example.com"


def _person(number: int, password: str) -> int:
    name = NAMES[number % len(NAMES)]
    return int(users.add_user(email=_email(number), password=password, name=name).id)


def _shared_project(owner: int, people: list[int]) -> tuple[int, list[int]]:
    project = projects.create_project(users.Leaver(owner), {"name": f"Workshop {owner}"})
    members = [owner, *[other for other in people if other % 3 == owner % 3 and other != owner][:9]]
    at = now()
    rows = [
        {
            "project_id": project.id,
            "user_id": user,
            "role": "editor",
            "revision": 1,
            "created_at": at,
        }
        for user in members[1:]
    ]
    if rows:
        db.session.execute(sa.insert(table(Membership)), rows)
    return project.id, members


def _tasks(dice: random.Random, turn: access.Turn, members: list[int], size: int) -> None:
    turn = access.take_turn(users.Leaver(turn.user_id), turn.project_id)
    rows = [_task(dice, turn, members) for _ in range(size)]
    inserted = sa.insert(table(Task)).returning(Task.id, sort_by_parameter_order=True)
    ids = db.session.scalars(inserted, rows).all()
    labelled = [
        {"task_id": task_id, "key": label, "name": label}
        for task_id, row in zip(ids, rows, strict=True)
        for label in row["labels"]
    ]
    if labelled:
        db.session.execute(sa.insert(table(TaskLabel)), labelled)
    access.record(turn, "created", *ids)
    db.session.commit()


def _task(dice: random.Random, turn: access.Turn, members: list[int]) -> dict[str, Any]:
    made = now() - dt.timedelta(minutes=dice.randrange(60 * 24 * 60))
    title = " ".join(
        [dice.choice(VERBS), "the", dice.choice(THINGS.split("|")), dice.choice(PLACES.split("|"))]
    )
    status = dice.choices(STATUSES, (5, 2, 4, 1))[0]
    due = made + dt.timedelta(days=dice.randrange(1, 90)) if dice.random() < 0.6 else None
    return {
        "project_id": turn.project_id,
        "title": title,
        "description": "" if dice.random() < 0.5 else f"{title}. Ask first, then do it.",
        "status": status,
        "priority": dice.choices(PRIORITIES, (6, 2, 3, 2, 1))[0],
        "due_at": due,
        "assignee_id": dice.choice(members) if dice.random() < 0.7 else None,
        "labels": sorted(dice.sample(LABELS, dice.choice((0, 0, 1, 2)))),
        "created_by": turn.user_id,
        "created_at": made,
        "updated_at": made,
        "completed_at": made if status == "done" else None,
        "revision": turn.revision,
        "words": words(title),
    }
