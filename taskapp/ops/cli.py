"""The command line: accounts, the doctor, and the OpenAPI document."""

import os
import sys
from subprocess import SubprocessError
from typing import Any

import click
import sqlalchemy as sa
from flask import current_app
from flask.cli import AppGroup
from marshmallow import ValidationError
from sqlalchemy.exc import DBAPIError

from taskapp.auth import service as auth
from taskapp.database.encoding import encode
from taskapp.database.session import one_or_raise, read, transaction
from taskapp.errors import Refusal, reasons
from taskapp.ops import checks
from taskapp.schema import table
from taskapp.users import access, service
from taskapp.users.models import User
from taskapp.users.schemas import NewUserSchema
from taskapp.web import openapi


class Careful(click.Command):
    """What is foreseen to go wrong becomes one line on standard error, and exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with transaction():
                return super().invoke(ctx)
        except ValidationError as error:
            told = reasons(error.messages)
        except Refusal as error:
            told = error.errors or [{"detail": error.detail}]
        except (OSError, ValueError, SubprocessError, DBAPIError) as error:
            told = [{"detail": str(getattr(error, "orig", error))}]
        raise click.ClickException(" ".join(reason["detail"] for reason in told))


accounts = AppGroup("users", help="Make, list and change accounts.")
accounts.command_class = Careful


def ask_password() -> str:
    """From TASKAPP_PASSWORD, a prompt or standard input; never an argument, which `ps` shows."""
    if password := os.environ.get("TASKAPP_PASSWORD"):
        return password
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")


@accounts.command("create")
@click.argument("email")
@click.option("--admin", is_flag=True, help="May see and change every account.")
@click.option("--name", default=None, help="The address's first part, unless given.")
def create_user(email: str, admin: bool, name: str | None) -> None:
    """Make an account."""
    body = {"email": email, "password": ask_password(), "name": name or email.partition("@")[0]}
    role = "admin" if admin else "user"
    user = service.create_user({**NewUserSchema().load(body), "role": role})
    click.echo(f"{user.id} {user.email} {user.role}")


@accounts.command("list")
def list_users() -> None:
    """List every account: id, address, role, whether it is active."""
    for user in read(sa.select(table(User)).order_by(User.id)):
        click.echo(f"{user.id} {user.email} {user.role} {'on' if user.is_active else 'off'}")


@accounts.command("set-password")
@click.argument("email")
def set_password(email: str) -> None:
    """Give an account a new password; all its sessions end."""
    auth.reset_password(_id_of(email), ask_password())


@accounts.command("disable")
@click.argument("email")
def disable(email: str) -> None:
    """Put an account out, at once."""
    service.update_user(_id_of(email), {"is_active": False}, lambda _row: None)


@accounts.command("enable")
@click.argument("email")
def enable(email: str) -> None:
    """Let an account in again."""
    service.update_user(_id_of(email), {"is_active": True}, lambda _row: None)


def _id_of(email: str) -> int:
    return int(one_or_raise(access.with_email(email), access.UserNotFound).id)


def print_openapi() -> None:
    """Print the OpenAPI document."""
    click.echo(encode(openapi.build(current_app._get_current_object())))  # type: ignore[attr-defined]  # a proxy hides the app's type


def doctor() -> None:
    """Look at configuration and surroundings; exit code 1 when something keeps it from working."""
    findings = [checks.run(check) for check in checks.DOCTOR]
    for found in findings:
        line = "{status:9} {name:14} {detail} -> {remedy}".format_map(found)
        click.echo(line.removesuffix(" -> "))
    sys.exit(any(found["status"] == "down" for found in findings))
