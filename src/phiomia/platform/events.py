"""Events: what has happened. `record` lets its side effects follow, in the same transaction.

The log of stream events is replayable: a client that returns, or a process that was replaced, goes on
after its last sequence number. Numbers become visible in their order on both databases.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import BigInteger, Column, Integer, Table, delete, func, select

from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, ReadSession, WriteSession, metadata
from phiomia.platform.db.tables import moment, words
from phiomia.platform.jobs.defer import Job, defer, wake

TOPIC = "stream"

stream_events = Table(
    "stream_events",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    words("kind"),
    words("body"),
    moment("at"),
    sqlite_autoincrement=True,
)


class Event(msgspec.Struct, frozen=True):
    """Something that has happened: ids and small values, named in the past tense. Fields are only ever added."""


Effect = Callable[[WriteSession, Any], Awaitable[None]]
Follow = Callable[[Any], Iterable[Job]]


class SideEffects(NamedTuple):
    """What follows an event: at once in its transaction (bounded, set-based), and later as jobs."""

    now: Sequence[Effect] = ()
    later: Sequence[Follow] = ()


@dataclass
class Services:
    """What the composition root gives to write sessions."""

    side_effects: Mapping[type[Event], SideEffects] = field(default_factory=dict)
    bus: Any = None
    config: Any = None


class StreamEvent(NamedTuple):
    """One row of the log."""

    seq: int
    kind: str
    body: str
    at: int


# The number is given once the lock is held, which is until the transaction ends.
_APPEND = Query.raw(
    sqlite="INSERT INTO stream_events (kind, body, at) VALUES (:kind, :body, :at)",
    postgresql="""
    WITH turn AS MATERIALIZED (SELECT pg_advisory_xact_lock(7417001))
    INSERT INTO stream_events (kind, body, at)
    SELECT CAST(:kind AS text), CAST(:body AS text), CAST(:at AS bigint) FROM turn
    """,
)
_AFTER = Query(
    select(stream_events.c.seq, stream_events.c.kind, stream_events.c.body, stream_events.c.at)
    .where(stream_events.c.seq > P("seq"))
    .order_by(stream_events.c.seq)
    .limit(P("limit"))
)
_LAST = Query(select(func.max(stream_events.c.seq)))
_FIRST = Query(select(func.min(stream_events.c.seq)))
_TRIM = Query(delete(stream_events).where(stream_events.c.at < P("before")))


async def record(session: WriteSession, event: Event) -> None:
    """Lets the side effects of `event` follow: rows and jobs of this very transaction."""
    effects = session.services.side_effects.get(type(event)) if session.services else None
    if effects is None:
        return
    for effect in effects.now:
        await effect(session, event)
    for follow in effects.later:
        for job in follow(event):
            await defer(session, job)


async def append_stream(session: WriteSession, kind: str, body: object) -> None:
    """Adds an event to the streaming log. Call it last in a transaction: on PostgreSQL it orders the commits."""
    await session.execute(_APPEND, kind=kind, body=msgspec.json.encode(body).decode(), at=now_ms())
    wake(session, TOPIC)


async def read_stream(session: ReadSession, after: int, limit: int = 500) -> list[StreamEvent]:
    """Events after a sequence number, oldest first."""
    return await session.views(StreamEvent, _AFTER, seq=after, limit=limit)


async def stream_bounds(session: ReadSession) -> tuple[int, int]:
    """The first and last sequence numbers that are kept; (0, 0) when there is none."""
    return (await session.value(_FIRST) or 0, await session.value(_LAST) or 0)


async def trim_stream(session: WriteSession, before_ms: int) -> int:
    """Forgets events older than a moment; gives their number."""
    return await session.execute(_TRIM, before=before_ms)
