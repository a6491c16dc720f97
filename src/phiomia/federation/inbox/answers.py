"""Accept and Reject: what others answer to what we asked."""

import re
from typing import Any, Final

from phiomia.domain.errors import NotFound
from phiomia.domain.peers.relays import list_relays, note_relay_answer
from phiomia.domain.relationships.ending import end_follow, end_request
from phiomia.domain.relationships.follow_requests import authorize_follow_request
from phiomia.domain.relationships.named import Pair, find_sent
from phiomia.federation.inbox import ours, quotes, recommend
from phiomia.federation.inbox.context import PROCESSED, Activity, InboxContext, Outcome, ignored
from phiomia.federation.parse.values import first, id_of, same_host, types
from phiomia.platform.db import ReadSession, WriteSession

_NUMBER: Final = re.compile(r"([0-9]{1,19})/?\Z")
_NO_FOLLOW: Final = "no follow of ours that was sent to this actor"


async def handle_accept(context: InboxContext, activity: Activity) -> Outcome:
    """The member who asked follows from now on; or a relay has let us in."""
    pair = await _find_follow(context, activity, accepted=True)
    if isinstance(pair, Outcome):
        return pair
    try:
        await context.db.write(lambda session: authorize_follow_request(session, pair.target_id, pair.account_id))
    except NotFound:
        return ignored("accepted before, or no longer asked")
    return PROCESSED


async def handle_reject(context: InboxContext, activity: Activity) -> Outcome:
    """The request is over, or a follow that stood; or a relay does not want us."""
    pair = await _find_follow(context, activity, accepted=False)
    if isinstance(pair, Outcome):
        return pair

    async def end(session: WriteSession) -> bool:
        asked = await end_request(session, pair.account_id, pair.target_id, by_target=True)
        return await end_follow(session, pair.account_id, pair.target_id, by_target=True) or asked

    return PROCESSED if await context.db.write(end) else ignored("over already")


async def _find_follow(context: InboxContext, activity: Activity, *, accepted: bool) -> Pair | Outcome:
    """Which follow is answered; if something else is, what became of it."""
    if await _is_for_relay(context, activity, accepted=accepted):
        return PROCESSED
    if quotes.is_answer(activity):
        return await quotes.take_answer(context, activity, accepted=accepted)
    if recommend.is_answer(activity):
        return await recommend.take_answer(context, activity, accepted=accepted)
    if (other := _other_than_follow(activity.object)) is not None:
        return other
    async with context.db.read() as session:
        return await find_sent_follow(session, context, activity) or ignored(_NO_FOLLOW)


async def find_sent_follow(session: ReadSession, context: InboxContext, activity: Activity) -> Pair | None:
    """Which member's follow of the actor is meant: named by its parts, or by the id that we gave it."""
    value = first(activity.object)
    if isinstance(value, dict):
        member_id = await ours.find_account(session, context.links, id_of(value.get("actor")))
        if member_id is not None and id_of(value.get("object")) in (activity.actor.uri, ""):
            return Pair(member_id, activity.actor.id)
    uri = id_of(activity.object)
    if not ours.is_ours(context.links, uri):
        return None
    match = _NUMBER.search(uri)
    number = int(match[1]) if match else 0
    return await find_sent(session, activity.actor.id, number if number < 1 << 63 else 0, uri)


async def _is_for_relay(context: InboxContext, activity: Activity, *, accepted: bool) -> bool:
    uri = id_of(activity.object)
    async with context.db.read() as session:
        relays = await list_relays(session)
    asked = [relay for relay in relays if same_host(relay.inbox_url, activity.actor.uri)]
    if not any(uri == relay.follow_uri for relay in asked):
        return False
    return await context.db.write(
        lambda session: note_relay_answer(session, uri, activity.actor.uri, accepted=accepted)
    )


def _other_than_follow(value: Any) -> Outcome | None:
    value = first(value)
    kinds = types(value)
    if isinstance(value, dict) and kinds and "Follow" not in kinds:
        return ignored(f"answers to a {min(kinds)[:40]} mean nothing here")
    return None
