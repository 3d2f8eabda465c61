"""The code of `tasks` reads as that of the service does (tests/density.py)."""

from __future__ import annotations

import ast
import importlib.util
import statistics
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import ROOT

PACKAGE = ROOT / "client/taskapp_client"
FOLDERS = (PACKAGE, PACKAGE / "commands", PACKAGE / "doors")
MODULES = sorted(PACKAGE.rglob("*.py"))
MEAN_NODES, MOST_NODES = 6.5, 25
LONGEST_FUNCTION, USUAL_FUNCTION = 40, 20
LONGEST_MODULE = 250


@pytest.fixture(scope="module")
def density() -> Any:
    spec = importlib.util.spec_from_file_location("density", ROOT / "tests/density.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["density"] = module  # where a NamedTuple looks for its module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_statement_holds_one_idea(density: Any, folder: Path) -> None:
    statements = [each for file in folder.glob("*.py") for each in density.statements(file)]
    # The options of a command are a declaration, and so are tables of constants.
    steps = [each for each in statements if not each.declares]

    assert statistics.mean(each.nodes for each in steps) <= MEAN_NODES
    assert [each for each in steps if each.nodes > MOST_NODES] == []
    assert not any(each.loops_twice for each in statements)


def lengths(file: Path) -> list[int]:
    """How long the functions of a module are, without their decorators and docstrings."""
    functions = [
        node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.FunctionDef)
    ]
    return [_length(node) for node in functions]


def _length(node: ast.FunctionDef) -> int:
    body = node.body[1:] if ast.get_docstring(node) else node.body
    return (node.end_lineno or 0) - body[0].lineno + 1 if body else 1


def test_functions_and_modules_are_short() -> None:
    functions = sorted(length for file in MODULES for length in lengths(file))
    modules = {file.name: len(file.read_text().splitlines()) for file in MODULES}

    assert functions[-1] <= LONGEST_FUNCTION
    assert functions[int(len(functions) * 0.95)] <= USUAL_FUNCTION
    assert {name for name, lines in modules.items() if lines > 1.5 * LONGEST_MODULE} == set()
