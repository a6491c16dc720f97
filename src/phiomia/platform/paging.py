"""Pages of a list that is ordered by an id: what a client asks for, and the two statements that answer it.

    _FOLLOWERS = Paged(select(follows.c.id, follows.c.account_id).where(...), follows.c.id)
    rows = await _FOLLOWERS.views(session, Entry, page, account=account_id)

Bounds are exclusive and always present in the SQL, with the ends of the range of ids in place of what was not
asked for: so each list needs two statements, not one for every combination.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Select

from phiomia.platform.db import P, Query, ReadSession
from phiomia.platform.db.session import Row

T = TypeVar("T")
HIGHEST_ID = 2**63 - 1


class Page(NamedTuple):
    """Which part of a list: below `max_id`, above `since_id`, or the nearest ones above `min_id`."""

    max_id: int | None = None
    since_id: int | None = None
    min_id: int | None = None
    limit: int = 40

    @property
    def upwards(self) -> bool:
        """Whether the page holds the entries nearest above its lower bound, rather than the newest ones."""
        return self.min_id is not None

    def bounds(self) -> dict[str, int]:
        """The parameters of a paged statement; numbers that are no ids are moved to the nearest end."""
        above = max(0, self.since_id or 0, self.min_id or 0)
        below = HIGHEST_ID if self.max_id is None else self.max_id
        return {
            "page_above": min(above, HIGHEST_ID),
            "page_below": min(max(below, 0), HIGHEST_ID),
            "page_limit": max(self.limit, 0),
        }


class Paged:
    """A statement compiled once for each direction. Entries always come newest first."""

    __slots__ = ("_nearest", "_newest")

    def __init__(self, statement: Select[Any], column: ColumnElement[int]) -> None:
        # Made when they are asked: a start makes none of those whose SQL is kept.
        self._newest = Query(lambda _insert: _bounded(statement, column).order_by(column.desc()))
        self._nearest = Query(lambda _insert: _bounded(statement, column).order_by(column.asc()))

    async def rows(self, session: ReadSession, page: Page, **parameters: Any) -> list[Row]:
        """The rows of the page, newest first."""
        query = self._nearest if page.upwards else self._newest
        rows = list(await session.all(query, **page.bounds(), **parameters))
        if page.upwards:
            rows.reverse()
        return rows

    async def views(self, session: ReadSession, kind: Callable[..., T], page: Page, **parameters: Any) -> list[T]:
        """`kind(*row)` for the rows of the page, newest first."""
        return [kind(*row) for row in await self.rows(session, page, **parameters)]


def _bounded(statement: Select[Any], column: ColumnElement[int]) -> Select[Any]:
    return statement.where(column < P("page_below"), column > P("page_above")).limit(P("page_limit"))
