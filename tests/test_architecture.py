"""The rules a newcomer would have to be told: who imports whom, and how much there is to read."""

from __future__ import annotations

import ast
import io
import re
import statistics
import tokenize
from functools import cache
from pathlib import Path

import pytest

from tests import density

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "taskapp"
MODULES = sorted(PACKAGE.rglob("*.py"))
FACTORY = PACKAGE / "__init__.py"  # it knows all, and nobody knows it
# Each room imports from those above it in this list only, and from none of its own line.
LAYERS = (
    {"schema", "caller", "errors", "marks"},
    {"extensions"},
    {"database"},
    {"web", "ledger"},
    {"mail"},
    {"tasks"},
    {"users"},
    {"personal_tokens", "projects", "comments", "attachments", "sync", "reports"},
    {"exchange", "mcp", "webhooks"},
    {"courier"},
    {"auth"},
    {"ops"},
    {"server"},
)
FEATURES = {
    *("auth", "personal_tokens", "users", "projects", "tasks", "comments", "attachments"),
    *("sync", "reports", "exchange"),
}
# What a feature shows to other features: its use cases, its doors, and what it looks like.
OPEN_TO_OTHERS = {"service", "access", "models", "schemas", "passwords", "query"}
OPEN_TO_OTHERS |= {"credentials", "throttle"}
OPEN_TO_OTHERS |= {"bulk", "calendar", "leaving", "due", "reminders", "recurrence"}
# Expression nodes per statement (see density.py): on the mean of a folder, and of one statement.
MEAN_NODES, MOST_NODES = 6.5, 25
MAY_NOT_IMPORT = {
    "models": {"flask", "marshmallow", "taskapp.errors", "taskapp.web"},
    "schemas": {"flask", "taskapp.errors", "taskapp.web.contract"},
    "service": {"flask", "marshmallow", "werkzeug", "taskapp.web.contract"},
    "access": {"flask", "marshmallow", "werkzeug"},
    "query": {"flask", "marshmallow"},
}
# A write is committed in one place. A reused refresh token ends its session although the request
# is refused, a ticket stays, and a wrong code counts; a demo is filled in many transactions, and
# the old is deleted in batches.
MAY_COMMIT = {"database/session.py", "auth/service.py", "auth/second_factor.py"}
MAY_COMMIT |= {"ops/seed.py", "ops/purge.py"}
# TASKAPP_PASSWORD belongs to a command, not to the service's settings.
READS_THE_ENVIRONMENT = {"config.py", "wsgi.py", "gunicorn.conf.py", "cli.py", "metrics_files.py"}
READS_THE_ENVIRONMENT |= {"worker.py"}  # SCRIPT_NAME, which gunicorn would take from there


def path_of(module: Path) -> str:
    return str(module.relative_to(PACKAGE))


@cache
def tree_of(module: Path) -> ast.Module:
    return ast.parse(module.read_text(encoding="utf-8"))


@cache
def imports(module: Path) -> frozenset[str]:
    """Every module that this one imports, at its top or inside a function."""
    names: set[str] = set()
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            submodules = {name for name in inside if file_of(name) is not None}
            names |= submodules or {node.module}
    return frozenset(names)


def file_of(name: str) -> Path | None:
    if not name.startswith("taskapp"):
        return None
    path = ROOT / name.replace(".", "/")
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.exists():
            return candidate
    return None


