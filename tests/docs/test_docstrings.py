"""Who opens a file is told what it is for."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "phiomia"
MODULES = sorted(SOURCE.rglob("*.py"))


_Named = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def _name(path: Path) -> str:
    return str(path.relative_to(SOURCE))


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_module_and_all_that_is_public_in_it(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    assert ast.get_docstring(tree), "the module has no docstring"
    assert [f"{node.lineno}: {node.name}" for node in _public(tree) if not ast.get_docstring(node)] == []


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
