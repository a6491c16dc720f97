"""Freezes a login, and thaws it."""

from sqlalchemy import update

from phiomia.domain.users.models import users
from phiomia.domain.users.sessions import close_sessions
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, WriteSession

_DISABLE = Query(
    update(users).values(disabled_at=P("now")).where(users.c.id == P("user"), users.c.disabled_at.is_(None))
)
_ENABLE = Query(update(users).values(disabled_at=None).where(users.c.id == P("user")))


async def disable_user(session: WriteSession, user_id: int) -> None:
    """Nobody can sign in as that user, and who is signed in no longer is. Tokens are kept, but open nothing."""
    await session.execute(_DISABLE, user=user_id, now=now_ms())
    await close_sessions(session, user_id)


async def enable_user(session: WriteSession, user_id: int) -> None:
    """The user may sign in again."""
    await session.execute(_ENABLE, user=user_id)
