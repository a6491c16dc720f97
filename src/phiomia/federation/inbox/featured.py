"""Add and Remove: what accounts elsewhere show on their profiles: posts they pin, hashtags, and whom they recommend."""

from phiomia.domain.errors import DomainError
from phiomia.domain.statuses.featured_tags import feature_tag, unfeature_tag_named
from phiomia.domain.statuses.known import find_by_uri
from phiomia.domain.statuses.pin import pin, unpin
from phiomia.domain.tags.normalise import normalise_tag
from phiomia.domain.tags.queries import find_tag
from phiomia.federation.inbox import recommend
from phiomia.federation.inbox.context import PROCESSED, Activity, InboxContext, Outcome, ignored, rejected
from phiomia.federation.parse.tags import hashtag_in
from phiomia.federation.parse.values import first, id_of, same_host


async def handle_add(context: InboxContext, activity: Activity) -> Outcome:
    """Pins one of the actor's own posts, or shows a hashtag."""
    if name := _hashtag(activity):
        return await _feature(context, activity, name)
    if (outcome := await recommend.add(context, activity)) is not None:
        return outcome
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
    """Takes one of the actor's own posts, or a hashtag, off the profile."""
    if name := _hashtag(activity):
        return await _unfeature(context, activity, name)
    if (outcome := await recommend.remove(context, activity)) is not None:
        return outcome
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


async def _feature(context: InboxContext, activity: Activity, name: str) -> Outcome:
    try:
        await context.db.write(lambda session: feature_tag(session, activity.actor.id, name))
    except DomainError as error:
        return ignored(str(error))
    return PROCESSED


async def _unfeature(context: InboxContext, activity: Activity, name: str) -> Outcome:
    async with context.db.read() as session:
        tag = await find_tag(session, normalise_tag(name))
    if tag is None:
        return ignored("not known here")
    await context.db.write(lambda session: unfeature_tag_named(session, activity.actor.id, tag.id))
    return PROCESSED


def _hashtag(activity: Activity) -> str:
    """The name of the hashtag that is meant; empty if it is about something else, or somebody else's profile."""
    target = id_of(activity.raw.get("target"))
    known = (activity.actor.featured_url, activity.actor.featured_tags_url)
    return hashtag_in(first(activity.object)) if target and target in known else ""


def _check(activity: Activity) -> Outcome | None:
    featured = activity.actor.featured_url
    if not featured or id_of(activity.raw.get("target")) != featured:
        return ignored("not the actor's featured posts")
    if not same_host(id_of(activity.object), activity.actor.uri):
        return rejected("somebody else's post")
    return None
