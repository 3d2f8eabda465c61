"""Backups while the service runs: the database as of one moment, and the attachments.

A backup is a folder of `manifest.json`, the database (`taskapp.db` or `taskapp.dump`) and
`attachments/`; it gets its final name only when it is complete.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from subprocess import run
from tempfile import TemporaryDirectory

import click
import sqlalchemy as sa

from taskapp.attachments import store
from taskapp.database.session import now
from taskapp.extensions import db, settings
from taskapp.ops.checks import schema_found
from taskapp.schema import Base
from taskapp.web.openapi import VERSION

DATABASE_FILES = {"sqlite": "taskapp.db", "postgresql": "taskapp.dump"}
COMPLETE_ATTACHMENTS = "?" * 64  # named by their SHA-256 in hex; those of drafts are shorter


@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--keep", type=click.IntRange(1), help="Remove all but this many of the newest.")
def backup(folder: Path | None, keep: int | None) -> None:
    """Back up the database and the attachments into FOLDER (instance/backups)."""
    if folder is None:
        folder = settings().instance / "backups"
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".", dir=folder) as draft:  # readable by its owner only
        _fill(Path(draft))
        os.sync()
        name = now().strftime("taskapp-%Y%m%dT%H%M%S.%fZ")
        final = Path(draft).rename(folder / name)
    if keep is not None:
        for old in list_backups(folder)[:-keep]:
            shutil.rmtree(old)
    click.echo(final)


def list_backups(folder: Path) -> list[Path]:
    """The complete backups in a folder, the oldest first."""
    return sorted(path.parent for path in folder.glob("taskapp-*Z/manifest.json"))


def _fill(draft: Path) -> None:
    """Attachments first and last: a file exists before a row names it, and may be deleted after."""
    kind = db.engine.dialect.name
    file = draft / DATABASE_FILES[kind]
    instance = settings().instance
    with store.as_it_is():
        copy_attachments(instance, draft)
        counts = _dump_sqlite(file) if kind == "sqlite" else _dump_postgresql(file)
        copy_attachments(instance, draft)
    manifest = {
        "version": VERSION,
        "database": kind,
        "schema": schema_found(),
        "counts": counts,
        "sha256": sha256(file),
    }
    text = json.dumps(manifest, indent=2)
    (draft / "manifest.json").write_text(text)


def copy_attachments(source: Path, target: Path) -> None:
    """Copy what is not there yet: a file of the same name has the same content."""
    originals = source / "attachments"
    copies = target / "attachments"
    copies.mkdir(parents=True, exist_ok=True)
    for path in originals.glob(COMPLETE_ATTACHMENTS):
        copy = copies / path.name
        if not copy.exists():
            with suppress(FileNotFoundError):  # deleted meanwhile
                shutil.copy2(path, copy)


def count_rows(connection: sa.Connection, tables: Iterable[str]) -> dict[str, int]:
    count = sa.select(sa.func.count())
    counts = {}
    for name in tables:
        rows = count.select_from(sa.table(name))
        counts[name] = connection.execute(rows).scalar_one()
    return counts


def _dump_sqlite(file: Path) -> dict[str, int]:
    with db.engines["reads"].connect() as live:
        live.execute(sa.text("VACUUM INTO :file"), {"file": str(file)})
    url = sa.URL.create("sqlite", database=str(file))
    with sa.create_engine(url, poolclass=sa.NullPool).connect() as copy:
        if copy.scalar(sa.text("PRAGMA integrity_check")) != "ok":
            raise ValueError("the database is damaged (PRAGMA integrity_check)")
        return count_rows(copy, Base.metadata.tables)


def _dump_postgresql(file: Path) -> dict[str, int]:
    """The rows are counted in the very snapshot that is dumped."""
    with db.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        snapshot = connection.scalar(sa.text("SELECT pg_export_snapshot()"))
        run_program("pg_dump", "--format=custom", f"--snapshot={snapshot}", f"--file={file}")
        return count_rows(connection, Base.metadata.tables)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def run_program(program: str, *arguments: str) -> None:
    """Run one of PostgreSQL's own programs, which explains its failures itself.

    The password is passed in the environment, where `ps` does not show it.

    Raises:
        FileNotFoundError: It is not installed.
        CalledProcessError: It failed.
    """
    path = shutil.which(program)
    if path is None:
        raise FileNotFoundError(f"{program} is not on the PATH: install PostgreSQL's clients")
    url = db.engine.url
    home = str(Path.home())
    environment = {"HOME": home, "PGPASSWORD": url.password or ""}
    target = url._replace(drivername="postgresql", password=None)
    dbname = target.render_as_string()
    command = [path, *arguments, f"--dbname={dbname}"]
    run(command, env=environment, check=True)  # noqa: S603 - no word of it comes from a client
