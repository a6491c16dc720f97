"""Follow: somebody elsewhere wants to follow one of ours."""

from phiomia.domain.errors import DomainError, NotAllowed
from phiomia.domain.peers.tombstones import was_taken_back
from phiomia.domain.relationships.follow import follow
from phiomia.domain.relationships.refuse import refuse_follow
from phiomia.federation.inbox import follow_server, ours
from phiomia.federation.inbox.context import PROCESSED, Activity, InboxContext, Outcome, ignored, rejected
from phiomia.federation.parse.values import id_of


async def handle(context: InboxContext, activity: Activity) -> Outcome:
    """Follows, asks or is refused; what the side effects of that send back is the answer."""
    if follow_server.is_for_server(context, activity):
        return await follow_server.handle(context, activity)
    actor_id, uri = activity.actor.id, activity.id
    async with context.db.read() as session:
        target_id = await ours.find_account(session, context.links, id_of(activity.object))
        if target_id is None:
            return ignored("nobody here")
        if await was_taken_back(session, uri):
            return ignored("taken back before")
    try:
        await context.db.write(lambda session: follow(session, actor_id, target_id, uri=uri))
    except NotAllowed:
        await context.db.write(lambda session: refuse_follow(session, actor_id, target_id, uri))
        return rejected("blocked, or the account has moved")
    except DomainError as error:
        return rejected(str(error))
    return PROCESSED
