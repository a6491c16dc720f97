"""What a member was told of the people of a server goes when they block it."""

from sqlalchemy import delete, select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.notifications.models import notifications
from phiomia.domain.relationships.events import DomainBlocked
from phiomia.platform.db import P, Query, WriteSession

_FROM_THERE = Query(
    delete(notifications).where(
        notifications.c.account_id == P("account"),
        notifications.c.from_account_id.in_(select(accounts.c.id).where(accounts.c.domain == P("domain", str))),
    )
)


async def retract_domain(session: WriteSession, event: DomainBlocked) -> None:
    """Takes back everything the member was told of anybody there."""
    await session.execute(_FROM_THERE, account=event.account_id, domain=event.domain)
