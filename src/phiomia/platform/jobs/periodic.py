"""Defers what recurs. Every worker runs this; the one that holds the lease does it."""

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sqlalchemy import select

from phiomia.platform.clock import SECOND, now_ms
from phiomia.platform.db import Database, Query, WriteSession, put_into
from phiomia.platform.jobs.defer import Job, defer
from phiomia.platform.jobs.lease import load_lease, release_lease, take_lease
from phiomia.platform.jobs.models import periodic_runs
from phiomia.platform.log import get_logger

LEASE = "periodic"
LEASE_MS = 30 * SECOND

log = get_logger(__name__)


class Periodic(NamedTuple):
    """A job that recurs: `job` makes it, `every_ms` after the last one."""

    name: str
    every_ms: int
    job: Callable[[], Job]


_LAST = Query(select(periodic_runs.c.name, periodic_runs.c.last_run_at))
_REMEMBER = put_into(periodic_runs, ["name"], ["last_run_at"])


async def run_periodic(
    db: Database,
    entries: Sequence[Periodic],
    stop: asyncio.Event,
    *,
    holder: str,
    lease_ms: int = LEASE_MS,
    clock: Callable[[], int] = now_ms,
) -> None:
    """Defers due jobs until `stop` is set, whenever this process holds the lease; then gives the lease back."""
    holder = f"{holder}:{secrets.token_hex(4)}"
    while not stop.is_set():
        try:
            wait_ms = await _turn(db, entries, holder, lease_ms, clock)
        except Exception as error:
            log.warning("periodic jobs can't be deferred", error=str(error), exc_info=True)
            wait_ms = lease_ms // 3
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), max(wait_ms, 1) / 1000)
    try:
        await db.write(lambda session: release_lease(session, LEASE, holder))
    except Exception as error:
        log.warning("the lease ends by itself", error=str(error))


async def _turn(db: Database, entries: Sequence[Periodic], holder: str, lease_ms: int, clock: Callable[[], int]) -> int:
    """Does what is due; gives the milliseconds until it is worth looking again."""
    async with db.read() as session:
        other, until = await load_lease(session, LEASE)
    now = clock()
    if other not in ("", holder) and until > now:
        return until - now + 1
    wait_ms = await db.write(lambda session: defer_due(session, entries, holder, now=now, until=now + lease_ms))
    return lease_ms // 2 if wait_ms is None else min(wait_ms, lease_ms // 2)


async def defer_due(
    session: WriteSession, entries: Sequence[Periodic], holder: str, *, now: int, until: int
) -> int | None:
    """Takes the lease and defers each entry that is due, unless its last job is still there.

    Gives the milliseconds until the next is due, or None when another holds the lease or there are none.
    """
    if not await take_lease(session, LEASE, holder, now=now, until=until):
        return None
    last = {row[0]: row[1] for row in await session.all(_LAST)}
    waits = []
    for entry in entries:
        # A clock that was set back must not stop an entry for as long.
        passed = now - min(last.get(entry.name, 0), now)
        if passed >= entry.every_ms:
            await defer(session, entry.job(), unique=f"periodic:{entry.name}")
            await session.execute(_REMEMBER, name=entry.name, last_run_at=now)
            passed = 0
        waits.append(entry.every_ms - passed)
    return min(waits, default=None)
