"""Whether another server answers: failures counted, rests taken, and what waits for it moved along."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import func, or_, select, update

from phiomia.domain.peers.models import peers
from phiomia.platform.clock import DAY, now_ms
from phiomia.platform.db import P, Query, ReadSession, WriteSession, any_of, listed
from phiomia.platform.jobs.context import HasDatabase
from phiomia.platform.jobs.defer import Job, defer
from phiomia.platform.jobs.handlers import backoff_ms
from phiomia.platform.jobs.hosts import MOVED_AT_ONCE, bring_forward, put_off

# Whoever has not answered for so long gets nothing new but one try a day, until they are heard from.
LOST_MS = 7 * DAY
# Between two lots of what is moved others write.
_PAUSE_SECONDS = 0.05


class MoveWaiting(Job, frozen=True):
    """Move along what is left of what waits for a host: to the end of its rest, or to now."""

    TYPE = "peers.move_waiting"

    host: str


class Reach(NamedTuple):
    """What is known of a host. Nothing is sent to it before `retry_at`."""

    host: str
    failures: int = 0
    unavailable_since: int | None = None
    retry_at: int | None = None
    gone_at: int | None = None

    def rests(self, now: int) -> bool:
        """Whether it shall be left alone for now."""
        return self.retry_at is not None and self.retry_at > now

    def is_lost(self, now: int) -> bool:
        """Whether nothing new need wait for it."""
        lost = self.unavailable_since is not None and now - self.unavailable_since > LOST_MS and self.rests(now)
        return self.gone_at is not None or lost

    @property
    def is_well(self) -> bool:
        """Whether the last thing heard of it was an answer."""
        return not self.failures and self.retry_at is None and self.gone_at is None


_COLUMNS = [peers.c[name] for name in Reach._fields]
_LOAD = Query(select(*_COLUMNS).where(any_of(peers.c.host, listed("hosts", str))))
_ADD = Query(lambda insert: insert(peers).values(host=P("host", str)).on_conflict_do_nothing(index_elements=["host"]))
_awake = or_(peers.c.retry_at.is_(None), peers.c.retry_at <= P("now"))
_FAILED = Query(
    lambda insert: (
        insert(peers)
        .values(host=P("host", str), failures=1, unavailable_since=P("now"), retry_at=P("until"))
        .on_conflict_do_update(
            index_elements=["host"],
            set_={
                "failures": peers.c.failures + 1,
                "unavailable_since": func.coalesce(peers.c.unavailable_since, P("now")),
                "retry_at": P("until"),
            },
            # Of two that fail together the second must not count.
            where=_awake,
        )
        .returning(peers.c.retry_at)
    )
)
_REST = Query(update(peers).where(peers.c.host == P("of_host", str)).values(retry_at=P("until")))
_GONE = Query(update(peers).where(peers.c.host == P("of_host", str)).values(gone_at=P("now")))
_WELL = Query(
    update(peers)
    .where(
        peers.c.host == P("of_host", str),
        or_(peers.c.failures > 0, peers.c.retry_at.is_not(None), peers.c.gone_at.is_not(None)),
    )
    .values(failures=0, unavailable_since=None, retry_at=None, gone_at=None)
)
_RETRY_AT = Query(select(peers.c.retry_at).where(peers.c.host == P("host", str)))


async def load_reach(session: ReadSession, hosts: Sequence[str]) -> dict[str, Reach]:
    """What is known of each of the hosts."""
    known = {row.host: row for row in await session.views(Reach, _LOAD, hosts=list(hosts))}
    return {host: known.get(host) or Reach(host) for host in hosts}


async def note_unreachable(session: WriteSession, reach: Reach, now: int) -> int:
    """Counts a failure after what was known of the host, and lets all that goes there rest; gives until when."""
    since = reach.unavailable_since
    rest_ms = DAY if since is not None and now - since > LOST_MS else backoff_ms(reach.failures + 1)
    if await session.one(_FAILED, host=reach.host, now=now, until=now + rest_ms) is None:
        return int(await session.value(_RETRY_AT, host=reach.host))
    await _move_others_later(session, reach.host, await put_off(session, reach.host, now + rest_ms))
    return now + rest_ms


async def let_rest(session: WriteSession, host: str, until: int) -> None:
    """Sends nothing to a host before that moment."""
    await session.execute(_ADD, host=host)
    await session.execute(_REST, of_host=host, until=until)
    await _move_others_later(session, host, await put_off(session, host, until))


async def note_gone(session: WriteSession, host: str, now: int) -> None:
    """Sends nothing more to a host that says it is gone, until it is heard from."""
    await session.execute(_ADD, host=host)
    await session.execute(_GONE, of_host=host, now=now)


async def note_reachable(session: WriteSession, host: str, now: int) -> bool:
    """Lets all that waits for a host go to it now; False if it was well anyway. Also for who is heard from."""
    if not await session.execute(_WELL, of_host=host):
        return False
    await _move_others_later(session, host, await bring_forward(session, host, now))
    return True


async def move_waiting(context: HasDatabase, job: MoveWaiting) -> None:
    """Handler of MoveWaiting."""
    moved = MOVED_AT_ONCE
    while moved == MOVED_AT_ONCE:
        moved = await context.db.write(lambda session: _move_some(session, job.host))
        await asyncio.sleep(_PAUSE_SECONDS)


async def _move_some(session: WriteSession, host: str) -> int:
    """What is known of the host may have changed since the last lot."""
    now = now_ms()
    reach = (await load_reach(session, [host]))[host]
    if reach.retry_at is not None and reach.rests(now):
        return await put_off(session, host, reach.retry_at)
    return await bring_forward(session, host, now)


async def _move_others_later(session: WriteSession, host: str, moved: int) -> None:
    """What was too much for one transaction is moved by a job."""
    if moved == MOVED_AT_ONCE:
        await defer(session, MoveWaiting(host))
