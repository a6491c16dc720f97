"""What follows a status in feeds and streams, inside its transaction or, for crowds, as a job."""

from typing import Any

from sqlalchemy import func, literal, select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.statuses.events import (
    QuoteChanged,
    QuotePolicyChanged,
    ReplyAdopted,
    StatusBoosted,
    StatusCreated,
    StatusDeleted,
    StatusEdited,
)
from phiomia.domain.statuses.models import status_mentions, status_tags, statuses
from phiomia.domain.statuses.visibility import Visibility
from phiomia.domain.tags.models import tag_follows, tags
from phiomia.domain.timelines.fan_out import (
    fan_out,
    fan_out_with_own,
    lists_with,
    lists_with_author,
    put_into_own_feed,
)
from phiomia.domain.timelines.feeds import forget_status
from phiomia.domain.timelines.models import home_feed
from phiomia.platform import limits
from phiomia.platform.clock import SECOND, now_ms
from phiomia.platform.db import P, Query, WriteSession
from phiomia.platform.events import append_stream
from phiomia.platform.ids import moment_of
from phiomia.platform.jobs.defer import Job, defer

_MOST = limits.FAN_OUT_AT_ONCE + 1
_following_tags = (
    select(tag_follows.c.account_id)
    .select_from(status_tags.join(tag_follows, tag_follows.c.tag_id == status_tags.c.tag_id))
    .where(status_tags.c.status_id == P("status"))
    .limit(literal(_MOST))
    .subquery()
)
# Those of its author, and those of its hashtags as far as it takes to know that they are too many.
_FOLLOWERS = Query(
    select(
        accounts.c.followers_count + select(func.count()).select_from(_following_tags).scalar_subquery(),
    ).where(accounts.c.id == P("author"))
)
_FACTS = Query(
    select(
        statuses.c.account_id,
        statuses.c.visibility,
        statuses.c.local,
        statuses.c.reblog_of_id,
        statuses.c.in_reply_to_account_id,
        statuses.c.media_count,
        statuses.c.language,
    ).where(statuses.c.id == P("id"))
)
_TAGS = Query(
    select(tags.c.name)
    .select_from(tags.join(status_tags, status_tags.c.tag_id == tags.c.id))
    .where(status_tags.c.status_id == P("id"))
)
_MENTIONED = Query(select(status_mentions.c.account_id).where(status_mentions.c.status_id == P("id")))
_FEEDS = Query(select(home_feed.c.account_id).where(home_feed.c.original_id == P("id")))


class FanOut(Job, frozen=True):
    """Puts a status into the feeds of a crowd: many who follow its author or its hashtags."""

    TYPE = "timelines.fan_out"
    QUEUE = "local"

    status_id: int


async def deliver_created(session: WriteSession, event: StatusCreated) -> None:
    """Own feed, followers' feeds, streams; none of them for what is no news."""
    if event.late:
        return
    known = event.audience.followers if event.draft is not None and not event.tags else None
    followers = await _count_followers(session, event.account_id, event.status_id) if known is None else known
    home = await _fill_feeds(session, event, event.status_id, followers)
    public, listed = event.visibility == Visibility.PUBLIC, event.visibility < Visibility.DIRECT
    lists = event.audience.lists if event.audience.lists is not None else await lists_with(session, event.status_id)
    body = {
        "id": event.status_id,
        "account": event.account_id,
        "visibility": Visibility(event.visibility).word,
        "local": event.local,
        "boost": False,
        "reply": event.in_reply_to_account_id not in (None, event.account_id),
        "media": event.with_media,
        "language": event.language,
        "home": home,
        **({"tags": event.tags} if public else {}),
        "lists": lists if listed else [],
    }
    await append_stream(session, "status", body)


async def deliver_boosted(session: WriteSession, event: StatusBoosted) -> None:
    """The same for a boost."""
    followers = await _count_followers(session, event.account_id, event.status_id)
    home = await _fill_feeds(session, event, event.original_id, followers)
    await _append(session, "status", event.status_id, home)


