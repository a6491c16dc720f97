"""What a role consists of: its entry point, all modules that this imports, their templates, and the locked libraries.

When its hash is the one of the last release, the role's processes need nothing. Imports within functions count too;
of the entry module itself only what the entry point reaches does, because all three roles start there.
"""

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

ENTRIES = {"web": "run_web", "workers": "run_worker", "streaming": "run_streaming_role"}
_ENTRY_MODULE = "phiomia.app"
_PACKAGE = "phiomia"
# Modules that are named in a text, and packages that are imported whole.
_NAMED = re.compile(rf"{_PACKAGE}(?:\.\w+)+")
_WHOLE = re.compile(r"iter_modules\(([\w.]+)\.__path__")

# Every release changes its number; that alone is no reason to start anything again.
_OWN_VERSION = re.compile(rb"^__version__ = .*$", re.MULTILINE)
_LOCKED_VERSION = re.compile(rb'(?<=^name = "phiomia"\n)version = .*$', re.MULTILINE)


def hash_roles(root: Path) -> dict[str, str]:
    """One hash for each role of the checkout."""
    return {role: hash_role(root, entry) for role, entry in ENTRIES.items()}


def hash_role(root: Path, entry: str) -> str:
    """The hash of all that one entry point of `app.py` can load."""
    sources = _Sources(root / "src")
    digest = hashlib.sha256()
    start, wanted = sources.read_entry(entry)
    digest.update(start.encode())
    for path in sorted(sources.files_of(sources.follow(wanted))):
        digest.update(f"\0{path.relative_to(root)}\0".encode())
        digest.update(_OWN_VERSION.sub(b"", path.read_bytes()))
    lock = root / "uv.lock"
    digest.update(b"\0" + (_LOCKED_VERSION.sub(b"", lock.read_bytes()) if lock.exists() else b""))
    return digest.hexdigest()


class _Sources:
    """The modules below `src/`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read_entry(self, entry: str) -> tuple[str, set[str]]:
        """The source that the entry point reaches within its module, and the modules which that imports."""
        path = self._path(_ENTRY_MODULE)
        tree = ast.parse(path.read_text("utf-8")) if path else ast.Module([], [])
        functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        nodes: list[ast.stmt] = [node for node in tree.body if node not in functions.values()]
        reached, waiting = set[str](), [entry]
        while waiting:
            name = waiting.pop()
            if name in reached or name not in functions:
                continue
            reached.add(name)
            nodes.append(functions[name])
            waiting += [one.id for one in ast.walk(functions[name]) if isinstance(one, ast.Name)]
        source = "\n".join(ast.unparse(node) for node in nodes)
        # The list of modules to load beforehand names those of all roles: its texts are no imports here.
        return source, {name for node in nodes for name in self._imports(node, _ENTRY_MODULE, is_package=False)}

    def follow(self, wanted: Iterable[str]) -> set[str]:
        """These modules and all that they import, at whatever depth."""
        found: set[str] = set()
        waiting = list(wanted)
        while waiting:
            module = waiting.pop()
            path = self._path(module)
            if path is None or module in found or module == _ENTRY_MODULE:
                continue
            found.add(module)
            text = path.read_text("utf-8")
            tree = ast.parse(text)
            waiting += self._imports(tree, module, is_package=path.name == "__init__.py")
            waiting += [name for node in ast.walk(tree) for name in _named(node)]
            for package in _WHOLE.findall(text):
                waiting += self._members(package)
            if "." in module:
                waiting.append(module.rpartition(".")[0])
        return found

    def files_of(self, modules: Iterable[str]) -> set[Path]:
        """Their files, and what lies beside them and is no Python."""
        files = set()
        for module in modules:
            path = self._path(module)
            if path is None:
                continue
            files.add(path)
            if path.name == "__init__.py":
                files |= set(self._beside(path.parent))
        return files

    def _beside(self, folder: Path) -> Iterator[Path]:
        for path in folder.iterdir():
            if path.is_dir() and path.name != "__pycache__" and not (path / "__init__.py").exists():
                yield from (inner for inner in path.rglob("*") if inner.is_file() and inner.suffix != ".pyc")
            elif path.is_file() and path.suffix not in (".py", ".pyc"):
                yield path

    def _imports(self, tree: ast.AST, module: str, *, is_package: bool) -> Iterator[str]:
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                if node.level:
                    parents = module.split(".") if is_package else module.split(".")[:-1]
                    parents = parents[: len(parents) - node.level + 1]
                    base = ".".join([*parents, *([base] if base else [])])
                yield base
                yield from (f"{base}.{alias.name}" for alias in node.names)

    def _members(self, package: str) -> list[str]:
        path = self._path(package)
        if path is None:
            return []
        return [f"{package}.{one.stem}" for one in path.parent.glob("*.py")]

    def _path(self, module: str) -> Path | None:
        if module.partition(".")[0] != _PACKAGE:
            return None
        base = self._folder.joinpath(*module.split("."))
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if path.is_file():
                return path
        return None


def _named(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value] if _NAMED.fullmatch(node.value) else []
    return []
