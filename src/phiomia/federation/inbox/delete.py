"""Delete: a post is gone, or a whole account."""

from phiomia.domain.collections.consent import withdraw_feature_consent
from phiomia.domain.errors import NotFound
from phiomia.domain.peers.tombstones import bury
from phiomia.domain.statuses.consent import withdraw_consent
from phiomia.domain.statuses.delete import delete_status
from phiomia.domain.statuses.known import find_by_uri
from phiomia.federation.inbox.accounts import forget_account
from phiomia.federation.inbox.context import PROCESSED, Activity, InboxContext, Outcome, ignored, rejected
from phiomia.federation.parse.values import id_of, same_host
from phiomia.platform.db import WriteSession


async def handle(context: InboxContext, activity: Activity) -> Outcome:
    """Deletes what is the actor's own, and remembers its name, so that a late Create does not bring it back."""
    uri = id_of(activity.object)
    if not uri:
        return rejected("nothing named")
    if uri == activity.actor.uri:
        await forget_account(context, activity.actor)
        return PROCESSED
    if not same_host(uri, activity.actor.uri):
        return rejected("of another server")

    async def delete(session: WriteSession) -> Outcome:
        stored = await find_by_uri(session, uri)
        if stored is None:
            if await withdraw_consent(session, activity.actor.id, uri):
                return PROCESSED
            if await withdraw_feature_consent(session, activity.actor.id, uri):
                return PROCESSED
            await bury(session, uri)
            return ignored("not known here")
        if stored.account_id != activity.actor.id:
            return rejected("somebody else's")
        await bury(session, uri)
        try:
            await delete_status(session, stored.account_id, stored.id, delete_media=True)
        except NotFound:
            return ignored("deleted meanwhile")
        return PROCESSED

    return await context.db.write(delete)
