"""Asks for a status of another server again while somebody looks at it: what its poll has counted by now."""

from phiomia.federation.inbox.context import InboxContext, Unresolved
from phiomia.federation.inbox.create import is_by
from phiomia.federation.inbox.placing import Arrival, place
from phiomia.federation.inbox.update import apply_revision
from phiomia.federation.parse.note import parse_note
from phiomia.federation.parse.values import Rejected


async def look_again(context: InboxContext, uri: str) -> None:
    """Takes over what the status's server says of it now. Raises Unresolved."""
    document = await context.resolver.document(uri)
    try:
        note = parse_note(document)
    except Rejected as error:
        raise Unresolved(str(error)) from None
    author = await context.resolver.known_account(next(iter(note.authors), ""))
    if author is None or author.suspended or not is_by(note, author):
        raise Unresolved("the status is somebody else's")
    async with context.db.read() as session:
        placed = await place(session, context, note, author, Arrival(delivered=False))
    if placed.stored is not None and placed.stored.account_id == author.id:
        await context.db.write(lambda session: apply_revision(session, note, placed))
