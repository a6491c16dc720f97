"""Putting all notifications away."""

from sqlalchemy import delete

from phiomia.domain.notifications.models import notifications
from phiomia.platform.db import P, Query, WriteSession

_ALL = Query(delete(notifications).where(notifications.c.account_id == P("account")))


async def clear(session: WriteSession, account_id: int) -> None:
    """Removes every notification of the account."""
    await session.execute(_ALL, account=account_id)
