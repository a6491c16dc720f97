"""Documents of statuses: the Note or Question itself, and the activity that made it known."""

from typing import NamedTuple

from phiomia.domain.accounts.state import AccountState
from phiomia.domain.errors import NotAllowed, NotFound
from phiomia.domain.relationships.domain_block import blocks_server_of
from phiomia.domain.statuses.collections import StatusHead, find_status_head
from phiomia.domain.statuses.documents import BoostView, NoteView, StatusReference, load_documents, load_references
from phiomia.domain.statuses.queries import load_row
from phiomia.domain.statuses.tombstones import find_tombstone
from phiomia.domain.statuses.visibility import Visibility
from phiomia.entities.links import Links
from phiomia.federation.actors import read_id
from phiomia.federation.context import Federation
from phiomia.federation.documents import activities, ids
from phiomia.federation.documents.contexts import declare
from phiomia.federation.documents.note import render_note
from phiomia.federation.documents.rendered import Rendered, encode
from phiomia.federation.responder import Ask, Gone
from phiomia.platform.clock import now_ms
from phiomia.platform.db import ReadSession
from phiomia.platform.paging import HIGHEST_ID


class _Wanted(NamedTuple):
    """The status of an address, once it is known that it may be given away."""

    head: StatusHead
    original: StatusReference | None


async def give_status(ask: Ask) -> None:
    """A status. A boost is known by the id of its activity; here one is sent to what it shares."""
    wanted = await find_wanted(ask)
    if wanted.original is not None:
        ask.go(ids.status(ask.federation.links, wanted.original))
        return
    federation, head, now = ask.federation, wanted.head, now_ms()
    kept = federation.shelves.notes.find(head.id, head.rev, now)
    if kept is None:
        kept = await _render_note(federation, head.id, now)
        federation.shelves.notes.put(head.id, kept)
    ask.answer(kept)


async def give_activity(ask: Ask) -> None:
    """The Create of a status, or the Announce of a boost."""
    wanted = await find_wanted(ask)
    federation, head, now = ask.federation, wanted.head, now_ms()
    kept = federation.shelves.activities.find(head.id, head.rev, now)
    if kept is None:
        kept = await _render_activity(federation, head.id, now)
        federation.shelves.activities.put(head.id, kept)
    ask.answer(kept)


async def find_wanted(ask: Ask) -> _Wanted:
    """The status of the address, if the asker may see it. Raises NotFound, Gone, NotAllowed, SignatureRefused."""
    await ask.admit()
    status_id = read_id(ask.path["status_id"])
    async with ask.federation.db.read() as session:
        head = await _find_head(ask, session, status_id)
        if head.visibility <= Visibility.UNLISTED and not ask.private:
            return await _with_original(session, head, None)
    if not ask.signed:
        raise NotFound
    # The key of who asks may have to be fetched: nothing may be open meanwhile.
    viewer = await ask.find_viewer()
    async with ask.federation.db.read() as session:
        if viewer is not None and await blocks_server_of(session, head.account_id, viewer):
            raise NotFound
        await load_row(session, status_id, viewer)
        return await _with_original(session, head, viewer)


async def _find_head(ask: Ask, session: ReadSession, status_id: int) -> StatusHead:
    head = await find_status_head(session, status_id)
    username = ask.path["username"]
    if head is None:
        await _raise_gone(session, ask.federation.links, username, status_id)
        raise NotFound
    if not head.local or head.username.lower() != username.lower():
        raise NotFound
    if head.account_state == AccountState.SUSPENDED:
        raise NotAllowed
    return head


async def _raise_gone(session: ReadSession, links: Links, username: str, status_id: int) -> None:
    uri = links.status_uri(username, status_id)
    deleted = await find_tombstone(session, uri)
    if deleted is not None:
        raise Gone({"id": uri, "type": "Tombstone", "formerType": "Note", "deleted": ids.stamp(deleted)})


async def _with_original(session: ReadSession, head: StatusHead, viewer: int | None) -> _Wanted:
    if head.reblog_of_id is None:
        return _Wanted(head, None)
    await load_row(session, head.id, viewer)  # what a boost shares must be visible as well
    original = (await load_references(session, [head.reblog_of_id])).get(head.reblog_of_id)
    if original is None:
        raise NotFound
    return _Wanted(head, original)


async def _render_note(federation: Federation, status_id: int, now: int) -> Rendered:
    view = await _load(federation, status_id)
    if not isinstance(view, NoteView):
        raise NotFound
    return encode(declare(render_note(view, federation.links, now)), view.status.row.rev, _until(view, now))


async def _render_activity(federation: Federation, status_id: int, now: int) -> Rendered:
    view = await _load(federation, status_id)
    if isinstance(view, BoostView):
        # What stands in it changes by a revision of its own.
        until = HIGHEST_ID if view.note is None else now
        return encode(activities.announce(view, federation.links), view.row.rev, until)
    document = activities.create(render_note(view, federation.links, now))
    return encode(document, view.status.row.rev, _until(view, now))


def _until(view: NoteView, now: int) -> int:
    poll = view.status.poll
    return poll.expires_at if poll and poll.expires_at is not None and poll.expires_at > now else HIGHEST_ID


async def _load(federation: Federation, status_id: int) -> NoteView | BoostView:
    async with federation.db.read() as session:
        found = await load_documents(session, [status_id])
    if status_id not in found:  # deleted in this moment
        raise NotFound
    return found[status_id]