async def _count_followers(session: WriteSession, author_id: int, status_id: int) -> int:
    return await session.value(_FOLLOWERS, author=author_id, status=status_id) or 0


async def _fill_feeds(
    session: WriteSession, event: StatusCreated | StatusBoosted, original_id: int, followers: int
) -> list[int]:
    """Those who have it at home now."""
    if followers <= limits.FAN_OUT_AT_ONCE:
        return await (fan_out_with_own if event.local else fan_out)(session, event.status_id)
    home: list[int] = []
    if event.local:
        await put_into_own_feed(session, event.account_id, event.status_id, original_id)
        home = [event.account_id]
    await defer(session, FanOut(status_id=event.status_id))
    return home


async def deliver_adopted(session: WriteSession, event: ReplyAdopted) -> None:
    """Feeds of those who follow both sides of a conversation, which could not be known before."""
    if moment_of(event.status_id) < now_ms() - limits.NEWS_SECONDS * SECOND:
        return
    home = await fan_out(session, event.status_id)
    if home:
        await _append(session, "status", event.status_id, home, crowd=True)


async def run_fan_out(context: Any, job: FanOut) -> None:
    """The job: feeds of a crowd, then a stream event for them."""

    async def spread(session: WriteSession) -> None:
        home = await fan_out(session, job.status_id)
        if home:
            await _append(session, "status", job.status_id, home, crowd=True)

    await context.db.write(spread)


async def deliver_edited(session: WriteSession, event: StatusEdited) -> None:
    """Tells everybody who has the status in a feed."""
    await _append(session, "edit", event.status_id, await session.column(_FEEDS, id=event.status_id))


async def deliver_requoted(session: WriteSession, event: QuoteChanged) -> None:
    """The same when a quote in it is shown from now on, or no longer."""
    if event.before is not None:
        await _append(session, "edit", event.status_id, await session.column(_FEEDS, id=event.status_id))


async def deliver_repolicied(session: WriteSession, event: QuotePolicyChanged) -> None:
    """The same when others may quote it than before."""
    await _append(session, "edit", event.status_id, await session.column(_FEEDS, id=event.status_id))


async def deliver_deleted(session: WriteSession, event: StatusDeleted) -> None:
    """Takes it out of feeds and tells those who may have it on their screens."""
    home = await forget_status(session, event.status_id, event.reblog_of_id)
    listed = event.visibility < Visibility.DIRECT
    await append_stream(
        session,
        "delete",
        {
            "id": event.status_id,
            "account": event.account_id,
            "visibility": Visibility(event.visibility).word,
            "local": event.local,
            "boost": event.reblog_of_id is not None,
            "tags": event.tags,
            "home": sorted({*home, event.account_id}),
            "lists": await lists_with_author(session, event.account_id) if listed else [],
        },
    )


async def _append(session: WriteSession, kind: str, status_id: int, home: list[int], *, crowd: bool = False) -> None:
    facts = await session.one(_FACTS, id=status_id)
    if facts is None:
        return
    author_id, visibility, local, reblog_of_id, reply_account_id, media_count, language = facts
    body: dict[str, Any] = {
        "id": status_id,
        "account": author_id,
        # The second event of a crowd's status is for home feeds alone: the public streams had the first.
        "visibility": "private" if crowd else Visibility(visibility).word,
        "local": bool(local),
        "boost": reblog_of_id is not None,
        "reply": reply_account_id is not None and reply_account_id != author_id,
        "media": media_count > 0,
        "language": language,
        "home": home,
    }
    if not crowd:
        if visibility == Visibility.PUBLIC and reblog_of_id is None:
            body["tags"] = await session.column(_TAGS, id=status_id)
        body["lists"] = await lists_with(session, status_id)
        if kind == "edit":
            body["mentions"] = await session.column(_MENTIONED, id=status_id)
    await append_stream(session, kind, body)
