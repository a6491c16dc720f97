"""Relays: servers that pass on what is public, from and to everybody who has joined them."""

from enum import IntEnum
from typing import NamedTuple

from sqlalchemy import delete, or_, select, update

from phiomia.domain.errors import Invalid
from phiomia.domain.peers.models import relays
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, ReadSession, WriteSession, insert_into
from phiomia.platform.db.query import column_parameter
from phiomia.platform.ids import new_id


class RelayState(IntEnum):
    """Whether it has said yes. The numbers are stored."""

    ASKED = 0
    ACCEPTED = 1
    REJECTED = 2


class Relay(NamedTuple):
    """A relay. `actor_uri` is empty for those that are spoken to in Mastodon's way."""

    id: int
    inbox_url: str
    state: int
    follow_uri: str
    actor_uri: str


_COLUMNS = [relays.c[name] for name in Relay._fields]
_ALL = Query(select(*_COLUMNS).order_by(relays.c.id))
_ACCEPTED = Query(select(relays.c.inbox_url).where(relays.c.state == RelayState.ACCEPTED))
_BY_INBOX = Query(select(*_COLUMNS).where(relays.c.inbox_url == P("inbox", str)))
_INSERT = insert_into(relays, "id", "inbox_url", "state", "follow_uri", "actor_uri", "created_at")
_DELETE = Query(delete(relays).where(relays.c.id == P("id")))
_ANSWER = Query(
    update(relays)
    .where(
        or_(
            relays.c.follow_uri == P("follow", str),
            (relays.c.actor_uri == P("actor", str)) & (relays.c.actor_uri != "") & (P("follow", str) == ""),
        )
    )
    .values(state=column_parameter(relays, "state", "new_state"))
)
_IS_ACTOR = Query(
    select(relays.c.id).where(
        relays.c.actor_uri == P("actor", str), relays.c.actor_uri != "", relays.c.state == RelayState.ACCEPTED
    )
)


async def list_relays(session: ReadSession) -> list[Relay]:
    """Every relay, the oldest first."""
    return await session.views(Relay, _ALL)


async def list_relay_inboxes(session: ReadSession) -> list[str]:
    """Where public statuses go besides."""
    return await session.column(_ACCEPTED)


async def add_relay(session: WriteSession, inbox_url: str, follow_uri: str, actor_uri: str = "") -> Relay:
    """Remembers that a relay was asked. Raises Invalid if it is there already."""
    if await session.one(_BY_INBOX, inbox=inbox_url) is not None:
        raise Invalid(f"{inbox_url} is there already")
    relay = Relay(new_id(), inbox_url, RelayState.ASKED, follow_uri, actor_uri)
    await session.execute(_INSERT, **relay._asdict(), created_at=now_ms())
    return relay


async def remove_relay(session: WriteSession, relay_id: int) -> None:
    """Forgets a relay."""
    await session.execute(_DELETE, id=relay_id)


async def note_relay_answer(session: WriteSession, follow_uri: str, actor_uri: str, *, accepted: bool) -> bool:
    """Writes down what a relay said to our Follow, known by its id, or by the relay's actor if it names none.

    False if no relay was asked that.
    """
    state = RelayState.ACCEPTED if accepted else RelayState.REJECTED
    return bool(await session.execute(_ANSWER, follow=follow_uri, actor=actor_uri, new_state=state))


async def is_relay(session: ReadSession, actor_uri: str) -> bool:
    """Whether an actor is a relay that we have joined: what it announces are statuses, not boosts."""
    return await session.value(_IS_ACTOR, actor=actor_uri) is not None
