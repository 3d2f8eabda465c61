"""The command line: accounts, and the OpenAPI document."""

import os
import sys
from typing import Any, Self

import click
from flask import current_app
from flask.cli import AppGroup, with_appcontext
from marshmallow import ValidationError

from taskapp import openapi
from taskapp.auth import service as auth
from taskapp.errors import Refusal, reasons
from taskapp.fields import encode
from taskapp.users import access, service
from taskapp.users.schemas import NewUserSchema

users = AppGroup("users", help="Make, list and change accounts.")


def ask_password() -> str:
    """From TASKAPP_PASSWORD, a prompt or standard input; never an argument, which `ps` shows."""
    if password := os.environ.get("TASKAPP_PASSWORD"):
        return password
    if sys.stdin.isatty():
        asked: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        return asked
    return sys.stdin.readline().rstrip("\r\n")


class Spoken(click.ClickException):
    """A refusal, as one line on standard error."""

    @classmethod
    def of(cls, error: Refusal | ValidationError) -> Self:
        if isinstance(error, ValidationError):
            return cls(" ".join(reason["detail"] for reason in reasons(error.messages)))
        details = [reason["detail"] for reason in error.errors or []]
        return cls(" ".join([error.detail, *details]))


@users.command("create")
@click.argument("email")
@click.option("--admin", is_flag=True, help="May see and change every account.")
@click.option("--name", default=None, help="The address's first part, unless given.")
def create_user(email: str, admin: bool, name: str | None) -> None:
    """Make an account."""
    body = {"email": email, "password": ask_password(), "name": name or email.partition("@")[0]}
    try:
        user = service.create_user(
            {**NewUserSchema().load(body), "role": "admin" if admin else "user"}
        )
    except (Refusal, ValidationError) as error:
        raise Spoken.of(error) from error
    click.echo(f"{user.id} {user.email} {user.role}")


@users.command("list")
def list_users() -> None:
    """List every account: id, address, role, whether it is active."""
    key: list[Any] | None = []
    while key is not None:
        page = service.list_users({"limit": 200, "total": False, "cursor": key})
        for user in page.items:
            click.echo(f"{user.id} {user.email} {user.role} {'on' if user.is_active else 'off'}")
        key = page.next_key


@users.command("set-password")
@click.argument("email")
def set_password(email: str) -> None:
    """Give an account a new password; all its sessions end."""
    try:
        auth.reset_password(_id_of(email), ask_password())
    except Refusal as error:
        raise Spoken.of(error) from error


@users.command("disable")
@click.argument("email")
def disable(email: str) -> None:
    """Put an account out, at once."""
    _switch(email, on=False)


@users.command("enable")
@click.argument("email")
def enable(email: str) -> None:
    """Let an account in again."""
    _switch(email, on=True)


def _switch(email: str, *, on: bool) -> None:
    try:
        service.update_user(_id_of(email), {"is_active": on}, lambda _row: None)
    except Refusal as error:
        raise Spoken.of(error) from error


def _id_of(email: str) -> int:
    row = access.sign_in_row(email)
    if row is None:
        raise access.UserNotFound
    return int(row.id)


@click.command("openapi")
@with_appcontext
def print_openapi() -> None:
    """Print the OpenAPI document."""
    click.echo(encode(openapi.build(current_app._get_current_object())))  # type: ignore[attr-defined]  # a proxy hides the app's type
