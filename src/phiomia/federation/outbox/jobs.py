"""What has happened here becomes a document for other servers: one job for each kind of thing."""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, Protocol

from phiomia.domain.accounts.documents import load_actor
from phiomia.domain.accounts.queries import load_accounts
from phiomia.domain.accounts.views import AccountView
from phiomia.domain.errors import NotFound
from phiomia.domain.peers.parcels import trim_parcels
from phiomia.domain.statuses.documents import BoostView, NoteView, StatusReference, load_documents, load_references
from phiomia.domain.statuses.poll_titles import load_poll_titles
from phiomia.domain.statuses.recipients import (
    find_own_inbox,
    list_follower_inboxes,
    list_inboxes_of,
    list_known_inboxes,
)
from phiomia.domain.statuses.visibility import Visibility
from phiomia.federation.documents import activities, ids
from phiomia.federation.documents.actor import render_actor
from phiomia.federation.documents.note import render_note
from phiomia.federation.outbox.audience import Envelope, list_inboxes, load_envelope
from phiomia.federation.outbox.deliver import Deliver, Outbox, run_deliver
from phiomia.federation.outbox.featured_tags import SendFeaturedTag, send_featured_tag
from phiomia.federation.outbox.flags import SendFlag, send_flag
from phiomia.federation.outbox.forward import ForwardReply, forward_reply
from phiomia.federation.outbox.post import Post, send
from phiomia.federation.outbox.relays import AskRelay, ask_relay
from phiomia.platform.clock import HOUR
from phiomia.platform.db import ReadSession
from phiomia.platform.ids import new_id
from phiomia.platform.jobs import Job
from phiomia.platform.jobs.handlers import Handler
from phiomia.platform.jobs.periodic import Periodic

_SCAN_SECONDS = 60.0


class Context(Protocol):
    """What the handlers need of the worker's context."""

    @property
    def outbox(self) -> Outbox:
        """The way out."""
        ...


class SendStatus(Job, frozen=True):
    """Tell that a status is there; with `edited`, that it is another; with `counted`, how its poll stands."""

    TYPE = "outbox.send_status"

    status_id: int
    edited: bool = False
    counted: bool = False


class SendBoost(Job, frozen=True):
    """Tell that a member has boosted something."""

    TYPE = "outbox.send_boost"

    status_id: int


class SendDelete(Job, frozen=True):
    """Tell that a status or boost is gone; who had it has to be known beforehand."""

    TYPE = "outbox.send_delete"

    status_id: int
    account_id: int
    visibility: int
    people: list[int] = []
    touched: list[int] = []
    original_id: int | None = None


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


class Act(StrEnum):
    """What a member does to somebody elsewhere."""

    FOLLOW = "follow"
    UNFOLLOW = "unfollow"
    ACCEPT = "accept"
    REJECT = "reject"
    BLOCK = "block"
    UNBLOCK = "unblock"


class SendAct(Job, frozen=True):
    """Tell somebody elsewhere what a member did to them. `number` and `uri` name the follow or block."""

    TYPE = "outbox.send_act"

    act: str
    account_id: int
    target_id: int
    number: int
    uri: str = ""


class SendProfile(Job, frozen=True):
    """Tell followers that a profile is another."""

    TYPE = "outbox.send_profile"

    account_id: int


class SendPin(Job, frozen=True):
    """Tell followers that a status was pinned, or is no longer."""

    TYPE = "outbox.send_pin"

    status_id: int
    account_id: int
    gone: bool = False


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


class TrimOutbox(Job, frozen=True):
    """Forget what nobody tries to deliver any more."""

    TYPE = "outbox.trim"
    QUEUE = "scheduled"


async def send_status(context: Context, job: SendStatus) -> None:
    """Handler of SendStatus."""
    outbox = context.outbox

    async def load(session: ReadSession) -> tuple[NoteView, list[str]] | None:
        view = (await load_documents(session, [job.status_id])).get(job.status_id)
        if not isinstance(view, NoteView):
            return None
        row = view.status.row
        envelope = await load_envelope(session, row.id, row.account_id, row.visibility)
        if not (job.edited or job.counted):
            envelope = envelope._replace(touched=[])
        return view, await list_inboxes(session, envelope)

    found = await outbox.db.scan(load, _SCAN_SECONDS)
    if found is None or not found[1]:
        return
    view, inboxes = found
    row = view.status.row
    note = render_note(view, outbox.links)
    known = job.edited or job.counted
    document = activities.update(note, row.rev) if known else activities.create(note)
    post = Post(
        document,
        row.account_id,
        status_id=None if job.counted else row.id,
        for_followers=row.visibility == Visibility.PRIVATE,
    )
    await send(outbox, post, inboxes)


