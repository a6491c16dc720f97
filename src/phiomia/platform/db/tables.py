"""The one MetaData, and the column types that both databases share.

Moments are integers (milliseconds since the epoch), ids 64-bit integers, small sets small integers:
so rows need no conversion on either driver.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, MetaData, SmallInteger, Text
from sqlalchemy import text as sql_text
from sqlalchemy.sql.elements import TextClause

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class PartialIndex(Index):
    """An index of the rows that meet a condition.

    Told at once of options of a database, SQLAlchemy would load the dialect of each, which no process needs.
    """

    def __init__(self, name: str, *columns: str, where: str, unique: bool = False) -> None:
        self._where = sql_text(where)
        super().__init__(name, *columns, unique=unique)

    @cached_property
    def dialect_options(self) -> Any:
        """The condition, in the place where each database looks for it."""
        return Index(self.name, sqlite_where=self._where, postgresql_where=self._where).dialect_options


def id_column(name: str = "id") -> Column[int]:
    """A primary key that the application fills with a snowflake."""
    # SQLite takes a key that is called INTEGER, and no other name, for the row's own number: one search instead of two.
    return Column(name, BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False)


def reference(
    name: str, target: str, *, nullable: bool = False, on_delete: str = "CASCADE", **more: Any
) -> Column[int]:
    """A column that points at another table's row."""
    return Column(name, BigInteger, ForeignKey(target, ondelete=on_delete), nullable=nullable, **more)


def moment(name: str, *, nullable: bool = False) -> Column[int]:
    """Milliseconds since the epoch."""
    return Column(name, BigInteger, nullable=nullable)


def words(name: str, *, nullable: bool = False, default: str | None = "") -> Column[str]:
    """Text; empty rather than absent unless nullable."""
    if nullable:
        return Column(name, Text, nullable=True)
    return Column(name, Text, nullable=False, server_default=None if default is None else default)


def count(name: str) -> Column[int]:
    """A counter that begins at zero."""
    return Column(name, Integer, nullable=False, server_default=sql_text("0"))


def revision() -> Column[int]:
    """The revision that every UPDATE of the row raises (see `statement.py`): caches are keyed by it."""
    return Column("rev", Integer, nullable=False, server_default=sql_text("1"))


def flag(name: str, *, default: bool = False, nullable: bool = False) -> Column[bool]:
    """True or false."""
    if nullable:
        return Column(name, Boolean, nullable=True)
    return Column(name, Boolean, nullable=False, server_default=_truth(default))


def small(name: str, *, default: int = 0) -> Column[int]:
    """A member of a small set."""
    return Column(name, SmallInteger, nullable=False, server_default=sql_text(str(default)))


def _truth(value: bool) -> TextClause:
    return sql_text("true" if value else "false")
