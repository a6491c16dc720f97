"""Votes: Notes with nothing but a name, in answer to a poll of ours."""

from collections.abc import Sequence
from typing import Final

from phiomia.domain.accounts.remote import Actor
from phiomia.domain.errors import DomainError
from phiomia.domain.statuses.known import find_answers
from phiomia.domain.statuses.vote import vote
from phiomia.federation.inbox import ours
from phiomia.federation.inbox.context import PROCESSED, Document, InboxContext, Outcome, ignored, rejected
from phiomia.federation.parse.values import id_of, words

MOST: Final = 64


async def take(context: InboxContext, actor: Actor, notes: Sequence[Document]) -> Outcome:
    """Counts what somebody elsewhere chose in one poll of ours."""
    polls = {id_of(note.get("inReplyTo")) for note in notes}
    if len(polls) != 1:
        return rejected("votes in several polls")
    async with context.db.read() as session:
        status = await ours.find_status(session, context.links, polls.pop())
        answers = await find_answers(session, status.id) if status and status.local else None
    if answers is None:
        return ignored("no poll of ours")
    poll_id, places = answers
    chosen = {places[name] for note in notes if (name := words(note.get("name"), 1_000)) in places}
    if not chosen:
        return rejected("no such answer")
    try:
        await context.db.write(lambda session: vote(session, actor.id, poll_id, sorted(chosen)))
    except DomainError as error:
        return rejected(str(error))
    return PROCESSED
