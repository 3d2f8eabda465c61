"""Signing in and out."""

from __future__ import annotations

import os
import platform
import sys
from contextlib import closing

import click

from taskapp_client import Json, credentials
from taskapp_client.credentials import Credentials
from taskapp_client.failures import Failure, NotPermitted, failure, problem_of
from taskapp_client.service import Service
from taskapp_client.session import Session, json_option, note, open_store, pass_session, print_json

DEFAULT_URL = "http://127.0.0.1:8000"
# The service has ended such a token already.
OVER = {"token-expired", "token-revoked", "invalid-token", "not-found"}


ADDRESS = click.option("--url", metavar="ADDRESS", help="The service; default: TASKS_URL.")
EMAIL = click.option("--email", help="Your account; asked for otherwise.")


@click.command()
@ADDRESS
@EMAIL
@click.option("--name", help="Your name, as others see it; asked for otherwise.")
def register(url: str | None, email: str | None, name: str | None) -> None:
    """Make an account, and sign in."""
    address = _address(url)
    body = {"email": email or click.prompt("E-mail"), "name": name or click.prompt("Name")}
    body["password"] = ask_secret("Password (12 characters or more)")
    if sys.stdin.isatty() and ask_secret("The same again") != body["password"]:
        raise click.UsageError("The two passwords differ: nothing was sent.")
    with closing(Service(address)) as anybody:
        anybody.post("/auth/register", body)
    _store(_with_password(address, body["email"], body["password"]))


@click.command()
@ADDRESS
@EMAIL
@click.option(
    "--with-token",
    is_flag=True,
    help="Read a personal token from a prompt or standard input instead of a password.",
)
def login(url: str | None, email: str | None, with_token: bool) -> None:
    """Sign in, and store a token on this machine.

    The password is used once, and not kept. The token may read and write tasks, and can be deleted
    with `tasks logout`.
    """
    address = _address(url)
    if with_token:
        _store(_with_token(address, ask_secret("Token")))
    else:
        email = email or click.prompt("E-mail")
        _store(_with_password(address, email, ask_secret("Password")))


def _address(url: str | None) -> str:
    given = url or os.environ.get("TASKS_URL")
    address = credentials.clean_url(given or click.prompt("Service", default=DEFAULT_URL))
    if credentials.travels_in_clear(address):
        note(f"Warning: {address} is not encrypted, so others on the way can read your token.")
    return address


def _store(signed_in: Credentials) -> None:
    """Keep the token, and end the one before it."""
    try:
        previous = credentials.read_stored()
    except Failure:
        previous = None  # a damaged file is what signing in again repairs
    file = credentials.save(signed_in)
    if previous and previous.token != signed_in.token:
        _end_token(previous)
        open_store(previous).remove()
    click.echo(f"Signed in to {signed_in.url} as {signed_in.email}; the token is in {file}.")


def ask_secret(what: str) -> str:
    """Something that is not shown while it is typed; from a pipe it is the next line."""
    if sys.stdin.isatty():
        return str(click.prompt(what, hide_input=True, err=True))
    return sys.stdin.readline().rstrip("\n")


def _with_token(url: str, token: str) -> Credentials:
    with closing(Service(url, token.strip())) as service:
        me = service.get("/users/me").body
    return Credentials(url, token.strip(), email=me["email"])


def _with_password(url: str, email: str, password: str) -> Credentials:
    with closing(Service(url)) as anybody:
        pair = _sign_in(anybody, email, password)
    body = {"name": f"tasks on {platform.node() or 'a machine'}"[:100], "scopes": ["write"]}
    with closing(Service(url, pair["access_token"])) as session:
        token = session.post("/auth/tokens", body).body
        session.post("/auth/logout")
    return Credentials(url, token["token"], token["id"], email)


def _sign_in(service: Service, email: str, password: str) -> Json:
    answer = service.post_once("/auth/login", {"email": email, "password": password})
    problem = problem_of(answer.response)
    if problem.get("code") == "second-factor-required":
        code = ask_secret("Code of your second factor")
        body = {"ticket": problem["ticket"], "code": code.strip()}
        answer = service.post_once("/auth/login/totp", body)
    if not answer.response.is_success:
        raise failure(answer.response)
    if "access_token" not in answer.body:
        raise answer.strange()
    return answer.body


@click.command()
def logout() -> None:
    """Sign out, and delete what is stored here.

    That is the token, here and at the service, the offline copy and the journal.
    """
    stored = credentials.read_stored()
    if stored is None:
        raise NotPermitted("You are not signed in.")
    ended = _end_token(stored)
    credentials.remove()
    open_store(stored).remove()
    click.echo(
        "Signed out: the token, the offline copy and the journal are gone from this machine."
    )
    if not ended:
        note(
            "The service still knows the token. Whoever has a copy of it can use it: end it with"
            f" DELETE /api/v1/auth/tokens/{stored.token_id or '{id}'} from a session."
        )


def _end_token(stored: Credentials) -> bool:
    """Delete the token at the service: a personal token may delete itself."""
    if not stored.token_id:
        return False
    with closing(Service(stored.url, stored.token)) as service:
        try:
            service.delete(f"/auth/tokens/{stored.token_id}", etag="*")
        except Failure as error:
            return error.code in OVER
    return True


@click.command()
@json_option
@pass_session
def whoami(session: Session, as_json: bool) -> None:
    """Show which account is in use, and where."""
    me = session.service.get("/users/me").body
    if as_json:
        print_json({"url": session.service.url, "user": me})
    else:
        click.echo(f"{me['email']} at {session.service.url}")
