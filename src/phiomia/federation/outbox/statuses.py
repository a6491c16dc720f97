"""A member's statuses and boosts go out, what becomes of them, and that they are gone."""

from phiomia.domain.accounts.queries import load_accounts
from phiomia.domain.accounts.views import AccountView
from phiomia.domain.statuses.documents import BoostView, NoteView, StatusReference, load_documents, load_references
from phiomia.domain.statuses.visibility import Visibility
from phiomia.federation.documents import activities, ids
from phiomia.federation.documents.note import render_note
from phiomia.federation.outbox.audience import Envelope, list_inboxes, load_envelope
from phiomia.federation.outbox.post import Post, send
from phiomia.federation.outbox.telling import Context, scan
from phiomia.platform.db import ReadSession
from phiomia.platform.jobs import Job
from phiomia.platform.jobs.handlers import Handler


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


async def send_status(context: Context, job: SendStatus) -> None:
    """Handler of SendStatus."""
    outbox = context.outbox
    known = job.edited or job.counted

    async def load(session: ReadSession) -> tuple[NoteView, list[str]] | None:
        view = (await load_documents(session, [job.status_id])).get(job.status_id)
        if not isinstance(view, NoteView):
            return None
        return view, await list_inboxes(session, await load_envelope(session, view, known=known))

    found = await scan(outbox, load)
    if found is None or not found[1]:
        return
    view, inboxes = found
    row = view.status.row
    note = render_note(view, outbox.links)
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

    found = await scan(outbox, load)
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

    found = await scan(outbox, load)
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


HANDLERS = (
    Handler(SendStatus, send_status),
    Handler(SendBoost, send_boost),
    Handler(SendDelete, send_delete),
)
