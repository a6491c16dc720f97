"""Jobs that go to a host: a few at once, put off together, or in another queue."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from looping import in_loop
from queueing import Push, is_empty, left, opened, put, until, working

from phiomia.platform.clock import HOUR, now_ms
from phiomia.platform.db import Database
from phiomia.platform.jobs import Hosted, defer_hosted
from phiomia.platform.jobs.by_host import WINDOW
from phiomia.platform.jobs.hosts import bring_forward, count_waiting, put_off
from phiomia.platform.jobs.room import PER_HOST
from phiomia.platform.jobs.worker import Retry


@in_loop
async def test_a_host_has_only_a_few_jobs_at_once_and_does_not_delay_the_others(migrated_database_url: str) -> None:
    running: Counter[int] = Counter()
    most: Counter[int] = Counter()
    released = asyncio.Event()
    seen: list[int] = []

    async def run(_context: Any, job: Push) -> None:
        slow = job.n < 1_000
        running[slow] += 1
        most[slow] = max(most[slow], running[slow])
        if slow:
            await released.wait()
        running[slow] -= 1
        seen.append(job.n)

    slow = [Hosted(Push(n), "slow.example") for n in range(600)]
    others = [Hosted(Push(1_000 + n), f"host-{n % 20}.example") for n in range(60)]
    async with opened(migrated_database_url) as db:
        await db.write(lambda session: defer_hosted(session, slow + others))
        async with working(db, run, bus=None):
            await until(lambda: len(seen) == len(others))
            assert most[True] == PER_HOST["push"]
            released.set()
            await until(lambda: is_empty(db))
    assert sorted(seen) == list(range(600)) + list(range(1_000, 1_060))


@in_loop
async def test_the_many_jobs_of_busy_hosts_are_not_looked_through(migrated_database_url: str) -> None:
    """More of them than a look goes through are due first, and more other hosts than that wait behind them."""
    seen: set[int] = set()
    released = asyncio.Event()
    least = now_ms() - HOUR

    async def run(_context: Any, job: Push) -> None:
        if job.n < 1_000:
            await released.wait()
        seen.add(job.n)

    many = [Hosted(Push(n), f"busy-{n % 3}.example", least) for n in range(1_000)]
    others = [Hosted(Push(1_000 + n), f"{'az'[n % 2]}{n:03}.example") for n in range(2 * WINDOW)]
    async with opened(migrated_database_url) as db:
        await db.write(lambda session: defer_hosted(session, many + others))
        async with db.read() as session:
            assert {await count_waiting(session, f"busy-{n}.example", "push") for n in range(3)} == {333, 334}
            assert await count_waiting(session, "busy-0.example", "ingress") == 0
        async with working(db, run, concurrency={"push": 20}):
            await until(lambda: seen >= set(range(1_000, 1_000 + len(others))))
            assert len(seen) == len(others)
            released.set()
            await until(lambda: is_empty(db))
    assert len(seen) == len(many) + len(others)


@in_loop
async def test_all_jobs_of_a_host_are_put_off_and_brought_forward(migrated_database_url: str) -> None:
    seen: list[int] = []

    async def run(_context: Any, job: Push) -> None:
        seen.append(job.n)

    later = now_ms() + HOUR
    many = [Hosted(Push(n), "away.example") for n in range(3)] + [Hosted(Push(9), "here.example")]
    async with opened(migrated_database_url) as db:
        await db.write(lambda session: defer_hosted(session, many))
        assert await db.write(lambda session: put_off(session, "away.example", later)) == 3
        async with working(db, run):
            await until(lambda: seen == [9])
            await until(lambda: are_left(db, 3))  # what has run is deleted after it
            assert {row[3] for row in await left(db)} == {later}
            assert await db.write(lambda session: bring_forward(session, "away.example", now_ms())) == 3
            await until(lambda: is_empty(db))
    assert sorted(seen) == [0, 1, 2, 9]


@in_loop
async def test_a_job_may_wait_in_another_queue_for_its_next_try(migrated_database_url: str) -> None:
    async def run(_context: Any, _job: Push) -> None:
        raise Retry("not now", delay_ms=HOUR, queue="retry")

    async with opened(migrated_database_url) as db:
        await put(db, Push(1), host="away.example")
        async with working(db, run):
            await until(lambda: is_in_queue(db, "retry"))


async def are_left(db: Database, count: int) -> bool:
    return len(await left(db)) == count


async def is_in_queue(db: Database, queue: str) -> bool:
    """Whether every job waits there."""
    return all(row[6] == queue for row in await left(db))
