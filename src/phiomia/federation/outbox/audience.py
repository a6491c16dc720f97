"""Who must get what: the inboxes on other servers, each once, and none of a server that is blocked."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from phiomia.domain.peers.relays import list_relay_inboxes
from phiomia.domain.peers.rules import DomainRules
from phiomia.domain.statuses.documents import NoteView
from phiomia.domain.statuses.recipients import (
    list_follower_inboxes,
    list_inboxes_of,
    list_touched,
)
from phiomia.domain.statuses.visibility import Visibility
from phiomia.federation.outbox.deliver import host_of
from phiomia.platform.db import ReadSession


class Envelope(NamedTuple):
    """What decides who gets a status, also one that is gone."""

    author_id: int
    visibility: int
    # Those it was addressed to, and those who have a copy since they did something with it.
    people: Sequence[int]
    touched: Sequence[int] = ()


async def load_envelope(session: ReadSession, view: NoteView, *, known: bool) -> Envelope:
    """Who has to know of a status that is there; if it is `known` elsewhere, also who has a copy for another reason."""
    row = view.status.row
    # What is not for everybody stays with those it was written for.
    touched = await list_touched(session, row.id) if known and row.visibility <= Visibility.UNLISTED else []
    return Envelope(row.account_id, row.visibility, [one.id for one in view.addressed], touched)


async def list_inboxes(session: ReadSession, envelope: Envelope) -> list[str]:
    """The inboxes for a status."""
    inboxes = set(await list_inboxes_of(session, [*envelope.people, *envelope.touched]))
    if envelope.visibility <= Visibility.PRIVATE:
        inboxes.update(await list_follower_inboxes(session, envelope.author_id))
    if envelope.visibility == Visibility.PUBLIC:
        inboxes.update(await list_relay_inboxes(session))
    return sorted(inboxes)


async def without_blocked(inboxes: Iterable[str], rules: DomainRules, without_host: str = "") -> list[tuple[str, str]]:
    """(inbox, host) of those that may be told."""
    await rules.refresh()
    placed: list[tuple[str, str]] = [(inbox, host_of(inbox)) for inbox in inboxes]
    return [(inbox, host) for inbox, host in placed if host and host != without_host and not rules.blocks(host)]
