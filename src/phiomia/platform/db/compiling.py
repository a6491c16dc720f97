"""Puts a statement of SQLAlchemy Core into the words of a database."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from sqlalchemy import ARRAY, BindParameter, Insert, Table, Update
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import visitors
from sqlalchemy.sql.expression import ClauseElement, Executable

from phiomia.platform.db.compiled import Compiled

# Placeholders, and what is quoted, in which there are none.
_PLACES = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\?""")

Build = Callable[[Callable[[Table], Any]], Executable]
Source = Executable | Build


def compile_source(source: Source, database: str) -> Compiled:
    """The SQL of a statement, or of what a function makes that gets the dialect's `insert`."""
    dialect, insert = _load_dialect(database)
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
    made = Compiled(compiled.string, tuple(names), lists)
    return _number(made) if database == "sqlite" else made


def _load_dialect(database: str) -> tuple[Dialect, Callable[[Table], Any]]:
    if database == "sqlite":
        from phiomia.platform.db import sqlite_dialect  # each process needs one of them only

        return sqlite_dialect.DIALECT, sqlite_dialect.insert
    from phiomia.platform.db import postgresql_dialect

    return postgresql_dialect.DIALECT, postgresql_dialect.insert


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


def _number(compiled: Compiled) -> Compiled:
    """Each parameter once, however often it stands in the text: SQLite then also computes once what is alike."""
    names = list(dict.fromkeys(compiled.names))
    order = iter(compiled.names)
    sql = _PLACES.sub(lambda found: f"?{names.index(next(order)) + 1}" if found[0] == "?" else found[0], compiled.sql)
    return Compiled(sql, tuple(names), compiled.lists)
