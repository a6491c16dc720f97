"""Like: a favourite, or a reaction that counts as one."""

from phiomia.domain.errors import DomainError
from phiomia.domain.peers.tombstones import was_taken_back
from phiomia.domain.statuses.favourite import favourite
from phiomia.federation.inbox import ours
from phiomia.federation.inbox.context import PROCESSED, Activity, InboxContext, Outcome, ignored, rejected
from phiomia.federation.parse.values import id_of


async def handle(context: InboxContext, activity: Activity) -> Outcome:
    """Favourites a post of ours; what people elsewhere like of each other is not counted here."""
    async with context.db.read() as session:
        status = await ours.find_status(session, context.links, id_of(activity.object))
        if status is None or not status.local:
            return ignored("no post of ours")
        if await was_taken_back(session, activity.id):
            return ignored("taken back before")
    try:
        await context.db.write(lambda session: favourite(session, activity.actor.id, status.id, activity.id))
    except DomainError as error:
        return rejected(str(error))
    return PROCESSED


async def handle_reaction(_context: InboxContext, _activity: Activity) -> Outcome:
    """Ignores EmojiReact, as Mastodon does: one may react to a post several times, but favourite it only once."""
    return ignored("reactions are not kept")
