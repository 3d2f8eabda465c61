"""docs/client.md and the README say what there is, and what they say works."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from taskapp_client import failures
from taskapp_client.doors.spreadsheet import FIELDS
from taskapp_client.main import EPILOG, tasks

from .conftest import PASSWORD, ROOT, TASKS, gunicorn, somebody

DOCUMENT = (ROOT / "docs/client.md").read_text(encoding="utf-8")
KINDS = (
    failures.Failure,
    failures.NotFound,
    failures.NotPermitted,
    failures.Conflict,
    failures.Refused,
    failures.Unavailable,
)


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split(" | ")]


def test_every_command_and_no_other_is_in_the_document() -> None:
    table = DOCUMENT.partition("| command |")[2].partition("\n\n")[0]
    first = [cells(line)[0] for line in table.splitlines()[2:]]
    documented = re.findall(r"`([a-z]+)[^`]*`", " ".join(first))

    assert sorted(documented) == sorted(tasks.commands)


def test_the_exit_codes_are_those_of_the_help_and_of_the_code() -> None:
    documented = dict(re.findall(r"^\| (\d) \| (.+) \|$", DOCUMENT, re.MULTILINE))
    shown = dict(re.findall(r"^  (\d)  (.+)$", EPILOG, re.MULTILINE))

    assert documented == shown
    assert {int(code) for code in documented} == {0, 2, *(kind.exit_code for kind in KINDS)}


def test_the_columns_that_are_shown_are_columns_that_can_be_named() -> None:
    named = DOCUMENT.partition("FIELD is one of ")[2].partition(".")[0]
    assert tuple(re.findall(r"`(\w+)`", named)) == FIELDS
    table = DOCUMENT.partition("| program | columns |")[2].partition("\n\n")[0]
    for line in table.splitlines()[2:]:
        fields = re.findall(r"(\w+)=", cells(line)[1])
        assert set(fields) <= set(FIELDS)
        assert "title" in fields


def test_the_files_of_the_worked_example_are_there() -> None:
    table = DOCUMENT.partition("| promise of the API |")[2].partition("\n\n")[0]
    for line in table.splitlines()[2:]:
        for name in re.findall(r"`([a-z/]+\.py)`", cells(line)[2]):
            assert (ROOT / "client/taskapp_client" / name).exists(), name


def test_the_session_that_is_shown_runs(tmp_path: Path) -> None:
    (script,) = re.findall(r"```bash\n(.*?)```", DOCUMENT, re.DOTALL)
    expected = re.findall(r"^# → (.+)$", script, re.MULTILINE)
    marked = re.sub(r"^# → .+$", "echo @@@", script, flags=re.MULTILINE)
    with gunicorn(tmp_path) as url, somebody(url, tmp_path) as alice:
        alice.does("login", "--email", alice.email, stdin=f"{PASSWORD}\n")
        ran = subprocess.run(
            ["bash", "-eu", "-c", f"exec 2>&1\n{marked}"],  # noqa: S607 - whichever bash there is
            cwd=tmp_path,
            env=alice.environment(PATH=f"{TASKS.parent}:/usr/bin:/bin"),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    assert ran.returncode == 0, ran.stdout
    outputs = ran.stdout.split("@@@")[:-1]
    assert len(outputs) == len(expected) > 10
    for output, line in zip(outputs, expected, strict=True):
        assert line in output


@pytest.mark.parametrize("command", ["pipx install ./client", "tasks register", "tasks add"])
def test_the_readme_shows_how_to_begin(command: str) -> None:
    assert command in (ROOT / "README.md").read_text(encoding="utf-8")
