"""What a command works with: the service, this machine's store, and how to print."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import cached_property
from typing import Any, TypeVar, cast

import click

from taskapp_client import Json, credentials
from taskapp_client.credentials import Credentials
from taskapp_client.service import Service
from taskapp_client.store import Store

Command = TypeVar("Command", bound=Callable[..., Any])


class Session:
    """One run of `tasks`. Nothing is opened before a command needs it."""

    def __init__(self) -> None:
        self._open = ExitStack()

    @cached_property
    def credentials(self) -> Credentials:
        return credentials.load()

    @cached_property
    def service(self) -> Service:
        service = Service(self.credentials.url, self.credentials.token)
        self._open.callback(service.close)
        return service

    @cached_property
    def store(self) -> Store:
        store = open_store(self.credentials)
        self._open.callback(store.close)
        return store

    def record(self, command: str, steps: list[Json]) -> None:
        """Note for `undo` what was done. What was done counts, also where it cannot be noted."""
        try:
            self.store.record(command, steps)
        except (OSError, sqlite3.Error) as error:
            note(f"`tasks undo` will not know of this: the journal cannot be written ({error}).")

    def close(self) -> None:
        self._open.close()


def pass_session(command: Command) -> Command:
    """Give a command its session as the first argument."""
    return cast("Command", click.pass_obj(command))


def open_store(account: Credentials) -> Store:
    return Store(credentials.data_folder() / f"{account.account}.sqlite")


def json_option(command: Command) -> Command:
    """Let a command answer in JSON, for scripts."""
    return click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")(command)


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def print_lines(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)


def note(text: str) -> None:
    """A remark beside the answer: on standard error, so that pipes carry the answer alone."""
    click.echo(text, err=True)


def colours_allowed() -> bool | None:
    """None leaves it to click, which colours for terminals only (no-color.org)."""
    return False if os.environ.get("NO_COLOR") else None
