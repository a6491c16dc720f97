"""Joining and leaving relays. In Mastodon's way one follows the public at the relay, in LitePub's its actor."""

from phiomia.federation.documents import activities, ids
from phiomia.federation.outbox.post import Post, send
from phiomia.federation.outbox.telling import Context
from phiomia.platform.ids import new_id
from phiomia.platform.jobs import Job
from phiomia.platform.jobs.handlers import Handler


class AskRelay(Job, frozen=True):
    """Ask a relay to let the server in, or with `leave` say that it goes."""

    TYPE = "outbox.ask_relay"

    inbox: str
    follow_uri: str
    actor_uri: str = ""
    leave: bool = False


class AnswerRelay(Job, frozen=True):
    """Answer an actor that wants to follow the server itself."""

    TYPE = "outbox.answer_relay"

    inbox: str
    follow_uri: str
    actor_uri: str
    accepted: bool


def name_follow(base_url: str) -> str:
    """A fresh id for the Follow that asks a relay."""
    return f"{base_url}/actor#relays/{new_id()}"


async def ask_relay(context: Context, job: AskRelay) -> None:
    """Handler of AskRelay."""
    outbox = context.outbox
    actor = ids.instance_actor(outbox.links)
    follow = activities.follow(actor, 0, job.actor_uri or ids.PUBLIC, job.follow_uri)
    await send(outbox, Post(activities.undo(follow) if job.leave else follow, None), [job.inbox])


async def answer_relay(context: Context, job: AnswerRelay) -> None:
    """Handler of AnswerRelay."""
    actor = ids.instance_actor(context.outbox.links)
    answer = activities.accept if job.accepted else activities.reject
    document = answer(actor, activities.followed_by(job.follow_uri, job.actor_uri, actor), new_id())
    await send(context.outbox, Post(document, None), [job.inbox])


HANDLERS = (Handler(AskRelay, ask_relay), Handler(AnswerRelay, answer_relay))
