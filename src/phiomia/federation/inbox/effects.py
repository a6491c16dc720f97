"""What follows here when a member moves away or leaves."""

from phiomia.domain.accounts.events import AccountDeleted, AccountMoved
from phiomia.federation.inbox.accounts import EraseAccount, MoveFollowers
from phiomia.platform.db import WriteSession
from phiomia.platform.jobs import defer


async def bring_followers(session: WriteSession, event: AccountMoved) -> None:
    """Members who follow the old account follow the new one."""
    await defer(session, MoveFollowers(event.account_id, event.target_id))


async def erase_who_left(session: WriteSession, event: AccountDeleted) -> None:
    """All that a member wrote and did goes, bit by bit."""
    await defer(session, EraseAccount(event.account_id), unique=f"{EraseAccount.TYPE}:{event.account_id}")
