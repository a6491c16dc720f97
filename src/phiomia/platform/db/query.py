"""What statements of SQLAlchemy Core are made with: parameters, and the INSERT of a row."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ARRAY, BigInteger, BindParameter, Boolean, Table, Text, bindparam
from sqlalchemy.types import TypeEngine

from phiomia.platform.db.functions import sql_function
from phiomia.platform.db.statement import Query

_TYPES: dict[type, TypeEngine[Any]] = {int: BigInteger(), str: Text(), bool: Boolean()}


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


__all__ = ["P", "Query", "any_of", "column_parameter", "insert_into", "listed"]
