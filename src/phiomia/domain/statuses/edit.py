"""Editing a status: the version before is kept, and readers are told that there is another."""

from collections.abc import Mapping

import msgspec
from sqlalchemy import delete, select, update

from phiomia.domain.errors import NotFound
from phiomia.domain.instance.remote_emojis import keep_emojis
from phiomia.domain.media.attach import attach_media, detach_others, place_media
from phiomia.domain.media.describe import Description, describe_attached
from phiomia.domain.media.queries import load_media
from phiomia.domain.media.remote import renew_remote_media
from phiomia.domain.statuses.create import end_of_poll, write_options, write_poll, write_tags
from phiomia.domain.statuses.draft import PollDraft, StatusDraft
from phiomia.domain.statuses.events import StatusEdited
from phiomia.domain.statuses.models import (
    poll_options,
    poll_votes,
    polls,
    status_edits,
    status_mentions,
    status_tags,
    statuses,
)
from phiomia.domain.statuses.views import StatusView
from phiomia.domain.statuses.whole import load_statuses
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, WriteSession, insert_into
from phiomia.platform.db.query import column_parameter
from phiomia.platform.events import record
from phiomia.platform.ids import new_id
from phiomia.platform.json import encode

_OWN = Query(
    select(statuses.c.id)
    .where(statuses.c.id == P("id"), statuses.c.account_id == P("author"), statuses.c.reblog_of_id.is_(None))
    .with_for_update(key_share=True)
)
_KEEP = insert_into(
    status_edits, "id", "status_id", "content", "source", "spoiler_text", "sensitive", "poll_options", "media",
    "emojis", "created_at",
)  # fmt: skip
_CHANGED = (
    "content", "source", "spoiler_text", "sensitive", "language", "emojis", "media_count", "poll_id", "edited_at",
)  # fmt: skip
_UPDATE = Query(
    update(statuses)
    .where(statuses.c.id == P("id"))
    .values({name: column_parameter(statuses, name, f"new_{name}") for name in _CHANGED})
)
_RENEW = Query(update(statuses).where(statuses.c.id == P("id")))
_MENTIONED = Query(
    select(status_mentions.c.account_id).where(
        status_mentions.c.status_id == P("id"), status_mentions.c.silent.is_(False)
    )
)
_MENTION = Query(
    lambda insert: (
        insert(status_mentions)
        .values(status_id=P("status_id"), account_id=P("account_id"), silent=P("hushed", bool))
        .on_conflict_do_update(index_elements=["status_id", "account_id"], set_={"silent": P("hushed", bool)})
    )
)
_DROP_TAGS = Query(delete(status_tags).where(status_tags.c.status_id == P("id")))
_CHANGE_POLL = Query(
    update(polls)
    .where(polls.c.id == P("id"))
    .values(multiple=P("several", bool), hide_totals=P("hidden", bool), expires_at=P("until"), notified_at=None)
)
_RESET_VOTERS = Query(update(polls).where(polls.c.id == P("id")).values(voters_count=0))
_DROP_VOTES = Query(delete(poll_votes).where(poll_votes.c.poll_id == P("id")))
_DROP_OPTIONS = Query(delete(poll_options).where(poll_options.c.poll_id == P("id")))
_DROP_POLL = Query(delete(polls).where(polls.c.id == P("id")))


class Revision(msgspec.Struct, frozen=True):
    """What an edit makes of a status: the draft's text, media and poll; the rest of the draft stays as it was."""

    draft: StatusDraft
    descriptions: Mapping[int, Description] = {}  # what changes in the draft's media, by id
    edited_at: int | None = None


async def edit_status(session: WriteSession, actor_id: int, status_id: int, revision: Revision) -> bool:
    """Edits the actor's own status; False when that changes nothing. Raises NotFound, Invalid."""
    if await session.value(_OWN, id=status_id, author=actor_id) is None:
        raise NotFound
    before = (await load_statuses(session, [status_id]))[status_id]
    now = now_ms()
    revision, renewed = await _take_remote(session, before, revision)
    described = await _describe(session, revision)
    edited = renewed or described or _differs(before, revision.draft)
    if edited:
        await _keep(session, before)
        await _change_media(session, before, revision.draft.media_ids)
    poll_id = await _change_poll(session, before, revision.draft, now)
    if not edited:
        await session.execute(_RENEW, id=status_id)
        return False
    await _update(session, status_id, revision, poll_id, now)
    added = await _change_mentions(session, status_id, revision.draft)
    await session.execute(_DROP_TAGS, id=status_id)
    await write_tags(session, status_id, revision.draft.tags, now)
    await record(
        session,
        StatusEdited(
            status_id=status_id,
            account_id=actor_id,
            visibility=before.row.visibility,
            local=bool(before.row.local),
            mentions=added,
        ),
    )
    return True


