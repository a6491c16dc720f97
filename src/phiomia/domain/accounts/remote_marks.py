"""Single facts of accounts of other servers: how many follow them, when they were last asked for."""

from sqlalchemy import func, update

from phiomia.domain.accounts.models import accounts
from phiomia.platform.db import P, Query, WriteSession

_COUNTS = Query(
    update(accounts)
    .where(accounts.c.id == P("of_id"), accounts.c.domain != "")
    .values(
        followers_count=func.coalesce(P("followers"), accounts.c.followers_count),
        following_count=func.coalesce(P("following"), accounts.c.following_count),
        statuses_count=func.coalesce(P("statuses"), accounts.c.statuses_count),
    )
)
_TOUCH = Query(update(accounts).where(accounts.c.id == P("of_id")).values(fetched_at=P("now")))


async def put_counts(
    session: WriteSession, account_id: int, followers: int | None, following: int | None, statuses: int | None
) -> None:
    """Writes the totals that the account's server tells; None leaves one as it is."""
    await session.execute(_COUNTS, of_id=account_id, followers=followers, following=following, statuses=statuses)


async def note_fetched(session: WriteSession, account_id: int, now: int) -> None:
    """Remembers that the account was asked for, so that nobody asks again soon."""
    await session.execute(_TOUCH, of_id=account_id, now=now)
