"""Followers elsewhere learn which hashtags a member shows on the profile."""

from typing import Protocol

from phiomia.domain.accounts.queries import load_accounts
from phiomia.domain.accounts.views import AccountView
from phiomia.domain.statuses.recipients import list_follower_inboxes
from phiomia.federation.documents import activities, ids
from phiomia.federation.documents.tags import render_hashtag
from phiomia.federation.outbox.deliver import Outbox
from phiomia.federation.outbox.post import Post, send
from phiomia.platform.db import ReadSession
from phiomia.platform.ids import new_id
from phiomia.platform.jobs import Job

_SCAN_SECONDS = 60.0


class SendFeaturedTag(Job, frozen=True):
    """Tell followers that a hashtag is on the profile, or is no longer."""

    TYPE = "outbox.send_featured_tag"

    account_id: int
    key: str
    name: str
    gone: bool = False


class Context(Protocol):
    """What the handler needs of the worker's context."""

    @property
    def outbox(self) -> Outbox:
        """The way out."""
        ...


async def send_featured_tag(context: Context, job: SendFeaturedTag) -> None:
    """Handler of SendFeaturedTag."""
    outbox = context.outbox

    async def load(session: ReadSession) -> tuple[AccountView | None, list[str]]:
        people = await load_accounts(session, [job.account_id])
        return people.get(job.account_id), await list_follower_inboxes(session, job.account_id)

    view, inboxes = await outbox.db.scan(load, _SCAN_SECONDS)
    if view is None:
        return
    actor = outbox.links.actor(view)
    change = activities.remove if job.gone else activities.add
    hashtag = render_hashtag(job.key, job.name, outbox.links)
    await send(outbox, Post(change(actor, hashtag, ids.featured_tags(actor), new_id()), job.account_id), inboxes)
