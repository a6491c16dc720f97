"""Leases have one holder at a time, and what recurs is deferred by one of many."""

from __future__ import annotations

import asyncio

from looping import in_loop
from queueing import Note, left, opened, until

from phiomia.platform.clock import now_ms
from phiomia.platform.db import Query
from phiomia.platform.jobs import Job
from phiomia.platform.jobs.lease import load_lease, release_lease, take_lease
from phiomia.platform.jobs.periodic import LEASE, Periodic, defer_due, run_periodic


@in_loop
async def test_a_lease_has_one_holder_until_it_ends_or_is_given_back(migrated_database_url: str) -> None:
    async with opened(migrated_database_url) as db:

        async def take(holder: str, now: int) -> bool:
            return await db.write(lambda session: take_lease(session, "x", holder, now=now, until=now + 10))

        assert await take("one", 0)
        assert not await take("two", 5)
        assert await take("one", 5)
        assert not await take("two", 14)
        assert await take("two", 15)
        await db.write(lambda session: release_lease(session, "x", "one"))
        async with db.read() as session:
            assert await load_lease(session, "x") == ("two", 25)
        await db.write(lambda session: release_lease(session, "x", "two"))
        async with db.read() as session:
            assert await load_lease(session, "x") == ("", 0)


@in_loop
async def test_what_recurs_is_deferred_when_due_and_never_twice(migrated_database_url: str) -> None:
    entries = [Periodic("often", 100, lambda: Note(1)), Periodic("seldom", 1_000, lambda: Note(2))]
    remove = Query.raw(sqlite="DELETE FROM jobs")
    async with opened(migrated_database_url) as db:

        async def turn(holder: str, now: int) -> int | None:
            return await db.write(lambda session: defer_due(session, entries, holder, now=now, until=now + 300))

        start = now_ms()
        assert await turn("one", start) == 100
        assert len(await left(db)) == 2
        assert await turn("two", start + 100) is None
        assert await turn("one", start + 100) == 100  # its last job is still there
        assert len(await left(db)) == 2
        await db.write(lambda session: session.execute(remove))
        assert await turn("one", start + 150) == 50
        assert await left(db) == []
        assert await turn("two", start + 450) == 100  # the lease of the first has ended
        assert len(await left(db)) == 1
        assert await turn("one", start + 460) is None


@in_loop
async def test_one_process_defers_and_another_takes_over(migrated_database_url: str) -> None:
    made: list[str] = []

    def entries(name: str) -> list[Periodic]:
        def make() -> Job:
            made.append(name)
            return Note(1)

        return [Periodic("often", 20, make)]

    url = migrated_database_url
    async with opened(url) as one, opened(url) as two:
        stop = {"one": asyncio.Event(), "two": asyncio.Event()}
        tasks = [
            asyncio.create_task(run_periodic(db, entries(name), stop[name], holder=name, lease_ms=300))
            for name, db in (("one", one), ("two", two))
        ]
        await until(lambda: len(made) >= 5)
        (first,) = set(made)
        stop[first].set()
        await until(lambda: len(set(made)) == 2)
        second = next(name for name in stop if name != first)
        assert made == sorted(made, key=lambda name: name == second)
        stop[second].set()
        await asyncio.gather(*tasks)
        async with one.read() as session:
            assert await load_lease(session, LEASE) == ("", 0)
