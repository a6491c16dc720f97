"""A statement, written once in SQLAlchemy Core and compiled once for each database.

Parameters are named (`P("viewer")`) and given at execution. Constants are rendered into the SQL, so
that partial indexes match. An UPDATE of a table with a `rev` column, and ON CONFLICT DO UPDATE, raise it
by themselves: a write that forgot to would leave stale fragments in every cache.
"""

from __future__ import annotations

import gc
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, ClassVar

from phiomia.platform.db.compiled import Compiled
from phiomia.platform.db.kept_statements import KeptStatements

if TYPE_CHECKING:
    from phiomia.platform.db.compiling import Source

_COLLECT_EVERY = 20

# A parameter, or a colon that begins none.
_NAMED = re.compile(r"(?<![:\w\\]):(\w+)(?![:\w])|\\(:)")


class Query:
    """One statement for both databases.

    `statement` is a Core statement, or a function that gets the dialect's `insert` (for ON CONFLICT).
    `Query.raw(sqlite=…, postgresql=…)` takes SQL by hand with `:name` parameters, where a planner needs it.
    """

    __slots__ = ("_raw", "_source", "postgresql", "sqlite")
    _database: ClassVar[str] = ""
    _kept: ClassVar[KeptStatements]
    _waiting: ClassVar[list[tuple[Query, str]]] = []
    _loaded: ClassVar[int] = 0

    def __init__(self, statement: Source) -> None:
        self._source: Source | None = statement
        self._raw: Mapping[str, str] = {}
        self.sqlite: Compiled | None = None
        self.postgresql: Compiled | None = None
        if self._database:
            self._keep_text_only(sys._getframe(1))

    @classmethod
    def raw(cls, *, sqlite: str, postgresql: str | None = None) -> Query:
        """A statement in hand-written SQL; lists are given as `:names` that end in `_list`."""
        query = cls.__new__(cls)
        query._source = None
        query._raw = {"sqlite": sqlite, "postgresql": postgresql or sqlite}
        query.sqlite = query.postgresql = None
        if cls._database:
            query._keep_text_only(sys._getframe(1))
        return query

    def for_sqlite(self) -> Compiled:
        """The statement as apsw takes it."""
        if self.sqlite is None:
            self.sqlite = self._compile("sqlite")
        return self.sqlite

    def for_postgresql(self) -> Compiled:
        """The statement as asyncpg takes it."""
        if self.postgresql is None:
            self.postgresql = self._compile("postgresql")
        return self.postgresql

    def _keep_text_only(self, made_in: FrameType) -> None:
        key = self._kept.find_key(made_in)
        compiled = self._kept.get(key)
        if compiled is None and _is_function(self._source):
            # The function may name what its module defines further down.
            self._waiting.append((self, key))
            return
        if compiled is None:
            self._compile_to_keep(key)
        elif self._database == "sqlite":
            self.sqlite = compiled
        else:
            self.postgresql = compiled
        self._source = None
        Query._loaded += 1
        if Query._loaded % _COLLECT_EVERY == 0:
            # What a statement was made from refers to itself. Left for long, it scatters what stays over the memory.
            gc.collect()
            gc.freeze()

    def _compile_to_keep(self, key: str) -> None:
        self._kept.add(key, self.for_sqlite() if self._database == "sqlite" else self.for_postgresql())

    def _compile(self, database: str) -> Compiled:
        if self._raw:
            return _compile_raw(self._raw[database], "?" if database == "sqlite" else "$")
        from phiomia.platform.db.compiling import compile_source  # what is written by hand, or kept, does without it

        assert self._source is not None
        return compile_source(self._source, database)


@contextmanager
def compiled_when_made(database: str) -> Iterator[KeptStatements]:
    """Statements made inside are compiled for that database (`sqlite`, `postgresql`), and for no other.

    For a process that loads everything and is copied: what a statement was made from takes far more memory than its
    text, and each of the copies would compile it anew.
    """
    # Collecting by itself would look again and again through what stays; `_keep_text_only` does it where it is of use.
    gc.disable()
    Query._database = database
    Query._kept = kept = KeptStatements(database)
    gc.freeze()
    try:
        yield kept
        for query, key in Query._waiting:
            query._compile_to_keep(key)
            query._source = None
        kept.save()
    finally:
        gc.enable()
        Query._database = ""
        del Query._kept
        Query._waiting.clear()


def _is_function(source: Source | None) -> bool:
    if not callable(source):
        return False
    from sqlalchemy.sql.expression import ClauseElement

    return not isinstance(source, ClauseElement)


def _compile_raw(sql: str, mark: str) -> Compiled:
    names: list[str] = []

    def number(found: re.Match[str]) -> str:
        name = found[1]
        if name is None:
            return ":"
        if name not in names:
            names.append(name)
        return f"{mark}{names.index(name) + 1}"

    compiled = _NAMED.sub(number, sql)
    return Compiled(compiled, tuple(names), frozenset(name for name in names if name.endswith("_list")))
