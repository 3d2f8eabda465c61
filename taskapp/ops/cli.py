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

from taskapp.auth import second_factor
from taskapp.auth import service as auth
from taskapp.database.encoding import encode
from taskapp.database.session import read, transaction
from taskapp.errors import Refusal, reasons
from taskapp.ops import checks
from taskapp.schema import table
from taskapp.users import access, service
from taskapp.users.models import User
from taskapp.users.schemas import NewUserSchema
from taskapp.web import openapi

USERS = table(User)
# Where an operator gives the fields of an account.
WHERE_TYPED = {"email": "EMAIL", "name": "--name", "password": "the password"}


class OperatorCommand(click.Command):
    """Expected failures print one line to standard error and exit with 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with transaction():
                return super().invoke(ctx)
        except ValidationError as error:
            failures = reasons(error.messages)
        except Refusal as error:
            failures = error.errors or [{"detail": error.detail}]
        except DBAPIError as error:
            detail = f"DATABASE_URL: {error.orig}"
            failures = [{"detail": detail}]
        except (OSError, ValueError, SubprocessError) as error:
            failures = [{"detail": str(error)}]
        described = map(_describe, failures)
        raise click.ClickException(" ".join(described))


def _describe(failure: dict[str, str]) -> str:
    """What is wrong, and with what that was typed."""
    field = failure.get("pointer", "").strip("/")
    detail = failure["detail"]
    if field in WHERE_TYPED:
        return f"{WHERE_TYPED[field]}: {detail}"
    return detail


accounts = AppGroup("users", help="Create, list and change accounts.")
accounts.command_class = OperatorCommand


def read_password() -> str:
    """From TASKAPP_PASSWORD, a prompt or standard input; never an argument, which `ps` shows."""
    if password := os.environ.get("TASKAPP_PASSWORD"):
        return password
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    line = sys.stdin.readline()
    return line.rstrip("\r\n")


@accounts.command("create")
@click.argument("email")
@click.option("--admin", is_flag=True, help="May see and change every account.")
@click.option("--name", default=None, help="By default the part before the @.")
def create_user(email: str, admin: bool, name: str | None) -> None:
    """Create an account."""
    first_part, _, _ = email.partition("@")
    password = read_password()
    body = {"email": email, "password": password, "name": name or first_part}
    account = NewUserSchema().load(body)
    account["role"] = "admin" if admin else "user"
    user = service.add_user(**service.prepare_account(account))
    click.echo(f"{user.id} {user.email} {user.role}")


@accounts.command("list")
def list_users() -> None:
    """List every account: id, address, role, whether it is active."""
    for user in read(sa.select(USERS).order_by(USERS.c.id)):
        state = "on" if user.is_active else "off"
        click.echo(f"{user.id} {user.email} {user.role} {state}")


@accounts.command("set-password")
@click.argument("email")
@click.option("--end-tokens", is_flag=True, help="End the account's personal tokens, too.")
def set_password(email: str, end_tokens: bool) -> None:
    """Give an account a new password; all its sessions end."""
    auth.reset_password(_id_of(email), read_password(), end_tokens=end_tokens)


@accounts.command("sign-out")
@click.argument("email", required=False)
@click.option("--all", "everybody", is_flag=True, help="Of every account, instead of one.")
@click.option("--end-tokens", is_flag=True, help="End personal tokens, too.")
def sign_out(email: str | None, everybody: bool, end_tokens: bool) -> None:
    """End all sessions of an account, or of every account; the accounts stay as they are."""
    if everybody == bool(email):
        raise click.UsageError("Give either EMAIL or --all.")
    ids = [_id_of(email)] if email else read(sa.select(USERS.c.id)).scalars().all()
    for user_id in ids:
        auth.sign_out(user_id, end_tokens=end_tokens)


@accounts.command("reset-totp")
@click.argument("email")
def reset_totp(email: str) -> None:
    """Take an account's second factor away, when it is lost; all its sessions end."""
    second_factor.reset(_id_of(email))


@accounts.command("disable")
@click.argument("email")
def disable(email: str) -> None:
    """Disable an account; its sessions and personal tokens end for good."""
    service.update_user(_id_of(email), {"is_active": False}, lambda _row: None)


@accounts.command("enable")
@click.argument("email")
def enable(email: str) -> None:
    """Re-enable an account."""
    service.update_user(_id_of(email), {"is_active": True}, lambda _row: None)


def _id_of(email: str) -> int:
    account = access.account_of_mailbox(email)
    if account is None:
        raise access.UserNotFound
    return int(account.id)


def print_openapi() -> None:
    """Print the OpenAPI document."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # a proxy hides the app's type
    click.echo(encode(openapi.build(app)))


def doctor() -> None:
    """Check configuration and surroundings; exit code 1 when something keeps it from working."""
    findings = [checks.run(check) for check in checks.DOCTOR]
    for finding in findings:
        line = "{status:9} {name:14} {detail} -> {remedy}".format_map(finding)
        click.echo(line.removesuffix(" -> "))
    sys.exit(any(finding["status"] == "down" for finding in findings))
