"""Joining and leaving relays. In Mastodon's way one follows the public at the relay, in LitePub's its actor."""

from phiomia.federation.documents import activities, ids
from phiomia.federation.outbox.post import Post, send
from phiomia.federation.outbox.telling import Context
from phiomia.platform.ids import new_id
from phiomia.platform.jobs import Job


class AskRelay(Job, frozen=True):
    """Ask a relay to let the server in, or with `leave` say that it goes."""

    TYPE = "outbox.ask_relay"

    inbox: str
    follow_uri: str
    actor_uri: str = ""
    leave: bool = False


def name_follow(base_url: str) -> str:
    """A fresh id for the Follow that asks a relay."""
    return f"{base_url}/actor#relays/{new_id()}"


async def ask_relay(context: Context, job: AskRelay) -> None:
    """Handler of AskRelay."""
    outbox = context.outbox
    actor = ids.instance_actor(outbox.links)
    follow = activities.follow(actor, 0, job.actor_uri or ids.PUBLIC, job.follow_uri)
    await send(outbox, Post(activities.undo(follow) if job.leave else follow, None), [job.inbox])
