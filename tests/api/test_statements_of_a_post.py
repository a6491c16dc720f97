"""A post takes few statements, and nothing is put in the queue that would find nothing to do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from phiomia.domain.filters.known import KnownFilters
from phiomia.domain.oauth import bearers
from phiomia.domain.peers.relays import RelayState
from phiomia.entities.filtered import Filtering
from phiomia.platform.db import Query
from phiomia.platform.ids import new_id
from world import Account, World, story

ASKED = ("all", "one", "value", "column", "views", "view", "execute", "execute_many")
MODULES = ("statuses",)
# Behind the one after which other posts of the author wait: words, feeds and the stream.
LAST = 3
# What the author has chosen; the status, whom it concerns, the author's numbers, the words to be found, feeds, the
# stream; what the author is shown.
MOST = 8
_FOLLOW = "INSERT INTO follows (id, account_id, target_id, created_at) VALUES (:id, :who, :whom, 0)"
_RELAY = (
    "INSERT INTO relays (id, inbox_url, state, follow_uri, actor_uri, created_at)"
    f" VALUES (1, 'https://relay.example/inbox', {int(RelayState.ACCEPTED)}, '', '', 0)"
)


@pytest.fixture(autouse=True)
def tokens_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else one that is looked up anew, after some seconds, would count with the post that happens to be written."""
    monkeypatch.setattr(bearers, "_KEEP_SECONDS", 3_600.0)


class _Counted:
    """A session that tells of what it is asked and told."""

    def __init__(self, session: Any, counter: Counter) -> None:
        self._session, self._counter = session, counter

    def __getattr__(self, name: str) -> Any:
        asked = getattr(self._session, name)
        if name not in ASKED:
            return asked

        def count(*given: Any, **parameters: Any) -> Any:
            if name != "execute_many" or given[1]:  # many of nothing are no statement
                query = next(one for one in given if isinstance(one, Query))
                self._counter.statements.append(query.for_sqlite().sql)
            return asked(*given, **parameters)

        return count


class Counter:
    """Stands before the database of a world and writes down every statement."""

    def __init__(self, world: World) -> None:
        self.statements: list[str] = []
        database: Any = world.db
        self._read, self._write = database.read, database.write
        database.read, database.write = self.read, self.write

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Any]:
        """A session as the database lends it, but watched."""
        async with self._read() as session:
            yield _Counted(session, self)

    async def write(self, verb: Callable[[Any], Awaitable[Any]]) -> Any:
        """The same for a verb."""
        return await self._write(lambda session: verb(_Counted(session, self)))


class Author:
    """Somebody who posts, and what that takes."""

    def __init__(self, world: World, account: Account) -> None:
        # As in a server, where filters are kept until the bus says that they have changed.
        world.api.fragments.filtering = Filtering(KnownFilters(world.api.bus))
        self.account = account
        self._world, self._counter = world, Counter(world)

    async def post(self, text: str, **more: Any) -> list[str]:
        """The statements for a post."""
        self._counter.statements.clear()
        answer = await self._world.client.post("/api/v1/statuses", self.account, form={"status": text, **more})
        assert answer.status == 200, answer.body
        return list(self._counter.statements)

    async def is_told_of(self, text: str, **more: Any) -> bool:
        """Whether a post brings a job that tells other servers."""
        before = await self._count_jobs()
        await self.post(text, **more)
        return await self._count_jobs() == before + 1

    async def _count_jobs(self) -> int:
        count = await self._world.value("SELECT count(*) FROM jobs WHERE type = 'outbox.send_status'")
        return int(count)


async def _follow(world: World, who: Account, whom: Account) -> None:
    await world.execute(_FOLLOW, id=new_id(), who=who.id, whom=whom.id)
    await world.execute(
        "UPDATE accounts SET followers_count = followers_count + 1, rev = rev + 1 WHERE id = :id", id=whom.id
    )


@story(*MODULES, effects=True)
async def test_a_post_is_few_statements(world: World) -> None:
    alice = await world.account("alice")
    author = Author(world, alice)
    await author.post("Filters are asked for, and remembered from then on.")
    assert len(await author.post("Nobody follows.")) <= MOST
    for name in ("bob", "carol", "dan"):
        await _follow(world, await world.account(name), alice)
    for more in ({}, {"visibility": "unlisted"}, {"visibility": "private"}, {"spoiler_text": "Careful"}):
        statements = await author.post("Three follow.", **more)
        assert len(statements) <= MOST, "\n".join(statements)
        assert await world.value("SELECT count(*) FROM home_feed WHERE status_id = (SELECT max(id) FROM statuses)") == 4


@story(*MODULES, effects=True)
async def test_posts_of_one_author_wait_for_each_other_as_late_as_they_can(world: World) -> None:
    author = Author(world, await world.account("alice"))
    await author.post("Filters are asked for, and remembered from then on.")
    written = [one for one in await author.post("Now.") if one.startswith(("INSERT", "UPDATE"))]
    places = [place for place, one in enumerate(written) if one.startswith("UPDATE accounts")]
    assert places == [len(written) - 1 - LAST]


@story(*MODULES, effects=True)
async def test_a_post_goes_out_only_where_somebody_hears_of_it(world: World) -> None:
    alice, far = await world.account("alice"), await world.account("far", domain="far.example")
    author = Author(world, alice)
    await _follow(world, await world.account("bob"), alice)
    assert not await author.is_told_of("Nobody elsewhere follows.")
    assert not await author.is_told_of("Nor is anybody elsewhere named.", visibility="direct")
    assert await author.is_told_of("@far@far.example is named.", visibility="direct")
    await world.execute(_RELAY)
    assert await author.is_told_of("What is public goes to relays.")
    assert not await author.is_told_of("What is not, does not.", visibility="unlisted")
    await world.execute("DELETE FROM relays")
    await _follow(world, far, alice)
    assert await author.is_told_of("Somebody elsewhere follows.", visibility="private")
    assert not await author.is_told_of("That is not for followers.", visibility="direct")


@story(*MODULES, effects=True)
async def test_a_crowd_is_not_looked_through(world: World) -> None:
    alice = await world.account("alice")
    await world.execute("UPDATE accounts SET followers_count = 100000, rev = rev + 1 WHERE id = :id", id=alice.id)
    author = Author(world, alice)
    assert await author.is_told_of("Whoever they are.")


@story(*MODULES, effects=True)
async def test_a_bell_rings_as_ever(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    await _follow(world, bob, alice)
    author = Author(world, alice)
    await author.post("Nobody has asked to hear of it.")
    assert await world.value("SELECT count(*) FROM notifications") == 0
    await world.execute("UPDATE follows SET notify = true")
    await author.post("Somebody has.")
    assert await world.value("SELECT count(*) FROM notifications WHERE account_id = :id", id=bob.id) == 1
