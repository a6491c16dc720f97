"""Putting single notifications away."""

from sqlalchemy import delete

from phiomia.domain.errors import NotFound
from phiomia.domain.notifications.models import notifications
from phiomia.platform.db import P, Query, WriteSession

_ONE = Query(delete(notifications).where(notifications.c.id == P("id"), notifications.c.account_id == P("account")))
_GROUP = Query(
    delete(notifications).where(notifications.c.account_id == P("account"), notifications.c.group_key == P("key", str))
)


async def dismiss(session: WriteSession, account_id: int, notification_id: int) -> None:
    """Removes one of the account's notifications. Raises NotFound."""
    if not await session.execute(_ONE, account=account_id, id=notification_id):
        raise NotFound()


async def dismiss_group(session: WriteSession, account_id: int, key: str) -> None:
    """Removes a group of the account's notifications; nothing happens if there is none."""
    await session.execute(_GROUP, account=account_id, key=key)
