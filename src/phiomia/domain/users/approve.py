"""Lets somebody in who waited for approval."""

from sqlalchemy import update

from phiomia.domain.users.events import UserApproved
from phiomia.domain.users.models import users
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, WriteSession
from phiomia.platform.events import record

_APPROVE = Query(
    update(users).values(approved_at=P("now")).where(users.c.id == P("user"), users.c.approved_at.is_(None))
)


async def approve_user(session: WriteSession, user_id: int) -> None:
    """Approves somebody; does nothing when they are approved already."""
    if await session.execute(_APPROVE, user=user_id, now=now_ms()):
        await record(session, UserApproved(user_id))
