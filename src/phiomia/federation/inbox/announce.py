"""Announce: somebody elsewhere boosts a post, or a relay or group passes one on."""

from phiomia.domain.errors import DomainError
from phiomia.domain.peers.relays import is_relay
from phiomia.domain.peers.tombstones import is_buried, was_taken_back
from phiomia.domain.statuses.boost import boost
from phiomia.domain.statuses.relevance import is_followed_here
from phiomia.domain.statuses.visibility import Visibility
from phiomia.federation.inbox import ours
from phiomia.federation.inbox.context import PROCESSED, Activity, InboxContext, Outcome, ignored, rejected
from phiomia.federation.inbox.create import store_status
from phiomia.federation.inbox.patience import in_time
from phiomia.federation.parse.audience import parse_audience, visibility_of
from phiomia.federation.parse.moments import read_past_moment
from phiomia.federation.parse.note import is_post
from phiomia.federation.parse.values import first, id_of
from phiomia.platform.db import WriteSession


async def handle(context: InboxContext, activity: Activity) -> Outcome:
    """Boosts what is named, if the booster is followed here or the post is ours."""
    if isinstance(activity.object, dict) and activity.object.get("type") and not is_post(activity.object):
        return ignored("only posts can be boosted; groups name the post itself as well")
    uri = id_of(activity.object)
    if not uri or not activity.id:
        return rejected("nothing named, or no id")
    async with context.db.read() as session:
        if await was_taken_back(session, activity.id) or await is_buried(session, [uri]):
            return ignored("taken back before")
        relayed = await is_relay(session, activity.actor.uri)
        known = await ours.find_status(session, context.links, uri)
        wanted = relayed or (known is not None and known.local) or await is_followed_here(session, activity.actor.id)
    if not wanted:
        return ignored("nobody here follows the booster")
    if known is None and ours.is_ours(context.links, uri):
        return ignored("no post of ours")
    status_id = known.id if known else await _obtain(context, activity, uri)
    return PROCESSED if relayed else await _boost(context, activity, status_id)


async def _obtain(context: InboxContext, activity: Activity, uri: str) -> int:
    """What is boosted, fetched unless it came along: what is for followers alone nobody could fetch."""
    embedded = first(activity.object)
    if isinstance(embedded, dict) and id_of(embedded.get("attributedTo")) == activity.actor.uri:
        document = await context.resolver.trusted_object(embedded, activity.actor)
        return await store_status(context, document, activity.actor, 0)
    return await in_time(context.resolver.status(uri))


async def _boost(context: InboxContext, activity: Activity, status_id: int) -> Outcome:
    visibility = visibility_of(parse_audience(activity.raw), activity.actor.followers_url)

    async def write(session: WriteSession) -> None:
        await boost(
            session,
            activity.actor.id,
            status_id,
            min(visibility, Visibility.PRIVATE),
            uri=activity.id,
            created_at=read_past_moment(activity.raw.get("published")),
        )

    try:
        await context.db.write(write)
    except DomainError as error:
        return rejected(str(error))
    return PROCESSED
