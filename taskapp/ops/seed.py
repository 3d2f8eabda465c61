"""A demo that looks like real work: people, projects they share, tasks in every state."""

import datetime as dt
import secrets
import sys
from random import Random
from typing import NamedTuple

import click

from taskapp.caller import Caller, acting_as
from taskapp.database.session import Body, Row, now
from taskapp.errors import EmailTaken
from taskapp.extensions import db, settings
from taskapp.projects import service as projects
from taskapp.tasks import service
from taskapp.tasks.models import PRIORITIES, STATUSES
from taskapp.users import service as users

NAMES = "alice bob chidi dana emeka farah goran hana ines jo kemi lars mei nils olga pia".split()
VERBS = "Water Repair Call Order Paint Review Translate Measure Clean Plan Test Answer".split()
THINGS = "fern gutter supplier fence contract leaflet attic filter route boiler letter".split()
PLACES = "upstairs today outside together again first".split()
LABELS = "home garden office errand waiting phone money".split()
STATUS_WEIGHTS = (5, 2, 4, 1)
PRIORITY_WEIGHTS = (6, 2, 3, 2, 1)
TASKS_PER_TRANSACTION = 500
PEOPLE_PER_PROJECT = 5
TASK_AGE_MINUTES = 60 * 24 * 60
DEMO_EXISTS = (
    "Nothing was added: accounts of the demo, as alice@example.com, are there already. Sign in with"
    " the password that was printed then, or set another:"
    " flask --app wsgi users set-password alice@example.com"
)
NOT_IN_PRODUCTION = "ENVIRONMENT: this is production, where a demo's accounts have no place."


class Workshop(NamedTuple):
    """A project, and who works in it; the owner comes first."""

    project_id: int
    crew: list[Caller]


@click.option("--tasks", default=200, show_default=True, type=click.IntRange(1))
@click.option("--users", "people", default=5, show_default=True, type=click.IntRange(1))
def seed(tasks: int, people: int) -> None:
    """Fill a demo, the same each time for the same numbers. Prints how to sign in."""
    if settings().environment == "production":
        raise click.ClickException(NOT_IN_PRODUCTION)
    password = "-".join(secrets.token_hex(3) for _ in range(4))
    try:
        accounts = _add_accounts(people, password)
    except EmailTaken:
        click.echo(DEMO_EXISTS)
        return
    workshops: list[Workshop] = []
    for first in range(0, people, PEOPLE_PER_PROJECT):
        members = accounts[first : first + PEOPLE_PER_PROJECT]
        number = len(workshops) + 1
        workshops.append(_add_workshop(f"Workshop {number}", members))
    dice = Random(tasks + people)  # noqa: S311 - dice for a demo
    _add_tasks(dice, tasks, workshops)
    first_person = accounts[0]
    click.echo("`make serve` says which address to open in a browser.")
    click.echo(f"Sign in as {first_person.email} (or any of {people}) with the password {password}")


def _add_accounts(people: int, password: str) -> list[Row]:
    accounts = []
    for number in range(people):
        round_, index = divmod(number, len(NAMES))
        name = f"{NAMES[index]}{round_ or ''}"
        body = {"email": f"{name}@example.com", "name": name.title(), "password": password}
        account = users.add_user(**users.prepare_account(body))
        accounts.append(account)
    db.session.commit()
    return accounts


def _add_workshop(name: str, members: list[Row]) -> Workshop:
    crew = [acting_as(account.id) for account in members]
    owner = crew[0]
    project_id = projects.create_project(owner, {"name": name}).id
    for account in members[1:]:
        member = {"email": account.email, "role": "editor"}
        projects.add_member(owner, project_id, member)
    db.session.commit()
    return Workshop(project_id, crew)


def _add_tasks(dice: Random, tasks: int, workshops: list[Workshop]) -> None:
    starts = range(0, tasks, TASKS_PER_TRANSACTION)
    with click.progressbar(starts, label="tasks", file=sys.stderr) as bar:
        for number, start in enumerate(bar):
            workshop = workshops[number % len(workshops)]
            size = min(TASKS_PER_TRANSACTION, tasks - start)
            rows = [_task(dice, workshop.crew) for _ in range(size)]
            owner = workshop.crew[0]
            service.import_tasks(owner, workshop.project_id, rows, dry_run=False)
            db.session.commit()


def _task(dice: Random, crew: list[Caller]) -> Body:
    minutes = dice.randrange(TASK_AGE_MINUTES)
    created = now() - dt.timedelta(minutes=minutes)
    verb = dice.choice(VERBS)
    thing = dice.choice(THINGS)
    title = f"{verb} the {thing} {dice.choice(PLACES)}"
    description = dice.choice(("", f"{title}: ask first, then do it."))
    [status] = dice.choices(STATUSES, STATUS_WEIGHTS)
    [priority] = dice.choices(PRIORITIES, PRIORITY_WEIGHTS)
    days = dice.randrange(1, 90)
    due_at = dice.choice((None, created + dt.timedelta(days=days)))
    somebody = dice.choice(crew)
    assignee_id = dice.choice((None, somebody.user_id))
    how_many = dice.choice((0, 0, 1, 2))
    labels = dice.sample(LABELS, how_many)
    completed_at = created if status == "done" else None
    return {
        "title": title,
        "description": description,
        "status": status,
        "priority": priority,
        "due_at": due_at,
        "assignee_id": assignee_id,
        "labels": sorted(labels),
        "created_at": created,
        "updated_at": created,
        "completed_at": completed_at,
    }
