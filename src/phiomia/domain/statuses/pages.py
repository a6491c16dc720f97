"""A paged list of statuses: its statement compiled for each direction, with and without a viewer."""

from typing import Any

from sqlalchemy import ColumnElement, Select

from phiomia.domain.statuses.queries import feed_rows, page_query
from phiomia.domain.statuses.views import FeedRow
from phiomia.platform.db import P, Query, ReadSession
from phiomia.platform.paging import Page


class FeedPages:
    """Made once for a list from a select of (cursor, id) and the cursor's column."""

    __slots__ = ("_queries",)

    def __init__(self, ids: Select[Any], cursor: ColumnElement[int]) -> None:
        bounded = ids.where(cursor < P("page_below"), cursor > P("page_above")).limit(P("page_limit"))
        newest, nearest = bounded.order_by(cursor.desc()), bounded.order_by(cursor.asc())
        self._queries: dict[tuple[bool, bool], Query] = {
            (upwards, anonymous): page_query(
                nearest if upwards else newest, anonymous=anonymous, without_suspended=True
            )
            for upwards in (False, True)
            for anonymous in (False, True)
        }

    async def rows(self, session: ReadSession, page: Page, viewer: int | None, **parameters: Any) -> list[FeedRow]:
        """The page's rows, newest first, whichever direction was asked."""
        query = self._queries[page.upwards, viewer is None]
        return await feed_rows(session, query, viewer, **page.bounds(), **parameters)
