"""Reading single statuses, and rows of given ones. Pages are made by `rows.py`, whole views by `whole.py`."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import select

from phiomia.domain.errors import NotFound
from phiomia.domain.statuses.models import poll_votes, polls, statuses
from phiomia.domain.statuses.policy import visible_with_original
from phiomia.domain.statuses.rows import NOBODY, VIEWER, as_feed_row, feed_rows, page_query, select_page
from phiomia.domain.statuses.views import FeedRow, StatusRow
from phiomia.platform.db import P, Query, ReadSession, any_of, listed

_VISIBLE = page_query(
    select(statuses.c.id.label("cursor"), statuses.c.id).where(
        any_of(statuses.c.id, listed("ids")), visible_with_original(statuses, VIEWER)
    )
)
_VISIBLE_ONE = page_query(
    select(statuses.c.id.label("cursor"), statuses.c.id).where(
        statuses.c.id == P("id"), visible_with_original(statuses, VIEWER)
    )
)
GIVEN: Final = select_page(
    select(statuses.c.id.label("cursor"), statuses.c.id).where(any_of(statuses.c.id, listed("ids"))), name="given"
)
"""Page rows of `ids`, whose visibility somebody else has established."""
_GIVEN = Query(GIVEN)
_VISIBLE_ROW = Query(
    select(*[statuses.c[name] for name in StatusRow.__struct_fields__]).where(
        statuses.c.id == P("id"), visible_with_original(statuses, VIEWER)
    )
)
_STATUS_OF_POLL = Query(select(polls.c.status_id).where(polls.c.id == P("id")))
_VOTES = Query(
    select(poll_votes.c.poll_id, poll_votes.c.choice)
    .where(any_of(poll_votes.c.poll_id, listed("ids")), poll_votes.c.account_id == VIEWER)
    .order_by(poll_votes.c.poll_id, poll_votes.c.choice)
)


async def find_rows(session: ReadSession, ids: Sequence[int], viewer: int | None) -> dict[int, FeedRow]:
    """Those of the statuses that exist and that the viewer may see, as page rows by id."""
    rows = await feed_rows(session, _VISIBLE, viewer, ids=list(ids))
    return {row.id: row for row in rows}


async def load_row(session: ReadSession, status_id: int, viewer: int | None) -> FeedRow:
    """One status as a page row. Raises NotFound, also for what the viewer may not see."""
    row = await session.one(_VISIBLE_ONE, viewer=viewer or NOBODY, id=status_id)
    if row is None:
        raise NotFound
    return as_feed_row(row)


async def rows_of(session: ReadSession, ids: Sequence[int], viewer: int | None) -> dict[int, FeedRow]:
    """Page rows of statuses whose visibility somebody else has established."""
    return {row.id: row for row in await feed_rows(session, _GIVEN, viewer, ids=list(ids))}


async def load_status(session: ReadSession, status_id: int, viewer: int | None) -> StatusRow:
    """A status's own columns. Raises NotFound, also for what the viewer may not see."""
    found = await session.views(StatusRow, _VISIBLE_ROW, id=status_id, viewer=viewer or NOBODY)
    if not found:
        raise NotFound
    return found[0]


async def find_status_of_poll(session: ReadSession, poll_id: int) -> int | None:
    """The id of the status that a poll belongs to."""
    status_id: int | None = await session.value(_STATUS_OF_POLL, id=poll_id)
    return status_id


async def load_votes(session: ReadSession, poll_ids: Sequence[int], viewer: int) -> dict[int, list[int]]:
    """The viewer's choices in several polls."""
    found: dict[int, list[int]] = {}
    for poll_id, choice in await session.all(_VOTES, ids=list(poll_ids), viewer=viewer):
        found.setdefault(poll_id, []).append(choice)
    return found
