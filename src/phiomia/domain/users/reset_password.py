"""Gives somebody a new password."""

from sqlalchemy import update

from phiomia.domain.users.events import PasswordChanged
from phiomia.domain.users.links import spend_link
from phiomia.domain.users.models import users
from phiomia.domain.users.sessions import close_sessions
from phiomia.platform.db import P, Query, WriteSession
from phiomia.platform.events import record

_SET = Query(update(users).values(password_hash=P("hash", str)).where(users.c.id == P("user")))


async def reset_password(session: WriteSession, user_id: int, password_hash: str) -> None:
    """Stores the hash of a new password and ends every session, which may be an intruder's.

    Whoever calls this also revokes the access tokens (`oauth.tokens.revoke_user_tokens`).
    """
    await store_password(session, user_id, password_hash)
    await close_sessions(session, user_id)
    await record(session, PasswordChanged(user_id))


async def reset_by_link(session: WriteSession, secret: str, password_hash: str) -> int:
    """The same for the one whom a link was sent to; gives the user. Raises Invalid."""
    user_id = await spend_link(session, secret, "reset")
    await reset_password(session, user_id, password_hash)
    return user_id


async def store_password(session: WriteSession, user_id: int, password_hash: str) -> None:
    """Stores another hash of the same password, when the cost of hashing has changed."""
    await session.execute(_SET, user=user_id, hash=password_hash)
