"""Follow of the server itself: relays of LitePub's kind follow back whoever has joined them; nobody else needs to."""

from phiomia.domain.peers.relays import RelayState, list_relays
from phiomia.federation.documents import ids
from phiomia.federation.inbox.context import PROCESSED, Activity, InboxContext, Outcome, rejected
from phiomia.federation.outbox.relays import AnswerRelay
from phiomia.federation.parse.values import id_of, same_host
from phiomia.platform.jobs import defer


def is_for_server(context: InboxContext, activity: Activity) -> bool:
    """Whether it is the server's own actor that shall be followed."""
    return id_of(activity.object) == ids.instance_actor(context.links)


async def handle(context: InboxContext, activity: Activity) -> Outcome:
    """Says yes to relays that were asked to let us in, and no to everybody else."""
    async with context.db.read() as session:
        relays = await list_relays(session)
    joined = any(
        relay.state != RelayState.REJECTED
        and (relay.actor_uri == activity.actor.uri or same_host(relay.inbox_url, activity.actor.uri))
        for relay in relays
    )
    answer = AnswerRelay(activity.actor.inbox_url, activity.id, activity.actor.uri, accepted=joined)
    await context.db.write(lambda session: defer(session, answer))
    return PROCESSED if joined else rejected("the server can't be followed")
