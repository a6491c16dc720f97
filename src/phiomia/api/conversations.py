"""Conversations: https://docs.joinmastodon.org/methods/conversations/"""

from phiomia.api.endpoint import Call, endpoint
from phiomia.api.paging import Paging, link
from phiomia.domain.statuses.conversations import list_conversations, load_conversation, mark_read
from phiomia.entities.conversation import render_conversations
from phiomia.platform import limits


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
    conversation_id = call.id
    await call.api.db.write(lambda session: mark_read(session, call.actor, conversation_id))
    async with call.api.db.read() as session:
        view = await load_conversation(session, call.actor, conversation_id)
        return (await render_conversations(call.api.fragments, session, [view], call.actor))[0]
