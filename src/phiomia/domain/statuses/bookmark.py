"""Bookmarking a status: for oneself alone, nobody is told."""

from sqlalchemy import delete

from phiomia.domain.statuses.events import StatusBookmarked
from phiomia.domain.statuses.models import bookmarks
from phiomia.domain.statuses.targets import find_target, meant
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, WriteSession
from phiomia.platform.events import record
from phiomia.platform.ids import new_id

_INSERT = Query(
    lambda insert: (
        insert(bookmarks)
        .values(id=P("id"), account_id=P("account_id"), status_id=P("status_id"), created_at=P("created_at"))
        .on_conflict_do_nothing(index_elements=["account_id", "status_id"])
    )
)
_DELETE = Query(
    delete(bookmarks)
    .where(bookmarks.c.account_id == P("actor"), bookmarks.c.status_id == meant())
    .returning(bookmarks.c.status_id)
)


async def bookmark(session: WriteSession, actor_id: int, status_id: int) -> None:
    """Bookmarks a status; nothing happens a second time. Raises NotFound."""
    target = await find_target(session, actor_id, status_id)
    if await session.execute(_INSERT, id=new_id(), account_id=actor_id, status_id=target.id, created_at=now_ms()):
        await record(session, StatusBookmarked(target.id, actor_id))


async def unbookmark(session: WriteSession, actor_id: int, status_id: int) -> None:
    """Takes a bookmark away, also from what the actor may no longer see. Raises NotFound if there is neither."""
    marked = await session.value(_DELETE, id=status_id, actor=actor_id)
    if marked is None:
        await find_target(session, actor_id, status_id)
        return
    await record(session, StatusBookmarked(marked, actor_id, gone=True))
