"""Muting a thread: what is answered in it makes no notifications."""

from sqlalchemy import delete

from phiomia.domain.statuses.models import conversation_mutes
from phiomia.domain.statuses.targets import find_target
from phiomia.platform.db import P, Query, WriteSession

_INSERT = Query(
    lambda insert: (
        insert(conversation_mutes)
        .values(account_id=P("account_id"), conversation_id=P("conversation_id"))
        .on_conflict_do_nothing()
    )
)
_DELETE = Query(
    delete(conversation_mutes).where(
        conversation_mutes.c.account_id == P("actor"), conversation_mutes.c.conversation_id == P("conversation")
    )
)


async def mute_conversation(session: WriteSession, actor_id: int, status_id: int) -> None:
    """Mutes the thread of a status. Raises NotFound."""
    target = await find_target(session, actor_id, status_id)
    await session.execute(_INSERT, account_id=actor_id, conversation_id=target.conversation_id)


async def unmute_conversation(session: WriteSession, actor_id: int, status_id: int) -> None:
    """Hears of the thread again. Raises NotFound."""
    target = await find_target(session, actor_id, status_id)
    await session.execute(_DELETE, actor=actor_id, conversation=target.conversation_id)
