"""The numbers of followers and follows that accounts carry with them."""

from sqlalchemy import ColumnElement, case, or_, update

from phiomia.domain.accounts.models import accounts
from phiomia.platform.db import P, Query, WriteSession


def _moved(column: ColumnElement[int], whose: str) -> ColumnElement[int]:
    # Not below zero: the numbers of an account elsewhere are what its server said last, not what we have counted.
    after = column + P("by")
    return case((accounts.c.id != P(whose), column), (after < 0, 0), else_=after)


_COUNT = Query(
    update(accounts)
    .where(or_(accounts.c.id == P("follower"), accounts.c.id == P("followed")))
    .values(
        following_count=_moved(accounts.c.following_count, "follower"),
        followers_count=_moved(accounts.c.followers_count, "followed"),
    )
)


async def count_follow(session: WriteSession, follower_id: int, followed_id: int, by: int) -> None:
    """Adds `by` (1 or -1) to what the one follows and to who follows the other."""
    await session.execute(_COUNT, follower=follower_id, followed=followed_id, by=by)