async def _take_remote(session: WriteSession, before: StatusView, revision: Revision) -> tuple[Revision, bool]:
    """What came along with the new version of a status from elsewhere; True if media are among it."""
    draft = revision.draft
    if before.row.local:
        return revision, False
    ids, changed = await renew_remote_media(session, before.row.account_id, before.row.id, draft.remote_media)
    await keep_emojis(session, draft.emoji_domain, draft.remote_emojis)
    return msgspec.structs.replace(revision, draft=msgspec.structs.replace(draft, media_ids=ids)), changed


async def _describe(session: WriteSession, revision: Revision) -> bool:
    """Whether something is said of the media that was not said before."""
    changes = {id_: change for id_, change in revision.descriptions.items() if id_ in revision.draft.media_ids}
    found = await load_media(session, sorted(changes)) if changes else {}
    return any([await describe_attached(session, view, changes[view.id]) for view in found.values()])


def _differs(before: StatusView, draft: StatusDraft) -> bool:
    row = before.row
    return (
        # The HTML of the same text changes when somebody it names comes into being: no edit of the author's.
        (row.source != draft.source if row.local else row.content != draft.content)
        or row.spoiler_text != draft.spoiler_text
        or bool(row.sensitive) != draft.sensitive
        or row.language != draft.language
        or [one.id for one in before.media] != draft.media_ids
        or _other_poll(before, draft.poll)
    )


def _other_poll(before: StatusView, draft: PollDraft | None) -> bool:
    poll = before.poll
    if poll is None or draft is None:
        return (poll is None) != (draft is None)
    return bool(poll.multiple) != draft.multiple or [option.title for option in poll.options] != draft.options


async def _keep(session: WriteSession, before: StatusView) -> None:
    row = before.row
    await session.execute(
        _KEEP,
        id=new_id(),
        status_id=row.id,
        content=row.content,
        source=row.source,
        spoiler_text=row.spoiler_text,
        sensitive=bool(row.sensitive),
        poll_options=None if before.poll is None else encode([option.title for option in before.poll.options]),
        media=encode([{"id": one.id, "description": one.description} for one in before.media]),
        emojis=row.emojis,
        created_at=row.edited_at or row.created_at,
    )


async def _update(session: WriteSession, status_id: int, revision: Revision, poll_id: int | None, now: int) -> None:
    draft = revision.draft
    await session.execute(
        _UPDATE,
        id=status_id,
        new_content=draft.content,
        new_source=draft.source,
        new_spoiler_text=draft.spoiler_text,
        new_sensitive=draft.sensitive,
        new_language=draft.language,
        new_emojis=encode(draft.emojis),
        new_media_count=len(draft.media_ids),
        new_poll_id=poll_id,
        new_edited_at=revision.edited_at or now,
    )


async def _change_media(session: WriteSession, before: StatusView, ids: list[int]) -> None:
    if before.media:
        await detach_others(session, before.row.id, ids)
    if ids and before.row.local:
        await attach_media(session, before.row.account_id, before.row.id, ids)
    elif ids:
        await place_media(session, before.row.id, ids)


async def _change_mentions(session: WriteSession, status_id: int, draft: StatusDraft) -> list[int]:
    """Gives those who are named now and were not before. Those who were may go on reading, but in silence."""
    before = await session.column(_MENTIONED, id=status_id)
    silent = {*before, *draft.silent_mentions} - set(draft.mentions)
    rows = [{"status_id": status_id, "account_id": one, "hushed": False} for one in draft.mentions]
    rows += [{"status_id": status_id, "account_id": one, "hushed": True} for one in sorted(silent)]
    await session.execute_many(_MENTION, rows)
    return [one for one in draft.mentions if one not in before]


async def _change_poll(session: WriteSession, before: StatusView, draft: StatusDraft, now: int) -> int | None:
    """Gives the id of the poll that the status has from now on. Other answers make all votes void."""
    poll, wanted = before.poll, draft.poll
    if wanted is None:
        if poll is not None:
            await session.execute(_DROP_POLL, id=poll.id)
        return None
    if poll is None:
        poll_id = new_id()
        await write_poll(session, poll_id, before.row.id, before.row.account_id, wanted, now)
        return poll_id
    until = end_of_poll(wanted, now)
    await session.execute(_CHANGE_POLL, id=poll.id, several=wanted.multiple, hidden=wanted.hide_totals, until=until)
    if _other_poll(before, wanted):
        for query in (_DROP_VOTES, _DROP_OPTIONS, _RESET_VOTERS):
            await session.execute(query, id=poll.id)
        await write_options(session, poll.id, wanted.options, wanted.votes)
    return poll.id
