"""The SQL of a release's statements, kept beside its bytecode, so that only the first start makes it.

Making it takes seconds of processor time and leaves the memory scattered. A statement is known by the place in the
code that makes it; all are given up as soon as any source of the package, SQLAlchemy or Python is another. Like
bytecode it is only written where that may be: a start without it is slower, nothing else.
"""

import hashlib
import importlib.util
import logging
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import msgspec

from phiomia.platform.db.compiled import Compiled

_PACKAGE = Path(__file__).parents[2]
_NOT_LOADED = {"__pycache__", "migrations"}
_log = logging.getLogger(__name__)


class _File(msgspec.Struct, array_like=True, frozen=True):
    sources: str
    statements: dict[str, Compiled]


class KeptStatements:
    """What is kept of one database's statements."""

    def __init__(self, database: str, folder: Path | None = None) -> None:
        """Reads what is there; `folder` is the package's own cache of bytecode unless told otherwise."""
        cached = Path(importlib.util.cache_from_source(str(_PACKAGE / f"statements-{database}.py")))
        self._path = (folder or cached.parent) / cached.with_suffix(".msgpack").name
        self._sources = hash_sources(_PACKAGE)
        self._statements = self._read()
        self._made: dict[str, Compiled] = {}
        self._times: Counter[str] = Counter()
        self.is_new = False  # nothing was kept before, and now it is

    def find_key(self, frame: FrameType) -> str:
        """Names the statement that is being made in this frame: the way to it from its module, and a number."""
        way = _find_way(frame)
        self._times[way] += 1
        return f"{way} {self._times[way]}"

    def get(self, key: str) -> Compiled | None:
        """What is kept under a key."""
        return self._statements.get(key)

    def add(self, key: str, compiled: Compiled) -> None:
        """To be kept from now on."""
        self._made[key] = compiled

    def save(self) -> None:
        """Writes down what has been added, if anything."""
        if not self._made or sys.dont_write_bytecode:
            return
        # Another process may have saved what it loads beside us.
        content = msgspec.msgpack.encode(_File(self._sources, self._read() | self._made))
        try:
            self._path.parent.mkdir(exist_ok=True)
            _replace(self._path, content)
            self.is_new = not self._statements
        except OSError as error:
            _log.debug("statements are not kept: %s", error)

    def _read(self) -> dict[str, Compiled]:
        try:
            file = msgspec.msgpack.decode(self._path.read_bytes(), type=_File)
        except (OSError, msgspec.MsgspecError):
            return {}
        return file.statements if file.sources == self._sources else {}


def hash_sources(package: Path) -> str:
    """Changes with whatever statements are made from: the sources of a package, SQLAlchemy and Python."""
    import sqlalchemy  # which need not be loaded where nothing is made

    digest = hashlib.blake2b(f"{sys.version} {sqlalchemy.__version__}".encode(), digest_size=16)
    for path in _list_sources(package):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(package)} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def _list_sources(folder: Path) -> Iterator[Path]:
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_dir():
            if entry.name not in _NOT_LOADED:
                yield from _list_sources(Path(entry.path))
        elif entry.name.endswith(".py"):
            yield Path(entry.path)


def _find_way(frame: FrameType) -> str:
    way: list[str] = []
    at: FrameType | None = frame
    while at is not None and at.f_code.co_name != "<module>":
        way.append(f"{at.f_code.co_name}:{at.f_lineno}")
        at = at.f_back
    if at is not None:
        way.append(f"{at.f_globals['__name__']}:{at.f_lineno}")
    return " ".join(reversed(way))


def _replace(path: Path, content: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f"{path.name}.", delete=False) as file:
        try:
            os.fchmod(file.fileno(), 0o644)  # who builds a release is not always who runs it
            file.write(content)
            file.close()
            os.replace(file.name, path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
