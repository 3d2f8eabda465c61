"""What this machine remembers of one account: the offline copy, the journal for undo, drafts."""

from __future__ import annotations

import datetime as dt
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taskapp_client import Json
from taskapp_client.versions import Version

KEPT_COMMANDS = 100
SCHEMA = """
CREATE TABLE IF NOT EXISTS tasks (
  id INTEGER PRIMARY KEY, round INTEGER NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS projects (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS journal (
  id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, command TEXT NOT NULL,
  steps TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS drafts (
  task_id INTEGER PRIMARY KEY, task TEXT NOT NULL, etag TEXT NOT NULL, text TEXT NOT NULL);
"""


@dataclass(frozen=True)
class Draft:
    """What somebody typed and could not save, and the version it was typed over."""

    base: Version
    text: str


class Store:
    """One SQLite file in the XDG data folder, which only its owner can read."""

    def __init__(self, file: Path) -> None:
        """Open it, or make it.

        Raises:
            OSError, sqlite3.Error: the disk is full, the folder cannot be written, it is damaged.
        """
        self.file = file
        descriptor = os.open(file, os.O_CREAT | os.O_RDWR, 0o600)
        os.close(descriptor)
        self._database = sqlite3.connect(file, timeout=10, isolation_level=None)
        self._database.executescript(SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def run(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._database.execute(statement, values).fetchall()

    def run_many(self, statement: str, rows: list[tuple[Any, ...]]) -> None:
        self._database.executemany(statement, rows)

    def state(self, name: str) -> str:
        rows = self.run("SELECT value FROM state WHERE name = ?", name)
        return str(rows[0][0]) if rows else ""

    def set_state(self, **values: str) -> None:
        rows = list(values.items())
        self.run_many("INSERT OR REPLACE INTO state (name, value) VALUES (?, ?)", rows)

    def record(self, command: str, steps: list[Json]) -> None:
        """Note what a command did, for `undo`; the newest hundred are kept."""
        if not steps:
            return
        now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        with self.transaction():
            self.run(
                "INSERT INTO journal (at, command, steps) VALUES (?, ?, ?)",
                now,
                command,
                json.dumps(steps),
            )
            newest = "SELECT id FROM journal ORDER BY id DESC LIMIT ?"
            self.run(f"DELETE FROM journal WHERE id NOT IN ({newest})", KEPT_COMMANDS)  # noqa: S608

    def last_command(self) -> tuple[int, str, list[Json]] | None:
        rows = self.run("SELECT id, command, steps FROM journal ORDER BY id DESC LIMIT 1")
        if not rows:
            return None
        number, command, steps = rows[0]
        return number, command, json.loads(steps)

    def keep_steps(self, number: int, steps: list[Json]) -> None:
        """Leave in the journal what is still to be undone of a command."""
        if steps:
            self.run("UPDATE journal SET steps = ? WHERE id = ?", json.dumps(steps), number)
        else:
            self.run("DELETE FROM journal WHERE id = ?", number)

    def draft(self, task_id: int) -> Draft | None:
        rows = self.run("SELECT task, etag, text FROM drafts WHERE task_id = ?", task_id)
        if not rows:
            return None
        task, etag, text = rows[0]
        return Draft(Version(json.loads(task), etag), text)

    def save_draft(self, draft: Draft) -> None:
        task = draft.base.task
        self.run(
            "INSERT OR REPLACE INTO drafts (task_id, task, etag, text) VALUES (?, ?, ?, ?)",
            task["id"],
            json.dumps(task),
            draft.base.etag,
            draft.text,
        )

    def drop_draft(self, task_id: int) -> None:
        self.run("DELETE FROM drafts WHERE task_id = ?", task_id)

    def remove(self) -> None:
        self._database.close()
        self.file.unlink(missing_ok=True)

    def close(self) -> None:
        self._database.close()
