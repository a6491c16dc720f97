"""Making somebody no longer follow, without a block."""

from phiomia.domain.relationships.ending import end_follow
from phiomia.domain.relationships.presence import require_account
from phiomia.platform.db import WriteSession


async def remove_from_followers(session: WriteSession, actor_id: int, follower_id: int) -> None:
    """Ends the follow of `follower_id`; nothing happens if there is none. Raises NotFound."""
    await require_account(session, follower_id)
    await end_follow(session, follower_id, actor_id, by_target=True)
