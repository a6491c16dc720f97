"""A queue on a database of its own, for tests: kinds of jobs, workers, and what is left."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from phiomia.platform.bus import LocalBus
from phiomia.platform.clock import SECOND, now_ms
from phiomia.platform.db import Database, Query, open_database
from phiomia.platform.events import Services
from phiomia.platform.jobs import Job, defer
from phiomia.platform.jobs.claims import Claimed, claim_lane
from phiomia.platform.jobs.worker import Handler, Timing, Worker

QUICK = Timing(poll_s=0.05, stop_s=2.0, unavailable_s=0.05)
LEFT = Query.raw(sqlite="SELECT id, type, attempt, run_at, claimed_by, error, queue FROM jobs ORDER BY id")


class Note(Job, frozen=True):
    """Does whatever the test's handler does with it."""

    TYPE = "note"
    n: int = 0


class Urgent(Note, frozen=True):
    """Goes before other jobs of its queue."""

    TYPE = "urgent"
    PRIORITY = -1


class Push(Note, frozen=True):
    """Waits in a later queue."""

    TYPE = "push"
    QUEUE = "push"


class Brittle(Note, frozen=True):
    """Is tried three times."""

    TYPE = "brittle"
    TRIES = 3


class Newer(Note, frozen=True):
    """Has a newer version."""

    TYPE = "newer"
    VERSION = 3


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = now_ms() + 10_000  # ahead of whatever the test enqueues

    def __call__(self) -> int:
        return self.now


@contextlib.asynccontextmanager
async def opened(url: str, bus: LocalBus | None = None) -> AsyncIterator[Database]:
    """The database behind the URL, open."""
    db = open_database(url)
    db.services = Services(bus=bus)
    await db.start()
    try:
        yield db
    finally:
        await db.close()


@contextlib.asynccontextmanager
async def working(
    db: Database, run: Callable[[Any, Any], Awaitable[None]], *types: type[Job], **options: Any
) -> AsyncIterator[Worker]:
    """A worker that runs `run` for every job; told to stop in the end."""
    stop = asyncio.Event()
    handlers = {kind.TYPE: Handler(kind, run) for kind in types or (Note, Urgent, Push, Brittle)}
    options = {"timing": QUICK, **options}
    worker = Worker(db, options.pop("bus", None), handlers, worker_name="test", **options)
    task = asyncio.create_task(worker.run(stop))
    try:
        yield worker
    finally:
        stop.set()
        await task


async def put(db: Database, *jobs: Job, **options: Any) -> None:
    """Enqueues jobs."""
    for job in jobs:
        await db.write(functools.partial(defer, job=job, **options))


async def left(db: Database) -> list[Any]:
    """Every job still in the table."""
    async with db.read() as session:
        return list(await session.all(LEFT))


async def until(condition: Callable[[], Awaitable[bool] | bool], seconds: float = 10.0) -> None:
    """Waits for the condition."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result if isinstance(result, bool) else await result:
            return
        assert time.monotonic() < end, "waited in vain"
        await asyncio.sleep(0.01)


async def is_empty(db: Database) -> bool:
    """Whether no job is left."""
    return not await left(db)


async def claim(db: Database, owner: str, now: int, limit: int = 10) -> list[Claimed]:
    """Takes jobs of the queue `local` as a worker that dies right away."""
    return await db.write(
        lambda session: claim_lane(session, "local", 0, limit, owner=owner, now=now, until=now + 60 * SECOND)
    )
