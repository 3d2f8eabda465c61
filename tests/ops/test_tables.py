"""Each table is thought of: backed up, copied, and purged if it grows"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from taskapp.extensions import db
from taskapp.schema import Base
from tests import servers

# What bounds a table. A new one stands here, or the test fails.
WITH_ITS_OWNER = {  # a user's, a project's or a task's; it goes with that
    *("users", "projects", "memberships", "tasks", "task_labels"),
    *("webhooks", "second_factors", "recovery_codes", "identities", "readers"),
}
ITS_NEWEST = {"deliveries"}  # the newest hundred of each webhook
PURGED = {
    *("events", "comments", "attachments", "sessions", "personal_tokens", "idempotency_keys"),
    *("mails", "mailed_tokens", "sign_in_tickets", "invitations"),
}


def test_what_grows_is_purged_and_nothing_is_forgotten(app: Flask) -> None:
    statements: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        statements.append(statement)

    with app.app_context():
        sa.event.listen(db.engine, "before_cursor_execute", note)
        assert app.test_cli_runner().invoke(args=["purge"]).exit_code == 0
        sa.event.remove(db.engine, "before_cursor_execute", note)
    purged = set(re.findall(r"DELETE FROM (\w+)", " ".join(statements)))

    assert purged >= PURGED
    assert Base.metadata.tables.keys() == WITH_ITS_OWNER | ITS_NEWEST | PURGED


@pytest.mark.parametrize("fresh_environment", ["sqlite"], indirect=True)
def test_each_table_is_backed_up(fresh_environment: dict[str, str], tmp_path: Path) -> None:
    folder = str(tmp_path / "backups")
    made = servers.flask("backup", folder, **fresh_environment)
    manifest = json.loads((Path(made.stdout.strip()) / "manifest.json").read_text())

    assert manifest["counts"].keys() == Base.metadata.tables.keys()
