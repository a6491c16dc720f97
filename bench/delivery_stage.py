"""The side that sends: a member with a follower on each server, and a worker as it runs under the supervisor."""

from __future__ import annotations

import asyncio
import gc
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from phiomia.domain.accounts.create_local import create_local_account
from phiomia.domain.accounts.keys import load_or_make_keys
from phiomia.domain.accounts.models import accounts
from phiomia.domain.peers.receipts import DeliveryState
from phiomia.domain.relationships.models import follows
from phiomia.domain.statuses.create import create_status
from phiomia.domain.statuses.draft import StatusDraft
from phiomia.entities.links import Links
from phiomia.federation.outbox.deliver import Outbox
from phiomia.federation.outside import Outside
from phiomia.jobs import HANDLERS, WorkerContext
from phiomia.platform.bus import LocalBus
from phiomia.platform.clock import now_ms
from phiomia.platform.config import Config
from phiomia.platform.db import Database, Query, WriteSession, insert_into, open_database
from phiomia.platform.events import Services
from phiomia.platform.http import FetchOptions
from phiomia.platform.ids import new_id
from phiomia.platform.jobs.worker import Timing, Worker
from phiomia.platform.pinned_names import Place, resolver_of
from phiomia.platform.reachable import networks
from phiomia.side_effects import SIDE_EFFECTS
from phiomia.upgrade import schema

BASE = "https://phiomia.test"
_ACCOUNT = insert_into(
    accounts, "id", "username", "username_key", "domain", "uri", "inbox_url", "shared_inbox_url", "created_at"
)
_FOLLOW = insert_into(follows, "id", "account_id", "target_id", "created_at")
_TRIED = Query.raw(
    sqlite="""
    SELECT count(*) AS tried, COALESCE(SUM(CASE WHEN state = :reached THEN 1 ELSE 0 END), 0) AS reached
    FROM deliveries WHERE status_id = :status_id AND attempts > 0
    """
)


class Sender:
    """A member with followers everywhere, and the queue."""

    def __init__(self, db: Database, author_id: int) -> None:
        self._db = db
        self._author_id = author_id
        self._status_id = 0

    async def post(self) -> None:
        """Writes a status."""
        draft = StatusDraft(account_id=self._author_id, content="<p>Hello, all of you.</p>")
        self._status_id = await self._db.write(lambda session: create_status(session, draft))

    async def until_tried(self, servers: int, reached: int, seconds: float) -> None:
        """Waits until so many servers were asked, and so many of them have answered."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            async with self._db.read() as session:
                found = await session.one(_TRIED, status_id=self._status_id, reached=DeliveryState.REACHED)
            if found is not None and found[0] >= servers and found[1] >= reached:
                return
            await asyncio.sleep(0.1)
        raise SystemExit("not every server was tried in time")


@asynccontextmanager
async def open_sender(url: str, servers: Mapping[str, int], trust: ssl.SSLContext) -> AsyncIterator[Sender]:
    """A sender on a fresh database, whose followers' servers are found on these ports; its worker is at work."""
    await schema.upgrade(url)
    db = open_database(url, **({"synchronous": "normal"} if url.startswith("sqlite") else {}))
    bus, config = LocalBus(), Config(public_url=BASE)
    db.services = Services(side_effects=SIDE_EFFECTS, bus=bus, config=config)
    await bus.start()
    await db.start()
    author_id: int = await db.write(lambda session: _people(session, list(servers)))
    await load_or_make_keys(db, author_id)
    links = Links(BASE, "phiomia.test", lambda key: f"{BASE}/media/{key}")
    context = WorkerContext(config=config, db=db, bus=bus, storage=None, links=links)  # type: ignore[arg-type]
    context.outside = Outside(config, db, _options(servers, trust))
    context.outbox = Outbox(db, context.outside, context.rules, links)
    stop = asyncio.Event()
    worker = Worker(db, bus, HANDLERS, worker_name="bench", context=context, timing=Timing(stop_s=1.0))
    task = asyncio.create_task(worker.run(stop))
    await asyncio.sleep(1.0)
    _collect_as_a_role_does()
    try:
        yield Sender(db, author_id)
    finally:
        stop.set()
        await task
        await context.outside.close()
        await context.close()
        await db.close()
        await bus.close()


def _collect_as_a_role_does() -> None:
    """What is there from the beginning is looked at no more, and what comes seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


def _options(servers: Mapping[str, int], trust: ssl.SSLContext) -> FetchOptions:
    pins = {name: Place("127.0.0.1", port) for name, port in servers.items()}
    return FetchOptions(
        base_url=BASE,
        allow_private=networks(["127.0.0.0/8"]),
        ssl_context=trust,
        resolver=resolver_of(pins),
    )


async def _people(session: WriteSession, names: list[str]) -> int:
    author_id = await create_local_account(session, "alice")
    now, rows, ties = now_ms(), [], []
    for name in names:
        uri = f"https://{name}/users/bob"
        row: dict[str, Any] = {"id": new_id(), "username": "bob", "username_key": "bob", "domain": name, "uri": uri}
        rows.append(row | {"inbox_url": f"{uri}/inbox", "shared_inbox_url": f"https://{name}/inbox", "created_at": now})
        ties.append({"id": new_id(), "account_id": row["id"], "target_id": author_id, "created_at": now})
    await session.execute_many(_ACCOUNT, rows)
    await session.execute_many(_FOLLOW, ties)
    return author_id
