"""What follows, blocks and mutes mean for home feeds."""

from phiomia.domain.relationships.events import Blocked, Followed, Muted, Unfollowed
from phiomia.domain.tags.events import TagFollowed, TagUnfollowed
from phiomia.domain.timelines.feeds import (
    backfill_feed,
    backfill_tag,
    remove_from_feed,
    unfollow_in_feed,
    unfollow_tag_in_feed,
)
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


async def on_tag_followed(session: WriteSession, event: TagFollowed) -> None:
    """The feed gets what was posted with the hashtag lately."""
    await backfill_tag(session, event.account_id, event.tag_id)


async def on_tag_unfollowed(session: WriteSession, event: TagUnfollowed) -> None:
    """What came for the hashtag alone leaves."""
    await unfollow_tag_in_feed(session, event.account_id, event.tag_id)
