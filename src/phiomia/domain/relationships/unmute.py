"""No longer muting an account, by choice or because the time is over."""

from sqlalchemy import delete, select

from phiomia.domain.relationships.events import Unmuted
from phiomia.domain.relationships.models import mutes
from phiomia.domain.relationships.presence import require_account
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, WriteSession
from phiomia.platform.events import record

_DELETE = Query(delete(mutes).where(mutes.c.account_id == P("account"), mutes.c.target_id == P("target")))
_END = Query(
    delete(mutes)
    .where(mutes.c.id.in_(select(mutes.c.id).where(mutes.c.expires_at <= P("now")).limit(P("most"))))
    .returning(mutes.c.account_id, mutes.c.target_id)
)


async def unmute(session: WriteSession, actor_id: int, target_id: int) -> None:
    """Ends a mute; nothing happens if there is none. Raises NotFound."""
    await require_account(session, target_id)
    if await session.execute(_DELETE, account=actor_id, target=target_id):
        await record(session, Unmuted(actor_id, target_id))


async def end_expired_mutes(session: WriteSession, most: int = 500) -> int:
    """Removes mutes whose time is over, at most so many; gives their number, so that the caller can go on."""
    ended = await session.all(_END, now=now_ms(), most=most)
    for account_id, target_id in ended:
        await record(session, Unmuted(account_id, target_id))
    return len(ended)
