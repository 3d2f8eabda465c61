"""Files out: export."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import IO, Any

import click

from taskapp_client import filters
from taskapp_client.session import Session, note, pass_session

MEDIA_TYPES = {
    "csv": "text/csv",
    "ndjson": "application/x-ndjson",
    "json": "application/json",
    "ics": "text/calendar",
}
EXPORTS = ("ndjson", "csv", "ics")
STDOUT = "-"


@click.command()
@filters.filter_options
@click.option("--format", "kind", type=click.Choice(EXPORTS), help="Default: by the file's name.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=STDOUT,
    help="The file; standard output otherwise.",
)
@pass_session
def export(session: Session, kind: str | None, output: Path, **options: Any) -> None:
    """Write tasks to a file.

    Open ones, or --all. A file that is there is replaced only when the export is complete.
    """
    query = filters.from_options(options).query(session.service)
    accept = MEDIA_TYPES[kind or kind_of(output, "ndjson")]
    with tempfile.TemporaryFile() as written:
        session.service.download("/tasks", query, accept, written)
        written.seek(0)
        _deliver(written, output)


def _deliver(written: IO[bytes], output: Path) -> None:
    if str(output) == STDOUT:
        shutil.copyfileobj(written, sys.stdout.buffer)
        return
    target = output.resolve()
    if target.exists() and not target.is_file():  # a pipe, or a device
        with target.open("wb") as pipe:
            shutil.copyfileobj(written, pipe)
    else:
        _replace(written, target)
    note(f"Written to {output}.")


def _replace(written: IO[bytes], target: Path) -> None:
    """Write a file in one step: there is never half of one."""
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as beside:
        try:
            shutil.copyfileobj(written, beside)
            beside.close()
            Path(beside.name).replace(target)
        except BaseException:
            Path(beside.name).unlink()
            raise


def kind_of(file: Path, default: str) -> str:
    """The format that a file's name says."""
    suffix = file.suffix.lower().lstrip(".")
    return suffix if suffix in MEDIA_TYPES else default
