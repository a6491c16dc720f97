"""What follows here when a member moves away."""

from phiomia.domain.accounts.events import AccountMoved
from phiomia.federation.inbox.accounts import MoveFollowers
from phiomia.platform.db import WriteSession
from phiomia.platform.jobs import defer


async def bring_followers(session: WriteSession, event: AccountMoved) -> None:
    """Members who follow the old account follow the new one."""
    await defer(session, MoveFollowers(event.account_id, event.target_id))
