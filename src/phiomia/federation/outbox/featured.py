"""Followers elsewhere learn what a member shows on the profile: statuses that are pinned, and hashtags."""

from phiomia.domain.accounts.queries import load_accounts
from phiomia.domain.accounts.views import AccountView
from phiomia.domain.statuses.documents import StatusReference, load_references
from phiomia.domain.statuses.recipients import list_follower_inboxes
from phiomia.federation.documents import activities, ids
from phiomia.federation.documents.tags import render_hashtag
from phiomia.federation.outbox.post import Post, send
from phiomia.federation.outbox.telling import Context, scan
from phiomia.platform.db import ReadSession
from phiomia.platform.ids import new_id
from phiomia.platform.jobs import Job
from phiomia.platform.jobs.handlers import Handler


class SendPin(Job, frozen=True):
    """Tell followers that a status was pinned, or is no longer."""

    TYPE = "outbox.send_pin"

    status_id: int
    account_id: int
    gone: bool = False


class SendFeaturedTag(Job, frozen=True):
    """Tell followers that a hashtag is on the profile, or is no longer."""

    TYPE = "outbox.send_featured_tag"

    account_id: int
    key: str
    name: str
    gone: bool = False


async def send_pin(context: Context, job: SendPin) -> None:
    """Handler of SendPin."""
    outbox = context.outbox

    async def load(session: ReadSession) -> tuple[StatusReference | None, list[str]]:
        found = await load_references(session, [job.status_id])
        return found.get(job.status_id), await list_follower_inboxes(session, job.account_id)

    status, inboxes = await scan(outbox, load)
    if status is None:
        return
    actor = ids.author(outbox.links, status)
    change = activities.remove if job.gone else activities.add
    document = change(actor, ids.status(outbox.links, status), ids.featured(actor), new_id())
    await send(outbox, Post(document, job.account_id), inboxes)


async def send_featured_tag(context: Context, job: SendFeaturedTag) -> None:
    """Handler of SendFeaturedTag."""
    outbox = context.outbox

    async def load(session: ReadSession) -> tuple[AccountView | None, list[str]]:
        people = await load_accounts(session, [job.account_id])
        return people.get(job.account_id), await list_follower_inboxes(session, job.account_id)

    view, inboxes = await scan(outbox, load)
    if view is None:
        return
    actor = outbox.links.actor(view)
    change = activities.remove if job.gone else activities.add
    hashtag = render_hashtag(job.key, job.name, outbox.links)
    # Not the list of hashtags: Mastodon looks for them beside the pins.
    await send(outbox, Post(change(actor, hashtag, ids.featured(actor), new_id()), job.account_id), inboxes)


HANDLERS = (Handler(SendPin, send_pin), Handler(SendFeaturedTag, send_featured_tag))
