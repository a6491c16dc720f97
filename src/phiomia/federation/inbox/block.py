"""Block: somebody elsewhere wants nothing to do with one of ours."""

from phiomia.domain.errors import DomainError
from phiomia.domain.peers.tombstones import was_taken_back
from phiomia.domain.relationships.block import block
from phiomia.federation.inbox import ours
from phiomia.federation.inbox.context import PROCESSED, Activity, InboxContext, Outcome, ignored, rejected
from phiomia.federation.parse.values import id_of


async def handle(context: InboxContext, activity: Activity) -> Outcome:
    """Blocks on the actor's behalf; blocks within communities of other servers are no business of ours."""
    actor_id, uri = activity.actor.id, activity.id
    async with context.db.read() as session:
        target_id = await ours.find_account(session, context.links, id_of(activity.object))
        if target_id is None:
            return ignored("nobody here")
        if await was_taken_back(session, uri):
            return ignored("taken back before")
    try:
        await context.db.write(lambda session: block(session, actor_id, target_id, uri=uri))
    except DomainError as error:
        return rejected(str(error))
    return PROCESSED
