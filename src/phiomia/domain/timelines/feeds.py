"""Keeping home feeds right when relationships change, and small."""

from sqlalchemy import delete, func, literal, or_, select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.relationships.conditions import not_blocked_or_muted
from phiomia.domain.relationships.models import follows
from phiomia.domain.statuses.models import status_tags, statuses
from phiomia.domain.statuses.visibility import Visibility
from phiomia.domain.tags.models import tag_follows
from phiomia.domain.timelines.models import home_feed
from phiomia.platform import limits
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, WriteSession

_ACCOUNT, _OTHER = P("account"), P("other")
_BACKFILLED = 40
_original = statuses.alias("original")
_feed = home_feed.alias("f")

_recent = (
    select(_ACCOUNT.label("account_id"), statuses.c.id, func.coalesce(statuses.c.reblog_of_id, statuses.c.id))
    .where(
        statuses.c.account_id == _OTHER,
        statuses.c.visibility < Visibility.DIRECT,
        not_blocked_or_muted(statuses.c.account_id, _ACCOUNT),
        or_(
            statuses.c.in_reply_to_account_id.is_(None),
            statuses.c.in_reply_to_account_id == statuses.c.account_id,
            statuses.c.in_reply_to_account_id == _ACCOUNT,
            statuses.c.in_reply_to_account_id.in_(select(follows.c.target_id).where(follows.c.account_id == _ACCOUNT)),
        ),
        or_(
            statuses.c.reblog_of_id.is_(None),
            ~select(_feed.c.status_id)
            .where(_feed.c.account_id == _ACCOUNT, _feed.c.original_id == statuses.c.reblog_of_id)
            .exists(),
        ),
        ~select(_original.c.id)
        .where(_original.c.id == statuses.c.reblog_of_id, ~not_blocked_or_muted(_original.c.account_id, _ACCOUNT))
        .correlate_except(_original)
        .exists(),
    )
    .order_by(statuses.c.id.desc())
    .limit(literal(_BACKFILLED))
)
_BACKFILL = Query(
    lambda insert: (
        insert(home_feed)
        .from_select(["account_id", "status_id", "original_id"], select(_recent.subquery()).where(literal(True)))
        .on_conflict_do_nothing()
    )
)
_TAG = P("tag")
_recent_tagged = (
    select(_ACCOUNT.label("account_id"), statuses.c.id, statuses.c.id.label("original_id"))
    .select_from(
        status_tags.join(statuses, statuses.c.id == status_tags.c.status_id).join(
            accounts, accounts.c.id == statuses.c.account_id
        )
    )
    .where(
        status_tags.c.tag_id == _TAG,
        statuses.c.visibility == Visibility.PUBLIC,
        accounts.c.state == AccountState.ACTIVE,
        not_blocked_or_muted(statuses.c.account_id, _ACCOUNT),
    )
    .order_by(status_tags.c.status_id.desc())
    .limit(literal(_BACKFILLED))
)
_BACKFILL_TAG = Query(
    lambda insert: (
        insert(home_feed)
        .from_select(["account_id", "status_id", "original_id"], select(_recent_tagged.subquery()).where(literal(True)))
        .on_conflict_do_nothing()
    )
)
_other_tag = status_tags.alias("other_tag")
_only_by_tag = (
    select(_feed.c.status_id)
    .select_from(
        _feed.join(status_tags, status_tags.c.status_id == _feed.c.status_id).join(
            statuses, statuses.c.id == _feed.c.status_id
        )
    )
    .where(
        _feed.c.account_id == _ACCOUNT,
        status_tags.c.tag_id == _TAG,
        statuses.c.account_id != _ACCOUNT,
        ~select(follows.c.id)
        .where(follows.c.account_id == _ACCOUNT, follows.c.target_id == statuses.c.account_id)
        .exists(),
        ~select(tag_follows.c.tag_id)
        .select_from(tag_follows.join(_other_tag, _other_tag.c.tag_id == tag_follows.c.tag_id))
        .where(tag_follows.c.account_id == _ACCOUNT, _other_tag.c.status_id == statuses.c.id)
        .exists(),
    )
)
_UNFOLLOW_TAG = Query(
    delete(home_feed).where(home_feed.c.account_id == _ACCOUNT, home_feed.c.status_id.in_(_only_by_tag))
)
_written_by = (
    select(_feed.c.status_id)
    .select_from(
        _feed.join(statuses, statuses.c.id == _feed.c.status_id).join(_original, _original.c.id == _feed.c.original_id)
    )
    .where(_feed.c.account_id == _ACCOUNT, or_(statuses.c.account_id == _OTHER, _original.c.account_id == _OTHER))
)
_REMOVE = Query(delete(home_feed).where(home_feed.c.account_id == _ACCOUNT, home_feed.c.status_id.in_(_written_by)))
_posted_by = (
    select(_feed.c.status_id)
    .select_from(_feed.join(statuses, statuses.c.id == _feed.c.status_id))
    .where(_feed.c.account_id == _ACCOUNT, statuses.c.account_id == _OTHER)
)
_UNFOLLOW = Query(delete(home_feed).where(home_feed.c.account_id == _ACCOUNT, home_feed.c.status_id.in_(_posted_by)))
_FORGET = Query(delete(home_feed).where(home_feed.c.original_id == P("status")).returning(home_feed.c.account_id))
_FORGET_BOOST = Query(
    delete(home_feed)
    .where(home_feed.c.original_id == P("original"), home_feed.c.status_id == P("status"))
    .returning(home_feed.c.account_id)
)
_last_kept = (
    select(_feed.c.status_id)
    .where(_feed.c.account_id == _ACCOUNT)
    .order_by(_feed.c.status_id.desc())
    .limit(literal(1))
    .offset(literal(limits.HOME_FEED - 1))
)
_TRIM = Query(
    delete(home_feed).where(home_feed.c.account_id == _ACCOUNT, home_feed.c.status_id < _last_kept.scalar_subquery())
)
_LONG = Query(
    select(home_feed.c.account_id)
    .group_by(home_feed.c.account_id)
    .having(func.count() > limits.HOME_FEED + limits.HOME_FEED // 4)
    .limit(P("limit"))
)


async def backfill_feed(session: WriteSession, account_id: int, followed_id: int) -> None:
    """A new follow brings the followed account's recent statuses."""
    await session.execute(_BACKFILL, account=account_id, other=followed_id, now=now_ms())


async def backfill_tag(session: WriteSession, account_id: int, tag_id: int) -> None:
    """A hashtag that is followed from now on brings what was posted with it lately."""
    await session.execute(_BACKFILL_TAG, account=account_id, tag=tag_id, now=now_ms())


async def unfollow_tag_in_feed(session: WriteSession, account_id: int, tag_id: int) -> None:
    """What was there for the hashtag alone leaves."""
    await session.execute(_UNFOLLOW_TAG, account=account_id, tag=tag_id)


async def remove_from_feed(session: WriteSession, account_id: int, other_id: int) -> None:
    """Nothing that `other_id` wrote or boosted stays: after a mute or a block."""
    await session.execute(_REMOVE, account=account_id, other=other_id)


async def unfollow_in_feed(session: WriteSession, account_id: int, other_id: int) -> None:
    """What `other_id` posted or boosted leaves; others' boosts of it stay: after an unfollow."""
    await session.execute(_UNFOLLOW, account=account_id, other=other_id)


async def forget_status(session: WriteSession, status_id: int, reblog_of_id: int | None) -> list[int]:
    """Takes a deleted status (with its boosts), or one boost, out of every feed; gives whose."""
    if reblog_of_id is None:
        return await session.column(_FORGET, status=status_id)
    return await session.column(_FORGET_BOOST, status=status_id, original=reblog_of_id)


async def trim_feeds(session: WriteSession, most: int = 100) -> int:
    """Shortens feeds that have grown too long; gives how many. What is cut is still found by query."""
    grown = await session.column(_LONG, limit=most)
    for account_id in grown:
        await session.execute(_TRIM, account=account_id)
    return len(grown)
