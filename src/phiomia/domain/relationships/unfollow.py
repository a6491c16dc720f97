"""No longer following an account, or no longer asking to."""

from phiomia.domain.relationships.ending import end_follow, end_request
from phiomia.domain.relationships.presence import require_account
from phiomia.platform.db import WriteSession


async def unfollow(session: WriteSession, actor_id: int, target_id: int) -> None:
    """Ends the follow or withdraws the request; nothing happens if there is neither. Raises NotFound."""
    await require_account(session, target_id)
    await end_follow(session, actor_id, target_id)
    await end_request(session, actor_id, target_id)
