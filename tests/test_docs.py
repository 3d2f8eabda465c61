"""The documents tell all there is, and what they tell is true"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from flask import Flask

import config
from taskapp.errors import Refusal
from taskapp.web import openapi
from tests import servers

README = (servers.ROOT / "README.md").read_text(encoding="utf-8")
REFERENCE = (servers.ROOT / "docs/reference.md").read_text(encoding="utf-8")


def rows(text: str, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading."""
    table = text.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def in_backticks(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_every_setting_is_in_the_readme() -> None:
    documented = [in_backticks(row[0])[0] for row in rows(README, "Settings")]

    assert sorted(documented) == sorted(config.VARIABLES)


def test_every_secret_may_stand_in_a_file_as_the_readme_says() -> None:
    starred = {in_backticks(row[0])[0] for row in rows(README, "Settings") if "*" in row[0]}

    assert starred == {
        spec.name.upper()
        for spec in config.Settings.__dataclass_fields__.values()
        if spec.metadata.get("secret")
    }


def test_every_default_is_the_one_in_the_readme(tmp_path: Path) -> None:
    told = config.load({"TASKAPP_INSTANCE": str(tmp_path)})
    for name, default, *_ in rows(README, "Settings"):
        variable = in_backticks(name)[0].lower()
        if re.fullmatch(r"`[a-z0-9 ]+`", default) and hasattr(told, variable):
            assert default.strip("`") == str(getattr(told, variable)).lower(), variable


def routes_told() -> set[str]:
    """`GET /x` · `POST` · `/y`: what is left out is as before it."""
    told, method, path = set(), "", ""
    for cell, *_ in rows(REFERENCE, "Routes"):
        for part in in_backticks(cell):
            words = part.split()
            method = words[0] if words[0].isupper() else method
            path = words[-1] if words[-1].startswith("/") else path
            told.add(f"{method} {path}")
    return told


def test_every_route_is_in_the_reference(app: Flask) -> None:
    routes = {
        f"{method} " + openapi.ARGUMENT.sub(r"{\2}", rule.rule)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.endpoint != "static"
    }

    assert routes_told() == routes


def test_every_problem_is_in_the_reference_with_its_status() -> None:
    told = set()
    for statuses, codes in rows(REFERENCE, "Problem codes"):
        groups = codes.split(" · ") if " · " in statuses else [codes]
        for status, group in zip(statuses.split(" · "), groups, strict=True):
            told |= {(int(status), code) for code in in_backticks(group)}

    assert told == {(kind.status, code) for code, kind in Refusal.named.items()}


def test_links_lead_somewhere() -> None:
    for document in (*servers.ROOT.glob("*.md"), *servers.ROOT.glob("docs/*.md")):
        for target in re.findall(r"\]\(([^)#\s]+)\)", document.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (document.parent / target).exists(), f"{document.name}: {target}"


ARCHITECTURE = (servers.ROOT / "docs/architecture.md").read_text(encoding="utf-8")


def test_the_map_names_every_room() -> None:
    first_column = [in_backticks(row[0]) for row in rows(ARCHITECTURE, "The map")]
    drawn = {name.strip("/") for names in first_column for name in names}
    package = servers.ROOT / "taskapp"
    rooms = {path.parent.name for path in package.glob("*/__init__.py")}
    ground = {path.name for path in package.glob("*.py")} - {"__init__.py"}

    assert drawn == rooms | ground


def test_the_picture_of_a_request_shows_each_piece_of_the_hooks() -> None:
    factory = (servers.ROOT / "taskapp/__init__.py").read_text(encoding="utf-8")
    lists = re.findall(r"(?:before|after) = \[(.*?)\]", factory, re.DOTALL)
    pieces = [name for text in lists for name in re.findall(r"\w+\.\w+", text)]
    picture = (servers.ROOT / "docs/architecture/request.svg").read_text(encoding="utf-8")
    drawn = re.findall(r">(\w+\.\w+)</text>", picture)

    assert drawn == [*pieces, "errors.problem"]


def test_files_that_documents_for_developers_name_are_there() -> None:
    contributing = (servers.ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for text in (ARCHITECTURE, contributing):
        for name in re.findall(r"`((?:[a-z_]+/)*[a-z_]+\.py)`", text):
            places = [servers.ROOT / name, servers.ROOT / "taskapp" / name]
            assert any(place.exists() for place in places), name


def test_prose_is_wrapped_at_100_columns() -> None:
    """Tables, code and addresses are as long as they are."""
    for document in (*servers.ROOT.glob("*.md"), *servers.ROOT.glob("docs/*.md")):
        text = document.read_text(encoding="utf-8")
        text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
        for line in text.splitlines():
            is_code = line.startswith("    ")
            is_table = line.lstrip().startswith("|")
            assert len(line) <= 100 or is_code or is_table, f"{document.name}: {line}"


RECIPES = (servers.ROOT / "docs/recipes.md").read_text(encoding="utf-8")
SCRIPTS = {
    "README": re.findall(r"## A session with curl\n\n```bash\n(.*?)```", README, re.DOTALL),
    "recipes": re.findall(r"```bash\n(.*?)```", RECIPES, re.DOTALL),
}


@pytest.mark.parametrize("document", SCRIPTS)
def test_what_curl_is_shown_to_do_it_does(
    document: str, fresh_environment: dict[str, str], tmp_path: Path
) -> None:
    script = "\n".join(SCRIPTS[document])
    expected = re.findall(r"^# → (.+)$", script, re.MULTILINE)
    with servers.gunicorn(**fresh_environment) as base:
        script = script.replace("http://127.0.0.1:8000", base)
        marked = re.sub(r"^# → .+$", "echo; echo @@@", script, flags=re.MULTILINE)
        ran = subprocess.run(
            ["bash", "-eu", "-c", marked],  # noqa: S607 - whichever bash the reader has
            cwd=tmp_path,
            env=servers.environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert (ran.returncode, ran.stderr) == (0, "")
    outputs = ran.stdout.split("@@@")[:-1]
    assert len(outputs) == len(expected) > 8
    for output, line in zip(outputs, expected, strict=True):
        assert line in output


BUILT = re.compile(r"^\| `([A-Z]+) (/[^`]*)` \| (built|not yet) \|$", re.MULTILINE)
CODE = re.compile(r"`([a-z]+(?:-[a-z]+)*)` (4\d\d|5\d\d)")


def test_the_contract_says_of_every_operation_whether_it_is_built(app: Flask) -> None:
    contract = (servers.ROOT / "docs/api.md").read_text(encoding="utf-8")
    rows = {(method, path): state for method, path, state in BUILT.findall(contract)}
    document = openapi.build(app)
    operations = {
        (method.upper(), path)
        for path, methods in document["paths"].items()
        for method in methods.keys() & {"get", "post", "put", "patch", "delete"}
    }

    assert {each for each, state in rows.items() if state == "built"} == operations


def test_the_contract_names_every_problem_code() -> None:
    contract = (servers.ROOT / "docs/api.md").read_text(encoding="utf-8")
    promised = dict(CODE.findall(contract))
    later = contract.partition("Problem codes that nothing raises yet:")[2]
    waiting = set(re.findall(r"`([a-z-]+)`", later))
    raised = {code: str(kind.status) for code, kind in Refusal.named.items()}

    assert {code: status for code, status in promised.items() if code not in waiting} == raised
    assert not waiting & raised.keys()
