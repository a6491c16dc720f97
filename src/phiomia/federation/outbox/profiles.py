"""Followers elsewhere hear of a member's profile, of a move, and that an account is gone."""

from typing import Any

from phiomia.domain.accounts.documents import load_actor
from phiomia.domain.accounts.queries import load_accounts
from phiomia.domain.accounts.views import AccountView
from phiomia.domain.errors import NotFound
from phiomia.domain.statuses.recipients import list_follower_inboxes, list_known_inboxes
from phiomia.federation.documents import activities, ids
from phiomia.federation.documents.actor import render_actor
from phiomia.federation.outbox.post import Post, send
from phiomia.federation.outbox.telling import Context, scan
from phiomia.platform.db import ReadSession
from phiomia.platform.jobs import Job
from phiomia.platform.jobs.handlers import Handler


class SendProfile(Job, frozen=True):
    """Tell followers that a profile is another."""

    TYPE = "outbox.send_profile"

    account_id: int


class SendMove(Job, frozen=True):
    """Tell followers where a member lives from now on."""

    TYPE = "outbox.send_move"

    account_id: int
    target_id: int
    number: int


class SendFarewell(Job, frozen=True):
    """Tell everybody that an account is gone."""

    TYPE = "outbox.send_farewell"

    account_id: int
    username: str


async def send_profile(context: Context, job: SendProfile) -> None:
    """Handler of SendProfile."""
    outbox = context.outbox

    async def load(session: ReadSession) -> tuple[Any, list[str]]:
        return await load_actor(session, job.account_id), await list_follower_inboxes(session, job.account_id)

    try:
        view, inboxes = await scan(outbox, load)
    except NotFound:
        return
    if inboxes:
        document = activities.update(render_actor(view, outbox.links), view.account.rev)
        await send(outbox, Post(document, job.account_id), inboxes)


async def send_move(context: Context, job: SendMove) -> None:
    """Handler of SendMove."""
    outbox = context.outbox

    async def load(session: ReadSession) -> tuple[dict[int, AccountView], list[str]]:
        people = await load_accounts(session, [job.account_id, job.target_id])
        return people, await list_follower_inboxes(session, job.account_id)

    people, inboxes = await scan(outbox, load)
    if len(people) == 2:
        actor, target = outbox.links.actor(people[job.account_id]), outbox.links.actor(people[job.target_id])
        await send(outbox, Post(activities.move(actor, target, job.number), job.account_id), inboxes)


async def send_farewell(context: Context, job: SendFarewell) -> None:
    """Handler of SendFarewell."""
    outbox = context.outbox
    inboxes = await scan(outbox, list_known_inboxes)
    actor = ids.actor_named(outbox.links, job.username)
    await send(outbox, Post(activities.delete(actor, actor), job.account_id), inboxes)


HANDLERS = (
    Handler(SendProfile, send_profile),
    Handler(SendMove, send_move),
    Handler(SendFarewell, send_farewell),
)
