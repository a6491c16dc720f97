"""Who opens a file is told what it is for."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "phiomia"

_Named = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def test_every_module_and_all_that_is_public_in_it() -> None:
    modules = sorted(SOURCE.rglob("*.py"))
    assert len(modules) > 500
    # One test for all: as many tests would take longer than what they do.
    assert [fault for path in modules for fault in _faults(path)] == []


def _faults(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text("utf-8"))
    if not ast.get_docstring(tree):
        yield f"{path.relative_to(SOURCE)}: the module has no docstring"
    for node in _public(tree):
        if not ast.get_docstring(node):
            yield f"{path.relative_to(SOURCE)}:{node.lineno}: {node.name}"


def _public(tree: ast.Module) -> Iterator[_Named]:
    # A migration has no caller to tell anything; its module's docstring says what it does.
    silent = ("upgrade", "downgrade") if "revision" in _assigned(tree) else ()
    for node in tree.body:
        if isinstance(node, _Named) and not node.name.startswith("_") and node.name not in silent:
            yield node


def _assigned(tree: ast.Module) -> set[str]:
    return {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
