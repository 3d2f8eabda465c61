"""How dense is the code? Expression nodes per statement.

A statement's nodes are the expressions, comprehensions and keywords that belong to it and not to a
statement inside it. Annotations, imports and docstrings do not count, so the measure does not move
when a line is folded or unfolded. Flask, Starlette, httpx and their like have 5.0 to 6.4.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
COUNTED = (ast.expr, ast.comprehension, ast.keyword)
INNER = (ast.stmt, ast.ExceptHandler, ast.match_case)
UNCOUNTED = (ast.Import, ast.ImportFrom, ast.Pass)


class Statement(NamedTuple):
    """Where a statement stands, how many nodes it has, and whether a comprehension loops twice."""

    file: Path
    line: int
    nodes: int
    declares: bool  # a constant, a schema's field, a column: read as a table, and not as a step
    loops_twice: bool


class _WithoutAnnotations(ast.NodeTransformer):
    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        node.returns = None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        if node.value is None:
            return ast.copy_location(ast.Pass(), node)
        assigned = ast.Assign([node.target], node.value)
        return ast.copy_location(self.generic_visit(assigned), node)


def statements(file: Path) -> Iterator[Statement]:
    """Each statement of a module."""
    tree = _WithoutAnnotations().visit(ast.parse(file.read_text(encoding="utf-8")))
    declarations = set(_declarations(tree))
    for node in ast.walk(tree):
        if not isinstance(node, ast.stmt) or isinstance(node, UNCOUNTED):
            continue
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        nodes = _nodes_of(node)
        if nodes:
            loops = [each for each in nodes if isinstance(each, COMPREHENSIONS)]
            twice = any(len(loop.generators) > 1 for loop in loops)
            yield Statement(file, node.lineno, len(nodes), node in declarations, twice)


def _declarations(tree: ast.Module) -> Iterator[ast.stmt]:
    """Assignments of modules and classes, and the signatures and decorators of functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef):
            yield from (part for part in node.body if isinstance(part, ast.Assign | ast.AugAssign))
        if isinstance(node, ast.FunctionDef):
            yield node


def _nodes_of(statement: ast.stmt) -> list[ast.AST]:
    nodes: list[ast.AST] = []
    waiting = list(ast.iter_child_nodes(statement))
    while waiting:
        node = waiting.pop()
        if isinstance(node, INNER):
            continue
        if isinstance(node, COUNTED):
            nodes.append(node)
        waiting += ast.iter_child_nodes(node)
    return nodes
