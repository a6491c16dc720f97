"""What changes between accounts mean for home feeds."""

from phiomia.domain.relationships.events import Blocked, Followed, Muted, Unfollowed
from phiomia.domain.timelines.feeds import backfill_feed, remove_from_feed, unfollow_in_feed
from phiomia.platform.db import WriteSession


async def on_followed(session: WriteSession, event: Followed) -> None:
    """The follower's feed gets what the followed posted lately."""
    await backfill_feed(session, event.account_id, event.target_id)


async def on_unfollowed(session: WriteSession, event: Unfollowed) -> None:
    """What the followed posted leaves the feed."""
    await unfollow_in_feed(session, event.account_id, event.target_id)


async def on_blocked(session: WriteSession, event: Blocked) -> None:
    """Neither has anything of the other any more."""
    await remove_from_feed(session, event.account_id, event.target_id)
    await remove_from_feed(session, event.target_id, event.account_id)


async def on_muted(session: WriteSession, event: Muted) -> None:
    """Nothing of the muted stays."""
    await remove_from_feed(session, event.account_id, event.target_id)
