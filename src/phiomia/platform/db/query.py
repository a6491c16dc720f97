"""A statement, written once in SQLAlchemy Core and compiled once for each database.

Parameters are named (`P("viewer")`) and given at execution. Constants are rendered into the SQL, so
that partial indexes match. An UPDATE of a table with a `rev` column, and ON CONFLICT DO UPDATE, raise it
by themselves: a write that forgot to would leave stale fragments in every cache.
"""

from __future__ import annotations

import gc
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import (
    ARRAY,
    BigInteger,
    BindParameter,
    Boolean,
    Insert,
    Integer,
    SmallInteger,
    Table,
    Text,
    Update,
    bindparam,
    text,
)
from sqlalchemy.sql import visitors
from sqlalchemy.sql.expression import ClauseElement, Executable
from sqlalchemy.types import TypeEngine

from phiomia.platform.db.compiled import Compiled
from phiomia.platform.db.functions import sql_function
from phiomia.platform.db.kept_statements import KeptStatements

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

_TYPES: dict[type, TypeEngine[Any]] = {int: BigInteger(), str: Text(), bool: Boolean()}

_COLLECT_EVERY = 20

# Placeholders, and what is quoted, in which there are none.
_PLACES = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\?""")

Build = Callable[[Callable[[Table], Any]], Executable]


def P(name: str, kind: type = int) -> BindParameter[Any]:
    """A named parameter of kind int (64 bits), str or bool."""
    return bindparam(name, type_=_TYPES[kind], value=None, unique=False)


def listed(name: str, kind: type = int) -> BindParameter[Any]:
    """A named parameter that holds a list."""
    return bindparam(name, type_=ARRAY(_TYPES[kind]), value=None, unique=False)


any_of = sql_function(
    "any_of",
    sqlite="{0} IN (SELECT value FROM json_each({1}))",
    postgresql="{0} = ANY({1})",
    kind=Boolean(),
)
"""`any_of(column, listed("ids"))`: the column is in the list. One statement for any length."""


def insert_into(table: Table, *columns: str) -> Query:
    """`INSERT INTO table (columns) VALUES (…)`, each value a parameter of the column's name."""
    return Query(lambda insert: insert(table).values({name: column_parameter(table, name) for name in columns}))


def column_parameter(table: Table, column: str, name: str | None = None) -> BindParameter[Any]:
    """A parameter of the column's type and, unless told otherwise, name."""
    return bindparam(name or column, type_=table.c[column].type, value=None, unique=False)


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

    def __init__(self, statement: Executable | Build) -> None:
        self._source: Executable | Build | None = statement
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
            from phiomia.platform.db import sqlite_dialect  # each process needs one of them, and none for what is kept

            self.sqlite = self._compile(sqlite_dialect.DIALECT, sqlite_dialect.insert)
        return self.sqlite

    def for_postgresql(self) -> Compiled:
        """The statement as asyncpg takes it."""
        if self.postgresql is None:
            from phiomia.platform.db import postgresql_dialect

            self.postgresql = self._compile(postgresql_dialect.DIALECT, postgresql_dialect.insert)
        return self.postgresql

    def _keep_text_only(self, made_in: FrameType) -> None:
        key = self._kept.find_key(made_in)
        compiled = self._kept.get(key)
        if compiled is None and callable(self._source) and not isinstance(self._source, ClauseElement):
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

    def _compile(self, dialect: Dialect, insert: Callable[[Table], Any]) -> Compiled:
        if self._raw:
            return _numbered(_compile_raw(self._raw[dialect.name], dialect), dialect)
        source = self._source
        statement: Any = source(insert) if callable(source) and not isinstance(source, ClauseElement) else source
        statement = _raise_revision(statement)
        statement = visitors.cloned_traverse(statement, {}, {"bindparam": _inline_constant})
        compiled = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        binds: dict[str, BindParameter[Any]] = compiled.binds
        names = list(compiled.positiontup or ())
        unnamed = [name for name in names if binds[name].unique]
        if unnamed:
            raise TypeError(f"parameters without a name in: {compiled.string}")
        lists = frozenset(name for name in names if isinstance(binds[name].type, ARRAY))
        return _numbered(Compiled(compiled.string, tuple(names), lists), dialect)


@contextmanager
def compiled_when_made(database: str) -> Iterator[KeptStatements]:
    """Statements made inside are compiled for that database (`sqlite`, `postgresql`), and for no other.

    For a process that loads everything and is copied: what a statement was made from takes far more memory than its
    text, and each of the copies would compile it anew.
    """
    Query._database = database
    Query._kept = kept = KeptStatements(database)
    try:
        yield kept
        for query, key in Query._waiting:
            query._compile_to_keep(key)
            query._source = None
        kept.save()
    finally:
        Query._database = ""
        del Query._kept
        Query._waiting.clear()


def _inline_constant(bind: BindParameter[Any]) -> None:
    if bind.unique:
        bind.literal_execute = True


def _raise_revision(statement: Any) -> Any:
    if isinstance(statement, Update):
        table = statement.table
        if isinstance(table, Table) and "rev" in table.c:
            return statement.values(rev=table.c.rev + 1)
    if isinstance(statement, Insert) and "rev" in statement.table.c:
        changed = getattr(statement._post_values_clause, "update_values_to_set", None)
        if changed is not None and not {"rev", statement.table.c.rev} & set(changed):
            changed["rev"] = statement.table.c.rev + 1
    return statement


def _numbered(compiled: Compiled, dialect: Dialect) -> Compiled:
    """For SQLite each parameter once, however often it stands in the text: it then also computes once what is alike."""
    if dialect.name != "sqlite":
        return compiled
    names = list(dict.fromkeys(compiled.names))
    order = iter(compiled.names)
    sql = _PLACES.sub(lambda found: f"?{names.index(next(order)) + 1}" if found[0] == "?" else found[0], compiled.sql)
    return Compiled(sql, tuple(names), compiled.lists)


def _compile_raw(sql: str, dialect: Dialect) -> Compiled:
    names = list(dict.fromkeys(re.findall(r"(?<![:\w]):(\w+)", sql)))
    compiled = text(sql).compile(dialect=dialect)
    order = list(compiled.positiontup or ())
    return Compiled(compiled.string, tuple(order), frozenset(name for name in names if name.endswith("_list")))


__all__ = ["Compiled", "Integer", "P", "Query", "SmallInteger", "any_of", "column_parameter", "insert_into", "listed"]
