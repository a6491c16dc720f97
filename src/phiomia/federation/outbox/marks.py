"""Authors elsewhere hear what members think of their statuses: favourites, and votes in polls."""

from phiomia.domain.accounts.queries import load_accounts
from phiomia.domain.statuses.documents import load_references
from phiomia.domain.statuses.poll_titles import load_poll_titles
from phiomia.domain.statuses.recipients import list_inboxes_of
from phiomia.federation.documents import activities, ids
from phiomia.federation.outbox.post import Post, send
from phiomia.federation.outbox.telling import Context, find_two
from phiomia.platform.jobs import Job
from phiomia.platform.jobs.handlers import Handler


class SendFavourite(Job, frozen=True):
    """Tell an author elsewhere of a favourite, or that it was taken back."""

    TYPE = "outbox.send_favourite"

    status_id: int
    account_id: int
    author_id: int
    favourite_id: int
    undo: bool = False


class SendVote(Job, frozen=True):
    """Tell an author elsewhere how a member voted."""

    TYPE = "outbox.send_vote"

    status_id: int
    poll_id: int
    account_id: int
    author_id: int
    choices: list[int]


async def send_favourite(context: Context, job: SendFavourite) -> None:
    """Handler of SendFavourite."""
    outbox = context.outbox
    async with outbox.db.read() as session:
        actor = (await load_accounts(session, [job.account_id])).get(job.account_id)
        status = (await load_references(session, [job.status_id])).get(job.status_id)
        inboxes = await list_inboxes_of(session, [job.author_id])
    if actor is None or status is None:
        return
    like = activities.like(outbox.links.actor(actor), job.favourite_id, ids.status(outbox.links, status))
    await send(outbox, Post(activities.undo(like) if job.undo else like, job.account_id), inboxes)


async def send_vote(context: Context, job: SendVote) -> None:
    """Handler of SendVote: one activity for each answer."""
    outbox = context.outbox
    two = await find_two(outbox, job.account_id, job.author_id)
    async with outbox.db.read() as session:
        status = (await load_references(session, [job.status_id])).get(job.status_id)
        titles = await load_poll_titles(session, job.poll_id)
    if two is None or status is None:
        return
    for choice in job.choices:
        if choice < len(titles):
            # The same vote has the same id however often it is sent.
            number = job.poll_id * 1_000 + choice
            vote = activities.vote(two.actor, number, ids.status(outbox.links, status), two.target, titles[choice])
            await send(outbox, Post(vote, job.account_id), [two.inbox])


HANDLERS = (Handler(SendFavourite, send_favourite), Handler(SendVote, send_vote))
