"""The only writer of statuses: a draft becomes rows and StatusCreated."""

from typing import Any, NamedTuple

from sqlalchemy import or_, select

from phiomia.domain.errors import Invalid, NotFound
from phiomia.domain.instance.remote_emojis import keep_emojis
from phiomia.domain.media.attach import attach_media
from phiomia.domain.media.remote import write_remote_media
from phiomia.domain.statuses.audience import Audience, load_audience
from phiomia.domain.statuses.counters import count_reply, count_status
from phiomia.domain.statuses.draft import PollDraft, StatusDraft
from phiomia.domain.statuses.events import StatusCreated
from phiomia.domain.statuses.models import poll_options, polls, status_mentions, status_tags, statuses
from phiomia.domain.statuses.policy import visible_to
from phiomia.domain.statuses.quote import write_quote
from phiomia.domain.statuses.quote_policy import allowed_policy
from phiomia.domain.tags.use import use_tags
from phiomia.platform.clock import SECOND, now_ms
from phiomia.platform.db import P, Query, WriteSession, insert_into
from phiomia.platform.events import record
from phiomia.platform.ids import new_id, new_id_of_moment
from phiomia.platform.json import encode

_COLUMNS = (
    "id", "account_id", "local", "uri", "url", "source", "content", "spoiler_text", "visibility", "sensitive",
    "language", "in_reply_to_id", "in_reply_to_account_id", "conversation_id", "poll_id", "application_id",
    "emojis", "media_count", "created_at", "edited_at", "favourites_count", "reblogs_count", "quote_policy",
)  # fmt: skip
_INSERT = insert_into(statuses, *_COLUMNS)
_PARENT = Query(
    select(statuses.c.id, statuses.c.account_id, statuses.c.conversation_id, statuses.c.reblog_of_id).where(
        statuses.c.id == P("id"), visible_to(statuses, P("viewer"))
    )
)
# Whom people of other servers follow is not known here: that they could read what they answer has to be believed.
_PARENT_OF_REMOTE = Query(
    select(statuses.c.id, statuses.c.account_id, statuses.c.conversation_id, statuses.c.reblog_of_id).where(
        statuses.c.id == P("id"), or_(statuses.c.local.is_(False), visible_to(statuses, P("viewer")))
    )
)
_MENTION = Query(
    lambda insert: (
        insert(status_mentions)
        .values(status_id=P("status_id"), account_id=P("account_id"), silent=P("silent", bool))
        .on_conflict_do_nothing()
    )
)
_TAG = Query(
    lambda insert: (
        insert(status_tags)
        .values(tag_id=P("tag_id"), status_id=P("status_id"), display_name=P("display_name", str))
        .on_conflict_do_nothing()
    )
)
_POLL = insert_into(
    polls, "id", "status_id", "account_id", "multiple", "hide_totals", "expires_at", "voters_count", "fetched_at"
)
_OPTION = insert_into(poll_options, "poll_id", "position", "title", "votes_count")
# Whom a status answers that is not known here.
UNKNOWN_ACCOUNT = 0


class _Parent(NamedTuple):
    """What a reply needs of the status it answers."""

    id: int
    account_id: int
    conversation_id: int
    reblog_of_id: int | None


async def create_status(session: WriteSession, draft: StatusDraft) -> int:
    """Writes the draft; gives the new status's id. Raises NotFound, Invalid."""
    now = now_ms()
    created_at = draft.created_at or now
    id_ = new_id_of_moment(draft.created_at) if draft.created_at else new_id()
    parent = await _find_parent(session, draft)
    poll_id = new_id() if draft.poll else None
    await session.execute(_INSERT, **_row_of(draft, id_, parent, poll_id, created_at))
    await _write_mentions(session, id_, draft)
    await write_tags(session, id_, draft.tags, now)
    await _write_media(session, id_, draft)
    if draft.poll is not None and poll_id is not None:
        await write_poll(session, poll_id, id_, draft.account_id, draft.poll, now)
    if parent is not None:
        await count_reply(session, parent.id, draft.visibility, by=1)
    audience = await load_audience(session, draft.account_id)
    await count_status(session, draft.account_id, draft.visibility, created_at)
    await record(session, _event_of(draft, id_, parent, audience))
    if draft.quote is not None:
        await write_quote(session, id_, draft.account_id, draft.visibility, draft.quote, local=draft.local)
    return id_


