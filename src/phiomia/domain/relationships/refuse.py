"""Refusing a follow at once, without its ever having been a request."""

from phiomia.domain.relationships.events import FollowRejected
from phiomia.platform.db import WriteSession
from phiomia.platform.events import record
from phiomia.platform.ids import new_id


async def refuse_follow(session: WriteSession, follower_id: int, target_id: int, uri: str) -> None:
    """Lets a follower elsewhere know that it may not follow; `uri` is what it called the follow."""
    await record(session, FollowRejected(follower_id, target_id, new_id(), uri))