async def send_boost(context: Context, job: SendBoost) -> None:
    """Handler of SendBoost."""
    outbox = context.outbox

    async def load(session: ReadSession) -> tuple[BoostView, list[str]] | None:
        view = (await load_documents(session, [job.status_id])).get(job.status_id)
        if not isinstance(view, BoostView):
            return None
        envelope = Envelope(view.row.account_id, view.row.visibility, [view.original.account_id])
        return view, await list_inboxes(session, envelope)

    found = await outbox.db.scan(load, _SCAN_SECONDS)
    if found is None or not found[1]:
        return
    view, inboxes = found
    post = Post(activities.announce(view, outbox.links), view.row.account_id, status_id=view.row.id)
    await send(outbox, post._replace(for_followers=view.row.visibility == Visibility.PRIVATE), inboxes)


async def send_delete(context: Context, job: SendDelete) -> None:
    """Handler of SendDelete."""
    outbox = context.outbox

    async def load(session: ReadSession) -> tuple[AccountView, StatusReference | None, list[str]] | None:
        author = (await load_accounts(session, [job.account_id])).get(job.account_id)
        if author is None:
            return None
        wanted = [job.original_id] if job.original_id is not None else []
        original = (await load_references(session, wanted)).get(job.original_id or 0)
        people = [*job.people, original.account_id] if original is not None else job.people
        return (
            author,
            original,
            await list_inboxes(session, Envelope(job.account_id, job.visibility, people, job.touched)),
        )

    found = await outbox.db.scan(load, _SCAN_SECONDS)
    if found is None or not found[2]:
        return
    author, original, inboxes = found
    actor = outbox.links.actor(author)
    uri = outbox.links.status_uri(author.username, job.status_id)
    if job.original_id is None:
        await send(outbox, Post(activities.delete(actor, uri), job.account_id), inboxes)
    elif original is not None:
        undo = activities.unannounced(actor, uri, ids.status(outbox.links, original))
        await send(outbox, Post(undo, job.account_id), inboxes)


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
    async with outbox.db.read() as session:
        people = await load_accounts(session, [job.account_id, job.author_id])
        status = (await load_references(session, [job.status_id])).get(job.status_id)
        titles = await load_poll_titles(session, job.poll_id)
        inbox = await find_own_inbox(session, job.author_id)
    if status is None or inbox is None or len(people) < 2:
        return
    actor, author = outbox.links.actor(people[job.account_id]), outbox.links.actor(people[job.author_id])
    for choice in job.choices:
        if choice < len(titles):
            # The same vote has the same id however often it is sent.
            number = job.poll_id * 1_000 + choice
            vote = activities.vote(actor, number, ids.status(outbox.links, status), author, titles[choice])
            await send(outbox, Post(vote, job.account_id), [inbox])


async def send_act(context: Context, job: SendAct) -> None:
    """Handler of SendAct."""
    outbox = context.outbox
    async with outbox.db.read() as session:
        people = await load_accounts(session, [job.account_id, job.target_id])
        inbox = await find_own_inbox(session, job.target_id)
    if inbox is None or len(people) < 2:
        return
    actor, target = outbox.links.actor(people[job.account_id]), outbox.links.actor(people[job.target_id])
    await send(outbox, Post(_ACTS[Act(job.act)](actor, target, job), job.account_id), [inbox])


async def send_profile(context: Context, job: SendProfile) -> None:
    """Handler of SendProfile."""
    outbox = context.outbox

    async def load(session: ReadSession) -> tuple[Any, list[str]]:
        return await load_actor(session, job.account_id), await list_follower_inboxes(session, job.account_id)

    try:
        view, inboxes = await outbox.db.scan(load, _SCAN_SECONDS)
    except NotFound:
        return
    if inboxes:
        document = activities.update(render_actor(view, outbox.links), view.account.rev)
        await send(outbox, Post(document, job.account_id), inboxes)


