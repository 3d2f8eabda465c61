"""The rules a newcomer would have to be told: who imports whom, and how much there is to read."""

from __future__ import annotations

import ast
import io
import statistics
import tokenize
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "taskapp"
MODULES = sorted(PACKAGE.rglob("*.py"))
FEATURES = {"auth", "personal_tokens", "users", "projects", "tasks", "comments", "attachments"}
OPEN_TO_OTHERS = {"service", "access", "guard", "passwords"}
FIRST_AFTERNOON = {f"tasks/{name}.py" for name in ("models", "schemas", "service", "routes")}
MAY_NOT_IMPORT = {
    "models": {"flask", "marshmallow", "taskapp.errors", "taskapp.contract"},
    "schemas": {"flask", "taskapp.errors", "taskapp.contract"},
    "service": {"flask", "marshmallow", "werkzeug", "taskapp.contract", "taskapp.conditional"},
    "access": {"flask", "marshmallow", "werkzeug"},
    "extensions": {"taskapp"},
    "query": {"flask", "marshmallow"},
}
# A demo is filled in many transactions: one each would take an hour. The answer to a request with
# an Idempotency-Key is stored in the transaction of its effect. The old goes in batches.
MAY_COMMIT = {"service.py", "seed.py", "idempotency.py", "purge.py"}
# TASKAPP_PASSWORD belongs to a command, not to the service's settings.
READS_THE_ENVIRONMENT = {"config.py", "wsgi.py", "gunicorn.conf.py", "cli.py"}


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


@pytest.mark.parametrize("module", MODULES, ids=path_of)
def test_features_meet_only_at_their_doors(module: Path) -> None:
    home = path_of(module).partition("/")[0]
    if home not in FEATURES:
        return
    foreign = {
        name
        for name in imports(module)
        if (parts := name.split("."))[0] == "taskapp"
        and len(parts) > 2
        and parts[1] in FEATURES - {home}
        and parts[2] not in OPEN_TO_OTHERS
    }
    # A registered user is shown as every user is.
    allowed = {"taskapp.users.schemas"} if path_of(module) == "auth/routes.py" else set()

    assert foreign <= allowed


@pytest.mark.parametrize("module", MODULES, ids=path_of)
def test_nothing_imports_benchmarks_or_the_lab(module: Path) -> None:
    assert not {name for name in imports(module) if name.split(".")[0] in {"bench", "lab", "tests"}}


@pytest.mark.parametrize("module", MODULES, ids=path_of)
def test_only_services_commit(module: Path) -> None:
    commits = "session.commit(" in module.read_text(encoding="utf-8")

    assert not commits or module.name in MAY_COMMIT


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


def test_imports_have_no_circle_and_no_long_chain() -> None:
    factory = PACKAGE / "__init__.py"  # it knows all, and nobody knows it

    @cache
    def depth(module: Path, above: tuple[Path, ...] = ()) -> int:
        assert module not in above, f"circle: {[path_of(m) for m in (*above, module)]}"
        inner = {file_of(name) for name in imports(module)} - {None, factory, module}
        return 1 + max((depth(path, (*above, module)) for path in inner if path), default=-1)

    longest = {path_of(module): depth(module) for module in MODULES if module != factory}

    assert {name: steps for name, steps in longest.items() if steps > 6} == {}


def test_the_package_can_be_read_in_days_and_its_heart_in_an_afternoon() -> None:
    lines = {path_of(module): code_lines(module) for module in MODULES}
    heart = {
        name: count
        for name, count in lines.items()
        if "/" not in name or name.startswith("auth/") or name in FIRST_AFTERNOON
    }

    # The design set 3,000 for all; docs/decisions.md says why it is more, and what would mend it.
    operations = sum(count for name, count in lines.items() if name.startswith("ops/"))
    assert operations <= 1200
    assert sum(lines.values()) - operations <= 3330
    assert sum(heart.values()) <= 1500
    assert {name: count for name, count in lines.items() if count > 200} == {}


def test_functions_are_short() -> None:
    lengths = function_lengths()

    assert statistics.median(lengths) <= 8
    assert lengths[int(len(lengths) * 0.95)] <= 20
    assert lengths[-1] <= 40


def test_there_are_enough_tests_and_not_too_many() -> None:
    code = sum(code_lines(module) for module in MODULES)
    tests = sum(code_lines(module) for module in (ROOT / "tests").rglob("*.py"))

    assert 1.2 <= tests / code <= 2
