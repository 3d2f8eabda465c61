"""A demo that looks like real work: people, projects they share, tasks in every state."""

import datetime as dt
import secrets
import sys
from random import Random

import click

from taskapp.caller import Caller, acting_as
from taskapp.database.session import Body, now
from taskapp.extensions import db
from taskapp.projects import service as projects
from taskapp.tasks import service
from taskapp.tasks.models import PRIORITIES, STATUSES
from taskapp.users import service as users

NAMES = "alice bob chidi dana emeka farah goran hana ines jo kemi lars mei nils olga pia".split()
VERBS = "Water Repair Call Order Paint Review Translate Measure Clean Plan Test Answer".split()
THINGS = "fern gutter supplier fence contract leaflet attic filter route boiler letter".split()
PLACES = "upstairs today outside together again first".split()
LABELS = "home garden office errand waiting phone money".split()
BATCH = 500  # tasks a transaction


@click.option("--tasks", default=200, show_default=True, type=click.IntRange(1))
@click.option("--users", "people", default=5, show_default=True, type=click.IntRange(1))
def seed(tasks: int, people: int) -> None:
    """Fill a demo, the same each time for the same numbers. Prints how to sign in."""
    dice, password = Random(tasks + people), "-".join(secrets.token_hex(3) for _ in range(4))  # noqa: S311 - dice for a demo
    names = [f"{NAMES[n % 16]}{n // 16 or ''}" for n in range(people)]
    accounts = [users.add_user(f"{name}@example.com", password, name.title()) for name in names]
    db.session.commit()
    homes = []
    for first in range(0, people, 5):
        crew = [acting_as(account.id) for account in accounts[first : first + 5]]
        home = projects.create_project(crew[0], {"name": f"Workshop {first // 5 + 1}"}).id
        for account in accounts[first + 1 : first + 5]:
            projects.add_member(crew[0], home, {"email": account.email, "role": "editor"})
        db.session.commit()
        homes.append((home, crew))
    with click.progressbar(range(0, tasks, BATCH), label="tasks", file=sys.stderr) as bar:
        for done in bar:
            home, crew = homes[done // BATCH % len(homes)]
            size = min(BATCH, tasks - done)
            service.import_tasks(crew[0], home, [_task(dice, crew) for _ in range(size)])
            db.session.commit()
    click.echo(f"Sign in as {accounts[0].email} (or any of {people}) with the password {password}")


def _task(dice: Random, crew: list[Caller]) -> Body:
    made = now() - dt.timedelta(minutes=dice.randrange(60 * 24 * 60))
    title = f"{dice.choice(VERBS)} the {dice.choice(THINGS)} {dice.choice(PLACES)}"
    status = dice.choices(STATUSES, (5, 2, 4, 1))[0]
    return {
        "title": title,
        "description": dice.choice(("", f"{title}: ask first, then do it.")),
        "status": status,
        "priority": dice.choices(PRIORITIES, (6, 2, 3, 2, 1))[0],
        "due_at": dice.choice((None, made + dt.timedelta(days=dice.randrange(1, 90)))),
        "assignee_id": dice.choice((None, dice.choice(crew).user_id)),
        "labels": sorted(dice.sample(LABELS, dice.choice((0, 0, 1, 2)))),
        "created_at": made,
        "updated_at": made,
        "completed_at": made if status == "done" else None,
    }