async def send_pin(context: Context, job: SendPin) -> None:
    """Handler of SendPin."""
    outbox = context.outbox

    async def load(session: ReadSession) -> tuple[StatusReference | None, list[str]]:
        found = await load_references(session, [job.status_id])
        return found.get(job.status_id), await list_follower_inboxes(session, job.account_id)

    status, inboxes = await outbox.db.scan(load, _SCAN_SECONDS)
    if status is None:
        return
    actor = ids.author(outbox.links, status)
    change = activities.remove if job.gone else activities.add
    document = change(actor, ids.status(outbox.links, status), ids.featured(actor), new_id())
    await send(outbox, Post(document, job.account_id), inboxes)


async def send_move(context: Context, job: SendMove) -> None:
    """Handler of SendMove."""
    outbox = context.outbox

    async def load(session: ReadSession) -> tuple[dict[int, AccountView], list[str]]:
        people = await load_accounts(session, [job.account_id, job.target_id])
        return people, await list_follower_inboxes(session, job.account_id)

    people, inboxes = await outbox.db.scan(load, _SCAN_SECONDS)
    if len(people) == 2:
        actor, target = outbox.links.actor(people[job.account_id]), outbox.links.actor(people[job.target_id])
        await send(outbox, Post(activities.move(actor, target, job.number), job.account_id), inboxes)


async def send_farewell(context: Context, job: SendFarewell) -> None:
    """Handler of SendFarewell."""
    outbox = context.outbox
    inboxes = await outbox.db.scan(list_known_inboxes, _SCAN_SECONDS)
    actor = ids.actor_named(outbox.links, job.username)
    await send(outbox, Post(activities.delete(actor, actor), job.account_id), inboxes)


async def trim_outbox(context: Context, _job: TrimOutbox) -> None:
    """Handler of TrimOutbox."""
    await context.outbox.db.write(trim_parcels)


def _follow(actor: str, target: str, job: SendAct) -> activities.Document:
    return activities.follow(actor, job.number, target, job.uri)


def _unfollow(actor: str, target: str, job: SendAct) -> activities.Document:
    return activities.undo(_follow(actor, target, job))


def _accept(actor: str, target: str, job: SendAct) -> activities.Document:
    # Who asks again has not heard the first answer: it needs an id that was not seen there.
    return activities.accept(actor, activities.followed_by(job.uri, target, actor), new_id())


def _reject(actor: str, target: str, job: SendAct) -> activities.Document:
    return activities.reject(actor, activities.followed_by(job.uri, target, actor), new_id())


def _block(actor: str, target: str, job: SendAct) -> activities.Document:
    return activities.block(actor, job.number, target)


def _unblock(actor: str, target: str, job: SendAct) -> activities.Document:
    return activities.undo(_block(actor, target, job))


_ACTS: Mapping[Act, Callable[[str, str, SendAct], activities.Document]] = {
    Act.FOLLOW: _follow,
    Act.UNFOLLOW: _unfollow,
    Act.ACCEPT: _accept,
    Act.REJECT: _reject,
    Act.BLOCK: _block,
    Act.UNBLOCK: _unblock,
}

HANDLERS: Iterable[Handler] = (
    Handler(Deliver, run_deliver),
    Handler(SendStatus, send_status),
    Handler(SendBoost, send_boost),
    Handler(SendDelete, send_delete),
    Handler(SendFavourite, send_favourite),
    Handler(SendVote, send_vote),
    Handler(SendAct, send_act),
    Handler(SendProfile, send_profile),
    Handler(SendPin, send_pin),
    Handler(SendFeaturedTag, send_featured_tag),
    Handler(SendFlag, send_flag),
    Handler(SendMove, send_move),
    Handler(SendFarewell, send_farewell),
    Handler(AskRelay, ask_relay),
    Handler(ForwardReply, forward_reply),
    Handler(TrimOutbox, trim_outbox),
)
PERIODIC = (Periodic("outbox.trim", HOUR, TrimOutbox),)