def code_lines(module: Path) -> int:
    """Lines with code on them: no blanks, comments or docstrings."""
    text, skipped, lines = module.read_text(encoding="utf-8"), set[int](), set[int]()
    for node in ast.walk(ast.parse(text)):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            first = body[0]
            if isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
                skipped |= set(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    quiet = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in quiet | {tokenize.ENDMARKER}:
            lines |= set(range(token.start[0], token.end[0] + 1))
    return len(lines - skipped)


def function_lengths() -> list[int]:
    lengths = []
    for module in MODULES:
        for node in ast.walk(tree_of(module)):
            if isinstance(node, ast.FunctionDef):
                first = node.body[0]
                documented = ast.get_docstring(node) is not None
                start = (first.end_lineno or 0) + 1 if documented else first.lineno
                lengths.append(max(1, (node.end_lineno or 0) - start + 1))
    return sorted(lengths)


@pytest.mark.parametrize("module", MODULES, ids=path_of)
def test_imports_point_inward(module: Path) -> None:
    forbidden = MAY_NOT_IMPORT.get(module.stem, set())
    hits = {
        name
        for name in imports(module)
        if any(name == root or name.startswith(f"{root}.") for root in forbidden)
    }

    assert not hits


def room_of(module: Path) -> str:
    """The folder of a module, or its own name where it stands on the ground."""
    return path_of(module).partition("/")[0].removesuffix(".py")


@pytest.mark.parametrize("module", [m for m in MODULES if m != FACTORY], ids=path_of)
def test_rooms_import_downward_only(module: Path) -> None:
    home = room_of(module)
    level = next(level for level, rooms in enumerate(LAYERS) if home in rooms)
    below = {"taskapp", *set().union(*LAYERS[:level]), home}
    rooms = {name.split(".")[1] for name in imports(module) if name.startswith("taskapp.")}

    assert rooms <= below


@pytest.mark.parametrize("module", MODULES, ids=path_of)
def test_features_meet_only_at_their_doors(module: Path) -> None:
    home = room_of(module)
    if home not in FEATURES:
        return
    parts = [name.split(".") for name in imports(module) if name.startswith("taskapp.")]
    foreign = {
        ".".join(path)
        for path in parts
        if path[1] in FEATURES - {home} and path[2] not in OPEN_TO_OTHERS
    }

    assert not foreign


@pytest.mark.parametrize("module", MODULES, ids=path_of)
def test_nothing_imports_benchmarks_or_the_lab(module: Path) -> None:
    assert not {name for name in imports(module) if name.split(".")[0] in {"bench", "lab", "tests"}}


@pytest.mark.parametrize("module", MODULES, ids=path_of)
def test_a_write_is_committed_in_one_place(module: Path) -> None:
    commits = "session.commit(" in module.read_text(encoding="utf-8")

    assert not commits or path_of(module) in MAY_COMMIT


@pytest.mark.parametrize("module", [*MODULES, *ROOT.glob("*.py")], ids=lambda path: path.name)
def test_only_the_configuration_reads_the_environment(module: Path) -> None:
    reads = "environ[" in (text := module.read_text(encoding="utf-8")) or "os.environ" in text

    assert not reads or module.name in READS_THE_ENVIRONMENT or "request.environ" in text


@pytest.mark.parametrize(
    "module", [module for module in MODULES if module.name.endswith("routes.py")], ids=path_of
)
def test_a_view_is_one_call(module: Path) -> None:
    for node in tree_of(module).body:
        if isinstance(node, ast.FunctionDef):
            statements = [part for part in node.body if not isinstance(part, ast.Expr)]
            assert len(node.body) - (ast.get_docstring(node) is not None) <= 3
            assert ast.get_docstring(node), f"{node.name} says nothing of itself"
            assert len(statements) <= 3


def test_imports_have_no_circle() -> None:
    @cache
    def visit(module: Path, above: tuple[Path, ...] = ()) -> None:
        assert module not in above, f"circle: {[path_of(m) for m in (*above, module)]}"
        for path in {file_of(name) for name in imports(module)} - {None, FACTORY, module}:
            assert path is not None
            visit(path, (*above, module))

    for module in MODULES:
        visit(module)


def folder_of(module: Path) -> str:
    """The folder of a module; the modules on the ground are one."""
    return module.parent.name


FOLDERS = sorted({folder_of(module) for module in MODULES})


@cache
def statements_of(folder: str) -> list[density.Statement]:
    modules = [module for module in MODULES if folder_of(module) == folder]
    return [statement for module in modules for statement in density.statements(module)]


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_statement_holds_one_idea(folder: str) -> None:
    mean = statistics.mean(statement.nodes for statement in statements_of(folder))

    assert mean <= MEAN_NODES, f"{mean:.2f} nodes per statement"


@pytest.mark.parametrize("folder", FOLDERS)
def test_what_is_dense_is_a_declaration(folder: str) -> None:
    dense = [
        f"{path_of(each.file)}:{each.line} has {each.nodes} nodes"
        for each in statements_of(folder)
        if each.nodes > MOST_NODES and not each.declares
    ]
    loops = [each for each in statements_of(folder) if each.loops_twice]

    assert dense == []
    assert [f"{path_of(each.file)}:{each.line} loops twice" for each in loops] == []


def test_a_module_can_be_read_in_one_sitting() -> None:
    lines = {path_of(module): code_lines(module) for module in MODULES}

    assert {name: count for name, count in lines.items() if count > 250} == {}


def test_functions_are_short() -> None:
    lengths = function_lengths()

    assert statistics.median(lengths) <= 8
    assert lengths[int(len(lengths) * 0.95)] <= 20
    assert lengths[-1] <= 40


def test_there_are_enough_tests_and_not_too_many() -> None:
    code = sum(code_lines(module) for module in MODULES)
    tests = sum(code_lines(module) for module in (ROOT / "tests").rglob("*.py"))

    assert 1.2 <= tests / code <= 2


PINNED = re.compile(r"^([a-z0-9._-]+)==", re.MULTILINE)
PINS = sorted([*ROOT.glob("requirements-*.txt"), *ROOT.glob("client/requirements-*.txt")])


@pytest.mark.parametrize("path", PINS, ids=lambda path: path.name)
def test_each_environment_that_runs_the_service_has_all_that_it_runs_on(path: Path) -> None:
    """A package that came into one file alone: there the service does not even start."""
    of_service = set(PINNED.findall((ROOT / "requirements.txt").read_text()))
    asked = path.with_suffix(".in").read_text()
    if re.search(r"^-r \S*requirements(-lab)?\.in", asked, re.MULTILINE):
        assert of_service - set(PINNED.findall(path.read_text())) == set()
