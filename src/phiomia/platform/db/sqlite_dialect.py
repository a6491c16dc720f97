"""How a statement is put into words for SQLite."""

from typing import Any

from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.engine import Dialect

insert = sqlite.insert


class _Compiler(SQLiteCompiler):
    """SQLite's compiler adds a bound OFFSET 0 to every LIMIT; ours has none."""

    def limit_clause(self, select: Any, **kw: Any) -> str:
        text = ""
        if select._limit_clause is not None:
            text += "\n LIMIT " + self.process(select._limit_clause, **kw)
        if select._offset_clause is not None:
            text += " OFFSET " + self.process(select._offset_clause, **kw)
        return text


DIALECT: Dialect = sqlite.dialect(paramstyle="qmark")
DIALECT.statement_compiler = _Compiler
DIALECT.supports_native_boolean = True  # else "x IN (…)" becomes "x IN (…) = 1", which no index serves