def _row_of(
    draft: StatusDraft, id_: int, parent: _Parent | None, poll_id: int | None, created_at: int
) -> dict[str, Any]:
    return {
        "id": id_,
        "account_id": draft.account_id,
        "local": draft.local,
        "uri": draft.uri,
        "url": draft.url,
        "source": draft.source,
        "content": draft.content,
        "spoiler_text": draft.spoiler_text,
        "visibility": int(draft.visibility),
        "sensitive": draft.sensitive,
        "language": draft.language,
        "in_reply_to_id": parent.id if parent else None,
        "in_reply_to_account_id": _answered_account(draft, parent),
        "conversation_id": parent.conversation_id if parent else id_,
        "poll_id": poll_id,
        "application_id": draft.application_id,
        "emojis": encode(draft.emojis),
        "media_count": draft.media_count,
        "created_at": created_at,
        "edited_at": draft.edited_at,
        "favourites_count": draft.favourites_count,
        "reblogs_count": draft.boosts_count,
        "quote_policy": allowed_policy(draft.quote_policy, draft.visibility) if draft.local else draft.quote_policy,
    }


def _event_of(draft: StatusDraft, id_: int, parent: _Parent | None, audience: Audience) -> StatusCreated:
    return StatusCreated(
        status_id=id_,
        account_id=draft.account_id,
        visibility=int(draft.visibility),
        local=draft.local,
        in_reply_to_account_id=_answered_account(draft, parent),
        language=draft.language,
        with_media=draft.media_count > 0,
        tags=[key for key, _ in draft.tags],
        late=draft.late,
        draft=draft,
        in_reply_to_id=parent.id if parent else None,
        audience=audience,
    )


def _answered_account(draft: StatusDraft, parent: _Parent | None) -> int | None:
    if parent is not None:
        return parent.account_id
    return UNKNOWN_ACCOUNT if draft.in_reply_to_unknown or draft.in_reply_to_id is not None else None


async def _find_parent(session: WriteSession, draft: StatusDraft) -> _Parent | None:
    if draft.in_reply_to_id is None:
        return None
    if not draft.local:
        row = await session.one(_PARENT_OF_REMOTE, id=draft.in_reply_to_id, viewer=draft.account_id)
        return None if row is None else _Parent(*row)
    row = await session.one(_PARENT, id=draft.in_reply_to_id, viewer=draft.account_id)
    if row is None:
        raise NotFound("The post you are trying to reply to does not appear to exist.")
    parent = _Parent(*row)
    if parent.reblog_of_id is not None:
        row = await session.one(_PARENT, id=parent.reblog_of_id, viewer=draft.account_id)
        if row is None:
            raise NotFound("The post you are trying to reply to does not appear to exist.")
        parent = _Parent(*row)
    return parent


async def _write_mentions(session: WriteSession, status_id: int, draft: StatusDraft) -> None:
    rows = [{"status_id": status_id, "account_id": one, "silent": False} for one in draft.mentions]
    rows += [{"status_id": status_id, "account_id": one, "silent": True} for one in draft.silent_mentions]
    await session.execute_many(_MENTION, rows)


async def _write_media(session: WriteSession, status_id: int, draft: StatusDraft) -> None:
    if draft.media_ids:
        await attach_media(session, draft.account_id, status_id, draft.media_ids)
    if draft.remote_media:
        await write_remote_media(session, draft.account_id, status_id, draft.remote_media)
    if draft.remote_emojis:
        await keep_emojis(session, draft.emoji_domain, draft.remote_emojis)


async def write_tags(session: WriteSession, status_id: int, named: list[tuple[str, str]], now: int) -> None:
    """Ties hashtags to a status."""
    if not named:
        return
    ids = await use_tags(session, named, now)
    await session.execute_many(
        _TAG,
        [{"tag_id": ids[key], "status_id": status_id, "display_name": display} for key, display in named if key in ids],
    )


async def write_poll(
    session: WriteSession, poll_id: int, status_id: int, account_id: int, draft: PollDraft, now: int
) -> None:
    """Writes a poll with its answers."""
    if len(draft.options) < 2:
        raise Invalid("Validation failed: Poll must have more than one item")
    await session.execute(
        _POLL,
        id=poll_id,
        status_id=status_id,
        account_id=account_id,
        multiple=draft.multiple,
        hide_totals=draft.hide_totals,
        expires_at=end_of_poll(draft, now),
        voters_count=draft.voters_count,
        fetched_at=now if draft.votes else None,
    )
    await write_options(session, poll_id, draft.options, draft.votes)


def end_of_poll(draft: PollDraft, now: int) -> int | None:
    """When a poll is over; None if it has no end."""
    if draft.endless:
        return None
    return draft.expires_at if draft.expires_at is not None else now + draft.expires_in * SECOND


async def write_options(session: WriteSession, poll_id: int, titles: list[str], votes: list[int]) -> None:
    """Writes the answers of a poll, with their votes if another server has counted some."""
    counted = votes or [0] * len(titles)
    await session.execute_many(
        _OPTION,
        [
            {"poll_id": poll_id, "position": place, "title": title, "votes_count": count}
            for place, (title, count) in enumerate(zip(titles, counted, strict=True))
        ],
    )
