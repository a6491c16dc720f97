"""Conversations: https://docs.joinmastodon.org/methods/conversations/"""

from collections.abc import Awaitable, Callable

from phiomia.api.endpoint import Call, endpoint
from phiomia.api.paging import Paging, link
from phiomia.domain.statuses.conversations import (
    hide_conversation,
    list_conversations,
    load_conversation,
    mark_read,
    mark_unread,
)
from phiomia.entities.conversation import render_conversations
from phiomia.platform import limits
from phiomia.platform.db import WriteSession


@endpoint(
    "GET",
    "/api/v1/conversations",
    scopes=("read:statuses",),
    returns="array<entity:Conversation>",
    paginated="link-header",
)
async def conversations(call: Call, params: Paging) -> bytes:
    """Direct conversations, the newest first."""
    page = params.page(limits.PAGE_STATUSES)
    async with call.api.db.read() as session:
        views = await list_conversations(session, call.actor, page)
        shown = await render_conversations(call.api.fragments, session, views, call.actor)
    if views:
        link(call, views[0].last_status_id, views[-1].last_status_id, full=len(views) >= page.limit)
    return b"[" + b",".join(shown) + b"]"


@endpoint("POST", "/api/v1/conversations/:id/read", scopes=("write:conversations",), returns="entity:Conversation")
async def read(call: Call, params: None) -> bytes:
    """Marks a conversation as read."""
    return await _mark(call, mark_read)


@endpoint("POST", "/api/v1/conversations/:id/unread", scopes=("write:conversations",), returns="entity:Conversation")
async def unread(call: Call, params: None) -> bytes:
    """Marks a conversation as unread."""
    return await _mark(call, mark_unread)


@endpoint("DELETE", "/api/v1/conversations/:id", scopes=("write:conversations",), returns="empty")
async def hide(call: Call, params: None) -> dict[str, object]:
    """Takes a conversation off the list."""
    conversation_id = call.id
    await call.api.db.write(lambda session: hide_conversation(session, call.actor, conversation_id))
    return {}


async def _mark(call: Call, verb: Callable[[WriteSession, int, int], Awaitable[None]]) -> bytes:
    conversation_id = call.id
    await call.api.db.write(lambda session: verb(session, call.actor, conversation_id))
    async with call.api.db.read() as session:
        view = await load_conversation(session, call.actor, conversation_id)
        return (await render_conversations(call.api.fragments, session, [view], call.actor))[0]
