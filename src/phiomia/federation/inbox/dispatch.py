"""Which handler carries out which activity."""

from collections.abc import Mapping
from typing import Final

from phiomia.federation.inbox import (
    announce,
    answers,
    block,
    create,
    delete,
    featured,
    flag,
    follow,
    like,
    move,
    quotes,
    recommend,
    undo,
    unkept,
    update,
)
from phiomia.federation.inbox.context import Activity, Handler, InboxContext, Outcome, ignored

HANDLERS: Final[Mapping[str, Handler]] = {
    "Accept": answers.handle_accept,
    "Add": featured.handle_add,
    "Announce": announce.handle,
    "AnnounceRequest": unkept.handle_interaction_request,
    "Block": block.handle,
    "Create": create.handle,
    "Delete": delete.handle,
    "EmojiReact": like.handle_reaction,
    "FeatureRequest": recommend.handle_request,
    "Flag": flag.handle_flag,
    "Follow": follow.handle,
    "Like": like.handle,
    "LikeRequest": unkept.handle_interaction_request,
    "Move": move.handle,
    "QuoteRequest": quotes.handle_request,
    "Reject": answers.handle_reject,
    "Remove": featured.handle_remove,
    "ReplyRequest": unkept.handle_interaction_request,
    "Undo": undo.handle,
    "Update": update.handle,
}


async def dispatch(context: InboxContext, activity: Activity) -> Outcome:
    """Carries out an activity; what is not understood is ignored."""
    handle = HANDLERS.get(activity.type)
    if handle is None:
        return ignored(f"activities of type {activity.type!r} mean nothing here")
    return await handle(context, activity)
