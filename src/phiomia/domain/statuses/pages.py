"""A paged list of statuses: its statement compiled for each direction, with and without a viewer."""

from typing import Any

from sqlalchemy import ColumnElement, Select

from phiomia.domain.statuses.rows import feed_rows, page_query, select_page
from phiomia.domain.statuses.views import FeedRow
from phiomia.platform.db import P, Query, ReadSession
from phiomia.platform.paging import Page


class FeedPages:
    """Made once for a list from a select of (cursor, id) and the cursor's column."""

    __slots__ = ("_queries",)

    def __init__(self, ids: Select[Any], cursor: ColumnElement[int]) -> None:
        self._queries: dict[tuple[bool, bool], Query] = {
            (upwards, anonymous): page_query(
                _bounded(ids, cursor, upwards=upwards), anonymous=anonymous, without_suspended=True
            )
            for upwards in (False, True)
            for anonymous in (False, True)
        }

    async def rows(self, session: ReadSession, page: Page, viewer: int | None, **parameters: Any) -> list[FeedRow]:
        """The page's rows, newest first, whichever direction was asked."""
        query = self._queries[page.upwards, viewer is None]
        return await feed_rows(session, query, viewer, **page.bounds(), **parameters)


def select_part(ids: Select[Any], cursor: ColumnElement[int], name: str, *, upwards: bool) -> Select[Any]:
    """A page of such a list for a viewer, for a statement of `Together`."""
    return select_page(_bounded(ids, cursor, upwards=upwards), without_suspended=True, name=name)


def _bounded(ids: Select[Any], cursor: ColumnElement[int], *, upwards: bool) -> Select[Any]:
    bounded = ids.where(cursor < P("page_below"), cursor > P("page_above")).limit(P("page_limit"))
    return bounded.order_by(cursor.asc() if upwards else cursor.desc())
