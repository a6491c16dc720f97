"""Followers come along when an account moves."""

from sqlalchemy import select

from phiomia.domain.errors import DomainError
from phiomia.domain.relationships.ending import end_follow
from phiomia.domain.relationships.follow import follow
from phiomia.domain.relationships.models import follows
from phiomia.domain.users.models import users
from phiomia.platform.db import P, Query, WriteSession
from phiomia.platform.json import decode_strings

BATCH = 50
_FOLLOWERS = Query(
    select(follows.c.account_id, follows.c.show_boosts, follows.c.notify, follows.c.languages)
    .join(users, users.c.account_id == follows.c.account_id)
    .where(follows.c.target_id == P("moved"))
    .order_by(follows.c.id)
    .limit(BATCH)
)


async def move_followers(session: WriteSession, moved_id: int, target_id: int) -> int:
    """Lets some members who follow the account that moved follow the other one; gives their number, BATCH if more."""
    rows = await session.all(_FOLLOWERS, moved=moved_id)
    for follower_id, boosts, notify, languages in rows:
        wanted = None if languages is None else decode_strings(languages)
        try:
            await follow(session, follower_id, target_id, reblogs=bool(boosts), notify=bool(notify), languages=wanted)
        except DomainError:
            # Across a block, or to oneself: the follow of the old account ends all the same.
            pass
        await end_follow(session, follower_id, moved_id)
    return len(rows)
