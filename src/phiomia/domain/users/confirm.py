"""Confirms that an e-mail address is somebody's."""

from sqlalchemy import update

from phiomia.domain.users.change_email import finish_email_change
from phiomia.domain.users.events import UserConfirmed
from phiomia.domain.users.links import find_link, spend_link
from phiomia.domain.users.models import users
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, WriteSession
from phiomia.platform.events import record

_CONFIRM = Query(
    update(users).values(confirmed_at=P("now")).where(users.c.id == P("user"), users.c.confirmed_at.is_(None))
)


async def confirm_user(session: WriteSession, user_id: int) -> None:
    """Confirms the address; does nothing when it is confirmed already."""
    if await session.execute(_CONFIRM, user=user_id, now=now_ms()):
        await record(session, UserConfirmed(user_id))


async def confirm_by_link(session: WriteSession, secret: str) -> int:
    """Confirms the address that a link was sent to; gives the user. Raises Invalid."""
    if await find_link(session, secret, "change") is not None:
        user_id = await spend_link(session, secret, "change")
        await finish_email_change(session, user_id)
        return user_id
    user_id = await spend_link(session, secret, "confirm")
    await confirm_user(session, user_id)
    return user_id
