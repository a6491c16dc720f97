"""Polls whose time is over: announced once."""

from sqlalchemy import select, update

from phiomia.domain.statuses.events import PollEnded
from phiomia.domain.statuses.models import polls
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, WriteSession
from phiomia.platform.events import record

BATCH = 100
_due = (
    select(polls.c.id)
    .where(polls.c.expires_at <= P("now"), polls.c.notified_at.is_(None))
    .order_by(polls.c.expires_at)
    .limit(P("limit"))
)
_END = Query(
    update(polls)
    .where(polls.c.id.in_(_due.scalar_subquery()), polls.c.notified_at.is_(None))
    .values(notified_at=P("now"))
    .returning(polls.c.id, polls.c.status_id, polls.c.account_id)
)


async def end_polls(session: WriteSession) -> int:
    """Announces the end of some polls that are over; gives their number, BATCH if there may be more."""
    ended = await session.all(_END, now=now_ms(), limit=BATCH)
    for poll_id, status_id, account_id in ended:
        await record(session, PollEnded(poll_id, status_id, account_id))
    return len(ended)
