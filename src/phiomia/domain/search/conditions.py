"""Conditions that searches share."""

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, and_, or_, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import functions

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.users.models import users


class matches(functions.GenericFunction[bool]):
    """`matches(table.c.body, P("match", str))`: the index's own condition, in the language of `words.write_match`."""

    name = "matches"
    inherit_cache = True


@compiles(matches, "sqlite")
def _matches_sqlite(element: matches, compiler: Any, **kw: Any) -> str:
    body, match = element.clauses
    return f"{compiler.process(body, **kw)} MATCH {compiler.process(match, **kw)}"


@compiles(matches, "postgresql")
def _matches_postgresql(element: matches, compiler: Any, **kw: Any) -> str:
    body, match = element.clauses
    return f"{compiler.process(body, **kw)} @@ CAST({compiler.process(match, **kw)} AS tsquery)"


class unindexed(functions.GenericFunction[int]):
    """`unindexed(table.c.rowid)`: the column as it is, in a condition that PostgreSQL is not to use an index for.

    Bounds usually let everything through. PostgreSQL, which plans without knowing them, would read the whole range;
    FTS5 needs them to begin in the right place.
    """

    type = BigInteger()
    name = "unindexed"
    inherit_cache = True


@compiles(unindexed, "sqlite")
def _unindexed_sqlite(element: unindexed, compiler: Any, **kw: Any) -> str:
    return str(compiler.process(*element.clauses, **kw))


@compiles(unindexed, "postgresql")
def _unindexed_postgresql(element: unindexed, compiler: Any, **kw: Any) -> str:
    return f"({compiler.process(*element.clauses, **kw)} + 0)"


def is_shown() -> ColumnElement[bool]:
    """An account may be found."""
    waiting = select(users.c.id).where(
        users.c.account_id == accounts.c.id, or_(users.c.confirmed_at.is_(None), users.c.approved_at.is_(None))
    )
    return and_(
        accounts.c.state != AccountState.SUSPENDED,
        accounts.c.moved_to_id.is_(None),
        ~waiting.correlate(accounts).exists(),
    )
