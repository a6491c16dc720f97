"""Every recipient of a status stands in exactly one line of its receipts, whatever servers answer and operators do."""

from __future__ import annotations

import asyncio
import random
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from phiomia.domain.moderation.domain_blocks import DomainBlock, block_domain, unblock_domain
from phiomia.domain.peers.receipts import DeliveryState
from phiomia.domain.peers.rules import DomainRules
from phiomia.domain.peers.severity import Severity
from phiomia.domain.statuses.create import create_status
from phiomia.domain.statuses.draft import StatusDraft
from phiomia.federation.outbox.deliver import Deliver, Outbox
from phiomia.federation.outbox.post import Post, send
from phiomia.platform.db import Query
from phiomia.platform.http import FetchFailed
from phiomia.platform.jobs import defer
from phiomia.platform.jobs.handlers import Discard, Retry
from world import World, make_account, open_world

HOSTS = [f"peer{number}.example" for number in range(6)]
INBOXES = [f"https://{host}/{name}" for host in HOSTS for name in ("inbox", "users/eve/inbox")]
BUSY = {"retry-after": "1"}
ANSWERS = [(202, {}), (202, {}), (404, {}), (410, {}), (401, {}), (500, {}), (503, {}), (429, BUSY), None]
_OPEN = (DeliveryState.WAITING, DeliveryState.RETRYING)
_WAITING = Query.raw(sqlite="SELECT id, args FROM jobs WHERE type = 'outbox.deliver' ORDER BY id")
_DONE = Query.raw(sqlite="DELETE FROM jobs WHERE id = :id")


class _Wire:
    """The way out, with servers that answer whatever comes."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self.client = self

    async def post(self, *_: Any, **__: Any) -> Any:
        answer = self._dice.choice(ANSWERS)
        if answer is None:
            raise FetchFailed("nobody answers", retry=True)
        return SimpleNamespace(status=answer[0], headers=answer[1])


class _Game:
    """Random things that happen to one status on its way; `sent` is where it went, as a plain set."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.dice = world, random.Random(seed)
        self.rules = DomainRules(world.db, look_every_s=0.0)
        self.outbox = Outbox(world.db, _Wire(self.dice), self.rules, world.api.fragments.links)  # type: ignore[arg-type]
        self.blocked: set[str] = set()
        self.sent: set[str] = set()

    async def begin(self) -> None:
        """Alice's status, which is about to be sent."""
        self.alice = await make_account(self.world.db, f"alice{self.dice.random():.12f}"[:20].replace(".", ""))
        draft = StatusDraft(self.alice.id, "<p>Hi</p>")
        self.status_id: int = await self.world.write(lambda session: create_status(session, draft))

    async def send(self) -> None:
        """It goes out, or an edit of it does, to other people."""
        inboxes = self.dice.sample(INBOXES, self.dice.randint(1, len(INBOXES)))
        post = Post({"type": "Create"}, self.alice.id, status_id=self.status_id)
        await send(self.outbox, post, inboxes)
        self.sent |= {one for one in inboxes if one.split("/")[2] not in self.blocked}

    async def deliver(self) -> None:
        """One delivery is tried, some time later."""
        jobs = await self.jobs()
        if not jobs:
            return
        id_, job = self.dice.choice(jobs)
        if self.dice.random() < 0.5:
            await self.world.execute("UPDATE peers SET retry_at = 0 WHERE retry_at IS NOT NULL")
        await self.world.db.write(lambda session: session.execute(_DONE, id=id_))
        try:
            await self.outbox.deliver(job)
        except Retry:
            await self.world.write(lambda session: defer(session, job))
        except Discard:
            return

    async def rule(self) -> None:
        """The operator blocks a server, or no longer."""
        host = self.dice.choice(HOSTS)
        if host in self.blocked:
            self.blocked.discard(host)
            await self.world.write(lambda session: unblock_domain(session, host))
        else:
            self.blocked.add(host)
            await self.world.write(lambda session: block_domain(session, DomainBlock(host, Severity.SUSPEND)))

    async def jobs(self) -> list[tuple[int, Deliver]]:
        """What is still to be tried."""
        async with self.world.db.read() as session:
            rows = await session.all(_WAITING)
        return [(row[0], msgspec.json.decode(row[1], type=Deliver)) for row in rows]

    async def check(self) -> None:
        """What the author is told fits what has happened."""
        answer = await self.world.client.get(f"/api/phiomia/v1/statuses/{self.status_id}/deliveries", self.alice)
        told = answer.json
        assert told["total"] == len(self.sent) == len(told["deliveries"])
        assert sum(told[state.word] for state in DeliveryState) == told["total"]
        async with self.world.db.read() as session:
            rows = await session.all(_ROWS, id=self.status_id)
        assert {row[0] for row in rows} == self.sent
        tried = {job.inbox for _, job in await self.jobs()}
        assert {row[0] for row in rows if row[1] in _OPEN} <= tried


_ROWS = Query.raw(sqlite="SELECT inbox, state FROM deliveries WHERE status_id = :id")


@pytest.mark.parametrize("seed", range(2))
def test_receipts_add_up(migrated_database_url: str, seed: int) -> None:
    async def play() -> None:
        async with open_world(migrated_database_url, "statuses", "deliveries") as world:
            game = _Game(world, seed)
            await game.begin()
            for _ in range(50):
                await game.dice.choices((game.send, game.deliver, game.rule), (1, 10, 1))[0]()
                await game.check()

    asyncio.run(play())
