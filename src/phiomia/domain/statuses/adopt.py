"""Hanging an answer below what it answers, once that has been found."""

from sqlalchemy import select, update

from phiomia.domain.statuses.counters import count_reply
from phiomia.domain.statuses.events import ReplyAdopted
from phiomia.domain.statuses.models import statuses
from phiomia.platform.db import P, Query, WriteSession
from phiomia.platform.events import record

_CHILD = Query(
    select(statuses.c.account_id, statuses.c.visibility, statuses.c.conversation_id, statuses.c.in_reply_to_id)
    .where(statuses.c.id == P("id"), statuses.c.reblog_of_id.is_(None))
    .with_for_update(key_share=True)
)
_PARENT = Query(select(statuses.c.account_id, statuses.c.conversation_id).where(statuses.c.id == P("id")))
_HANG = Query(
    update(statuses)
    .where(statuses.c.id == P("id"))
    .values(in_reply_to_id=P("parent"), in_reply_to_account_id=P("author"))
)
# A conversation whose beginning was missing becomes a part of the one it belongs to.
_JOIN = Query(update(statuses).where(statuses.c.conversation_id == P("part")).values(conversation_id=P("whole")))


async def adopt_reply(session: WriteSession, status_id: int, parent_id: int) -> bool:
    """Makes a status the answer that it is; False if it is one already or either is gone."""
    child, parent = await session.one(_CHILD, id=status_id), await session.one(_PARENT, id=parent_id)
    if child is None or parent is None or child[3] is not None or status_id == parent_id:
        return False
    author_id, visibility, part, _ = child
    if part == parent[1] and part == status_id:
        return False  # the parent is below the status already: a ring
    await session.execute(_HANG, id=status_id, parent=parent_id, author=parent[0])
    if part != parent[1]:
        await session.execute(_JOIN, part=part, whole=parent[1])
    await count_reply(session, parent_id, visibility, by=1)
    await record(session, ReplyAdopted(status_id, author_id, parent_id, parent[0]))
    return True
