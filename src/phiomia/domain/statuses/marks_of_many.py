"""What each of many viewers has done with one status."""

from collections.abc import Sequence

from sqlalchemy import select

from phiomia.domain.statuses.models import bookmarks, conversation_mutes, favourites, pins, statuses
from phiomia.domain.statuses.views import FeedRow, Mark
from phiomia.platform.db import P, Query, ReadSession, any_of, listed

_FAVOURITED_BY = Query(
    select(favourites.c.account_id).where(
        favourites.c.status_id == P("id"), any_of(favourites.c.account_id, listed("viewers"))
    )
)
_BOOSTED_BY = Query(
    select(statuses.c.account_id).where(
        statuses.c.reblog_of_id == P("id"), any_of(statuses.c.account_id, listed("viewers"))
    )
)
_BOOKMARKED_BY = Query(
    select(bookmarks.c.account_id).where(
        bookmarks.c.status_id == P("id"), any_of(bookmarks.c.account_id, listed("viewers"))
    )
)
_PINNED_BY = Query(
    select(pins.c.account_id).where(pins.c.status_id == P("id"), any_of(pins.c.account_id, listed("viewers")))
)
_MUTED_BY = Query(
    select(conversation_mutes.c.account_id)
    .select_from(conversation_mutes.join(statuses, statuses.c.conversation_id == conversation_mutes.c.conversation_id))
    .where(statuses.c.id == P("id"), any_of(conversation_mutes.c.account_id, listed("viewers")))
)


async def marks_for_viewers(session: ReadSession, row: FeedRow, viewers: Sequence[int]) -> dict[int, int]:
    """What each of many viewers has done with a status, for those who have done anything: `marks` of a FeedRow."""
    shown = row.original_id or row.id
    found: dict[int, int] = {}
    for mark, query in (
        (Mark.FAVOURITED, _FAVOURITED_BY),
        (Mark.BOOSTED, _BOOSTED_BY),
        (Mark.BOOKMARKED, _BOOKMARKED_BY),
        (Mark.PINNED, _PINNED_BY),
        (Mark.MUTED, _MUTED_BY),
    ):
        for viewer in await session.column(query, id=shown, viewers=list(viewers)):
            found[viewer] = found.get(viewer, 0) | mark
    return found
