"""Keeping home feeds right when relationships change, and small."""

from sqlalchemy import delete, func, literal, or_, select

from phiomia.domain.relationships.models import follows
from phiomia.domain.statuses.models import statuses
from phiomia.domain.statuses.visibility import Visibility
from phiomia.domain.timelines.models import home_feed
from phiomia.platform import limits
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
    await session.execute(_BACKFILL, account=account_id, other=followed_id)


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
