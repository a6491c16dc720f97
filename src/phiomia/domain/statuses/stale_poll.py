"""Which polls of other servers may stand otherwise by now."""

from sqlalchemy import or_, select

from phiomia.domain.statuses.models import polls, statuses
from phiomia.platform.clock import SECOND, now_ms
from phiomia.platform.db import P, Query, ReadSession
from phiomia.platform.limits import POLL_FRESH_SECONDS

_STALE = Query(
    select(statuses.c.uri)
    .join(polls, polls.c.status_id == statuses.c.id)
    .where(
        polls.c.id == P("id"),
        statuses.c.local.is_(False),
        or_(polls.c.fetched_at.is_(None), polls.c.fetched_at < P("since")),
        # What was asked for after the end does not change any more.
        or_(polls.c.expires_at.is_(None), polls.c.fetched_at.is_(None), polls.c.fetched_at < polls.c.expires_at),
    )
)


async def find_stale_poll(session: ReadSession, poll_id: int) -> str:
    """The id of the status to ask for again; empty if the poll is ours, over, or was asked for a moment ago."""
    return await session.value(_STALE, id=poll_id, since=now_ms() - POLL_FRESH_SECONDS * SECOND) or ""
