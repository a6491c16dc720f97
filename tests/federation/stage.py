"""A world whose worker delivers to fake peers: members here, people of the peers in the database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from phiomia.domain.peers.rules import DomainRules
from phiomia.domain.relationships.follow import follow
from phiomia.domain.statuses.create import create_status
from phiomia.domain.statuses.draft import StatusDraft
from phiomia.entities.links import Links
from phiomia.federation.exchange import Exchange
from phiomia.federation.outbox.deliver import Outbox
from phiomia.jobs import HANDLERS, WorkerContext
from phiomia.platform.config import Config
from phiomia.platform.db import Query
from phiomia.platform.jobs.worker import Timing, Worker
from world import BASE, DOMAIN, Account, World, open_world

from .fake_peer import FakeActor, FakePeer, peer_options

QUICK = Timing(poll_s=0.05, stop_s=2.0, unavailable_s=0.05)
PATIENCE = 30.0


@dataclass
class Stage:
    """A world, and the context of the worker that runs its jobs."""

    world: World
    context: WorkerContext

    async def meet(self, actor: FakeActor, *, shared: bool = True) -> Account:
        """Somebody of a peer as our database knows them."""
        account = await self.world.account(actor.name, domain=actor.document["inbox"].split("/")[2])
        await self.world.execute(
            "UPDATE accounts SET uri = :uri, inbox_url = :inbox, shared_inbox_url = :shared WHERE id = :id",
            uri=actor.uri,
            inbox=actor.document["inbox"],
            shared=actor.document["endpoints"]["sharedInbox"] if shared else "",
            id=account.id,
        )
        return account

    async def follow(self, follower: Account, followed: Account) -> None:
        """One follows the other, and the other has agreed."""
        await self.world.write(lambda session: follow(session, follower.id, followed.id))

    async def post(self, author: Account, content: str = "<p>Hello</p>", **more: Any) -> int:
        """A member's status."""
        draft = StatusDraft(account_id=author.id, content=content, **more)
        status_id: int = await self.world.write(lambda session: create_status(session, draft))
        return status_id

    async def until(self, condition: Callable[[], Any], what: str) -> Any:
        """What the condition gives, or the coroutine it gives, once that is true."""
        deadline = time.monotonic() + PATIENCE
        while True:
            met = condition()
            if isinstance(met, Awaitable):
                met = await met
            if met:
                return met
            assert time.monotonic() < deadline, f"never came to pass: {what}"
            await asyncio.sleep(0.01)

    async def count_jobs(self) -> int:
        """How many jobs are left that would tell other servers something."""
        return int(await self.world.value("SELECT count(*) FROM jobs WHERE type LIKE 'outbox.%'"))

    async def settle(self) -> None:
        """Waits until nothing is left to be done now."""

        async def is_idle() -> bool:
            now = int(time.time() * 1000)
            left = await self.world.value("SELECT count(*) FROM jobs WHERE claimed_by <> '' OR run_at <= :now", now=now)
            return bool(left == 0)

        await self.until(is_idle, "the jobs are done")

    async def rows(self, sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """Rows of hand-written SQL."""
        async with self.world.db.read() as session:
            return [tuple(row) for row in await session.all(Query.raw(sqlite=sql), **parameters)]


@asynccontextmanager
async def open_stage(url: str) -> AsyncIterator[Stage]:
    """A stage on a database that has its tables; its worker is at work."""
    async with open_world(url, "statuses", effects=True) as world:
        config = Config(public_url=BASE)
        links = Links(BASE, DOMAIN, lambda key: f"{BASE}/media/{key}")
        context = WorkerContext(config=config, db=world.db, bus=world.api.bus, storage=None, links=links)  # type: ignore[arg-type]
        context.exchange = Exchange(config, world.db, links, peer_options(BASE))
        context.exchange.rules = DomainRules(world.db, look_every_s=0.0)
        context.outside, context.rules = context.exchange.outside, context.exchange.rules
        context.outbox = Outbox(world.db, context.outside, context.rules, links)
        stop = asyncio.Event()
        worker = Worker(world.db, world.api.bus, HANDLERS, worker_name="stage", context=context, timing=QUICK)
        task = asyncio.create_task(worker.run(stop))
        try:
            yield Stage(world, context)
        finally:
            stop.set()
            await task
            await context.close()


def staged(play: Callable[[Stage, FakePeer], Awaitable[None]]) -> Callable[[str], None]:
    """Makes a test of a coroutine that gets a stage and a peer; it runs on both databases."""

    async def run(url: str, peer: FakePeer) -> None:
        async with open_stage(url) as stage:
            await play(stage, peer)

    def test(migrated_database_url: str) -> None:
        with FakePeer() as peer:
            asyncio.run(run(migrated_database_url, peer))

    test.__name__, test.__doc__, test.__module__ = play.__name__, play.__doc__, play.__module__
    return test
