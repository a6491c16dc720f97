"""Create: a post that was written elsewhere, or votes in a poll."""

from typing import Any

from phiomia.domain.accounts.remote import Actor
from phiomia.domain.peers.relays import is_relay, list_relay_inboxes
from phiomia.domain.peers.tombstones import is_buried
from phiomia.domain.statuses.create import create_status
from phiomia.domain.statuses.known import find_by_uri
from phiomia.domain.statuses.relevance import answers_somebody_here, is_followed_here, is_tag_followed
from phiomia.domain.statuses.visibility import Visibility
from phiomia.federation.inbox import votes
from phiomia.federation.inbox.context import (
    PROCESSED,
    Activity,
    Document,
    Gone,
    InboxContext,
    Outcome,
    Unresolved,
    ignored,
    rejected,
)
from phiomia.federation.inbox.placing import Arrival, Placed, place
from phiomia.federation.inbox.threads import follow_up
from phiomia.federation.parse.note import NoteDraft, is_post, is_vote, parse_note
from phiomia.federation.parse.values import Rejected, same_host, types, values
from phiomia.platform.db import Conflict, ReadSession, WriteSession


async def handle(context: InboxContext, activity: Activity) -> Outcome:
    """Writes the post if somebody here has a reason to read it."""
    embedded = list(values(activity.object, votes.MOST))
    if embedded and all(map(is_vote, embedded)):
        return await votes.take(context, activity.actor, embedded)
    if embedded and isinstance(embedded[0], dict) and not is_post(embedded[0]):
        return ignored(f"a {_name_type(embedded[0])} is no post")
    try:
        document = await context.resolver.trusted_object(activity.object, activity.actor)
        note = parse_note(document, activity.raw)
    except Rejected as error:
        return rejected(str(error))
    if not is_by(note, activity.actor):
        return rejected("the post is somebody else's")
    return await receive(context, note, activity)


async def receive(context: InboxContext, note: NoteDraft, activity: Activity) -> Outcome:
    """Writes a post that its author has sent, unless it is here, gone or of no interest."""
    arrival = Arrival(delivered=True, recipient_id=activity.recipient_id)
    async with context.db.read() as session:
        placed = await place(session, context, note, activity.actor, arrival)
        if placed.stored is not None:
            return ignored("known already")
        if placed.buried:
            return ignored("deleted before")
        if not await _is_wanted(session, placed, activity):
            return ignored("nobody here follows, is addressed or is answered")
    return PROCESSED if await _write(context, note, placed, 0) is not None else ignored("deleted meanwhile")


async def store_status(context: InboxContext, document: Document, author: Actor, depth: int) -> int:
    """Writes a post that somebody here has asked for; gives its number. Raises Unresolved."""
    try:
        note = parse_note(document)
    except Rejected as error:
        raise Unresolved(str(error)) from None
    if not is_by(note, author):
        raise Unresolved("the post is somebody else's")
    async with context.db.read() as session:
        placed = await place(session, context, note, author, Arrival(delivered=False))
    if placed.stored is not None:
        return placed.stored.id
    if placed.draft.visibility > Visibility.PRIVATE and not placed.for_us:
        raise Unresolved("a post for others")
    stored = None if placed.buried else await _write(context, note, placed, depth)
    if stored is None:
        raise Gone("deleted before")
    return stored


def is_by(note: NoteDraft, actor: Actor) -> bool:
    """Whether the actor is among the authors. A site's bare root is written with a slash or without."""
    return any(_same_id(one, actor.uri) for one in note.authors)


def _same_id(one: str, other: str) -> bool:
    return one == other or (one.rstrip("/") == other.rstrip("/") and one.count("/") <= 3)


def _name_type(document: Any) -> str:
    return min(types(document), default="thing without type")[:40]


async def _is_wanted(session: ReadSession, placed: Placed, activity: Activity) -> bool:
    draft = placed.draft
    if placed.for_us or await is_followed_here(session, draft.account_id):
        return True
    if draft.in_reply_to_id is not None and await answers_somebody_here(session, draft.in_reply_to_id):
        return True
    if draft.visibility != Visibility.PUBLIC:
        return False
    if activity.forwarded and await came_by_relay(session, activity):
        return True
    return await is_tag_followed(session, [key for key, _ in draft.tags])


async def came_by_relay(session: ReadSession, activity: Activity) -> bool:
    """Whether a relay that we have joined has passed it on. Some are known by their inbox alone."""
    if await is_relay(session, activity.sender):
        return True
    return any(same_host(inbox, activity.sender) for inbox in await list_relay_inboxes(session))


async def _write(context: InboxContext, note: NoteDraft, placed: Placed, depth: int) -> int | None:
    async def write(session: WriteSession) -> int | None:
        stored = await find_by_uri(session, note.uri)
        if stored is not None:
            return stored.id
        if await is_buried(session, [note.uri]):
            return None
        status_id = await create_status(session, placed.draft)
        await follow_up(session, status_id, note, placed, depth)
        return status_id

    try:
        return await context.db.write(write)
    except Conflict:
        # Another worker wrote it at the same moment, which shows now; or two of one moment drew the same number.
        return await context.db.write(write)
