"""Add and Remove: what accounts elsewhere pin to their profiles."""

from phiomia.domain.errors import DomainError
from phiomia.domain.statuses.known import find_by_uri
from phiomia.domain.statuses.pin import pin, unpin
from phiomia.federation.inbox.context import PROCESSED, Activity, InboxContext, Outcome, ignored, rejected
from phiomia.federation.parse.values import first, id_of, same_host, types


async def handle_add(context: InboxContext, activity: Activity) -> Outcome:
    """Pins one of the actor's own posts."""
    if (refusal := _check(activity)) is not None:
        return refusal
    uri = id_of(activity.object)
    status_id = await context.resolver.status(uri)
    try:
        await context.db.write(lambda session: pin(session, activity.actor.id, status_id))
    except DomainError as error:
        return ignored(str(error))
    return PROCESSED


async def handle_remove(context: InboxContext, activity: Activity) -> Outcome:
    """Takes one of the actor's own posts off the profile."""
    if (refusal := _check(activity)) is not None:
        return refusal
    async with context.db.read() as session:
        status = await find_by_uri(session, id_of(activity.object))
    if status is None or status.account_id != activity.actor.id:
        return ignored("not known here")
    try:
        await context.db.write(lambda session: unpin(session, activity.actor.id, status.id))
    except DomainError as error:
        return ignored(str(error))
    return PROCESSED


def _check(activity: Activity) -> Outcome | None:
    featured = activity.actor.featured_url
    if not featured or id_of(activity.raw.get("target")) != featured:
        return ignored("not the actor's featured posts")
    if "Hashtag" in types(first(activity.object)):
        return ignored("featured hashtags of others are not kept")
    if not same_host(id_of(activity.object), activity.actor.uri):
        return rejected("somebody else's post")
    return None
