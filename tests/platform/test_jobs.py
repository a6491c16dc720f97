"""The queue on both databases: who runs what and when, and what happens to jobs that fail or whose worker dies."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from looping import in_loop

from phiomia.platform.bus import LocalBus
from phiomia.platform.clock import HOUR, SECOND, now_ms
from phiomia.platform.db import Database, Query, open_database
from phiomia.platform.events import Services
from phiomia.platform.jobs import Hosted, Job, defer, defer_hosted, defer_many
from phiomia.platform.jobs.claims import Claimed, claim_lane
from phiomia.platform.jobs.hosts import bring_forward, put_off
from phiomia.platform.jobs.lease import load_lease, release_lease, take_lease
from phiomia.platform.jobs.periodic import LEASE, Periodic, defer_due, run_periodic
from phiomia.platform.jobs.room import PER_HOST
from phiomia.platform.jobs.view import (
    count_dead,
    count_jobs,
    discard_dead,
    discard_some_dead,
    find_dead,
    retry_dead,
    retry_some_dead,
)
from phiomia.platform.jobs.worker import Discard, Handler, Retry, Timing, Worker, backoff_ms

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


@in_loop
async def test_many_jobs_run_once_each_and_disappear(migrated_database_url: str) -> None:
    seen: list[int] = []

    async def run(_context: Any, job: Note) -> None:
        seen.append(job.n)

    async with opened(migrated_database_url) as db:
        await db.write(lambda session: defer_many(session, [Note(n) for n in range(500)]))
        async with working(db, run):
            await until(lambda: is_empty(db))
        assert sorted(seen) == list(range(500))


@in_loop
async def test_two_workers_never_run_the_same_job(migrated_database_url: str) -> None:
    seen: list[tuple[str, int]] = []

    async def run(context: str, job: Note) -> None:
        seen.append((context, job.n))
        await asyncio.sleep(random.uniform(0, 0.005))

    url = migrated_database_url
    async with opened(url) as one, opened(url) as two:
        await one.write(lambda session: defer_many(session, [Note(n) for n in range(400)]))
        async with working(one, run, context="one"), working(two, run, context="two"):
            await until(lambda: is_empty(one))
    assert sorted(n for _, n in seen) == list(range(400))
    assert {context for context, _ in seen} == {"one", "two"}


@in_loop
async def test_handlers_get_the_context_and_the_job(migrated_database_url: str) -> None:
    got: list[Any] = []

    async def run(context: Any, job: Any) -> None:
        got.append((context, job))

    async with opened(migrated_database_url) as db:
        await put(db, Note(7), Push(8))
        async with working(db, run, context="context"):
            await until(lambda: is_empty(db))
    assert sorted(got, key=lambda pair: pair[1].n) == [("context", Note(7)), ("context", Push(8))]


@in_loop
async def test_queues_priorities_and_age_give_the_order(migrated_database_url: str) -> None:
    seen: list[Job] = []

    async def run(_context: Any, job: Job) -> None:
        seen.append(job)

    async with opened(migrated_database_url) as db:
        await put(db, Push(1), Note(2), run_at=2_000)
        await put(db, Note(3), run_at=1_000)
        await put(db, Urgent(4), run_at=3_000)
        async with working(db, run, concurrency={"local": 1, "push": 1}):
            await until(lambda: is_empty(db))
    local = [job.n for job in seen if not isinstance(job, Push)]
    assert local == [4, 3, 2]
    assert seen.index(Push(1)) <= 1


@in_loop
async def test_a_queue_runs_no_more_at_once_than_it_may(migrated_database_url: str) -> None:
    at_once = most = 0

    async def run(_context: Any, _job: Note) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.005)
        at_once -= 1

    async with opened(migrated_database_url) as db:
        await db.write(lambda session: defer_many(session, [Note(n) for n in range(30)]))
        async with working(db, run, concurrency={"local": 3}):
            await until(lambda: is_empty(db))
    assert most == 3


@in_loop
async def test_a_full_queue_does_not_hold_up_the_others(migrated_database_url: str) -> None:
    release = asyncio.Event()
    pushed = asyncio.Event()

    async def run(_context: Any, job: Note) -> None:
        if isinstance(job, Push):
            pushed.set()
        else:
            await release.wait()

    async with opened(migrated_database_url) as db:
        await put(db, Note(1), Note(2), Note(3), Push(4))
        async with working(db, run, concurrency={"local": 1}):
            await asyncio.wait_for(pushed.wait(), 5)
            release.set()
            await until(lambda: is_empty(db))


@in_loop
async def test_a_new_job_wakes_the_worker_at_once(migrated_database_url: str) -> None:
    ran = asyncio.Event()

    async def run(_context: Any, _job: Note) -> None:
        ran.set()

    bus = LocalBus()
    await bus.start()
    async with opened(migrated_database_url, bus) as db, working(db, run, bus=bus, timing=Timing(poll_s=30)):
        await asyncio.sleep(0.05)
        begun = time.monotonic()
        await put(db, Note(1))
        await asyncio.wait_for(ran.wait(), 5)
        assert time.monotonic() - begun < 20  # it polls every 30 s


@in_loop
async def test_a_delayed_job_runs_at_its_moment(migrated_database_url: str) -> None:
    ran = asyncio.Event()

    async def run(_context: Any, _job: Note) -> None:
        ran.set()

    async with opened(migrated_database_url) as db:
        due = now_ms() + 300
        await put(db, Note(1), run_at=due)
        async with working(db, run, timing=Timing(poll_s=30)):
            await asyncio.wait_for(ran.wait(), 5)
            assert 0 <= now_ms() - due < 250


@in_loop
async def test_a_second_job_of_the_same_key_is_left_out(migrated_database_url: str) -> None:
    async with opened(migrated_database_url) as db:
        await put(db, Note(1), unique="key")
        await put(db, Note(2), unique="key")
        await put(db, Note(3), unique="other")
        assert len(await left(db)) == 2


@in_loop
async def test_a_job_whose_worker_died_runs_again_after_the_lease(migrated_database_url: str) -> None:
    clock, seen = Clock(), []

    async def run(_context: Any, job: Note) -> None:
        seen.append(job.n)

    async with opened(migrated_database_url) as db:
        await put(db, Note(1))
        assert [row.attempt for row in await claim(db, "died", clock.now)] == [1]
        async with working(db, run, clock=clock):
            await asyncio.sleep(0.2)
            assert seen == []
            clock.now += 61 * SECOND
            await until(lambda: is_empty(db))
        assert seen == [1]


@in_loop
async def test_the_lease_of_a_running_job_is_extended(migrated_database_url: str) -> None:
    release = asyncio.Event()
    seen = []

    async def run(_context: Any, job: Note) -> None:
        seen.append(job.n)
        await release.wait()

    timing = QUICK._replace(lease_s=0.6)
    url = migrated_database_url
    async with opened(url) as one, opened(url) as two:
        await put(one, Note(1))
        async with working(one, run, timing=timing), working(two, run, timing=timing):
            await asyncio.sleep(1.5)
            release.set()
            await until(lambda: is_empty(one))
    assert seen == [1]


WORK = """
import asyncio, sys
sys.path.insert(0, {tests!r})
from test_jobs import Note, Handler, Timing, Worker, opened

async def run(context, job):
    print(job.n, flush=True)
    await asyncio.sleep(60)

async def main():
    async with opened({url!r}) as db:
        await Worker(db, None, {{"note": Handler(Note, run)}}, worker_name="child").run(asyncio.Event())

asyncio.run(main())
"""


def test_a_worker_that_was_killed_loses_no_job(migrated_database_url: str) -> None:
    url = migrated_database_url
    seen: list[int] = []

    async def enqueue() -> None:
        async with opened(url) as db:
            await put(db, Note(1), Note(2))

    async def work() -> None:
        async def run(_context: Any, job: Note) -> None:
            seen.append(job.n)

        clock = Clock()
        clock.now += 61 * SECOND
        async with opened(url) as db, working(db, run, clock=clock):
            await until(lambda: is_empty(db))

    asyncio.run(enqueue())
    script = WORK.format(tests=str(Path(__file__).parent), url=url)
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert sorted(child.stdout.readline().strip() for _ in range(2)) == ["1", "2"]
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    asyncio.run(work())
    assert sorted(seen) == [1, 2]


@in_loop
async def test_a_job_that_kills_its_worker_dies_and_its_neighbours_live(migrated_database_url: str) -> None:
    clock, seen = Clock(), []
    poison = 5

    async def run(_context: Any, job: Brittle) -> None:
        if job.n == poison:
            await asyncio.Event().wait()  # the worker's death comes while it runs
        seen.append(job.n)

    async with opened(migrated_database_url) as db:
        await put(db, *[Brittle(n) for n in range(10)])
        for life in range(2):  # twice everybody dies with it
            assert len(await claim(db, f"life {life}", clock.now, 10)) == 10
            clock.now += 61 * SECOND
        for _ in range(2):
            stop = asyncio.Event()
            worker = Worker(db, None, {"brittle": Handler(Brittle, run)}, worker_name="w", timing=QUICK, clock=clock)
            task = asyncio.create_task(worker.run(stop))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(task), 0.5)
            task.cancel()
            await asyncio.wait([task])
            clock.now += 61 * SECOND
        async with working(db, run, clock=clock):
            await until(lambda: is_empty(db))
        async with db.read() as session:
            dead = await find_dead(session)
    assert sorted(seen) == [n for n in range(10) if n != poison]
    assert [(job.type, job.attempt) for job in dead] == [("brittle", 3)]
    assert "worker ended" in dead[0].error


@in_loop
async def test_a_job_that_fails_is_tried_again_later_and_then_kept_as_dead(migrated_database_url: str) -> None:
    clock, runs = Clock(), []

    async def run(_context: Any, job: Brittle) -> None:
        runs.append(clock.now)
        raise ValueError("a reason \0\ud800" + "x" * 5_000)

    async with opened(migrated_database_url) as db:
        await put(db, Brittle(1))
        async with working(db, run, clock=clock):
            for attempt in (1, 2):
                await until(lambda attempt=attempt: has_failed(db, attempt))  # type: ignore[misc]
                (row,) = await left(db)
                assert row[5].startswith("ValueError: a reason") and len(row[5]) <= 2_000
                delay = row[3] - clock.now
                assert 15 * SECOND * 4 ** (attempt - 1) <= delay <= 22.5 * SECOND * 4 ** (attempt - 1)
                clock.now += delay
            await until(lambda: is_empty(db))
        assert len(runs) == 3
        async with db.read() as session:
            (dead,) = await find_dead(session)
            assert await count_dead(session) == 1
        assert (dead.type, dead.attempt, dead.died_at, dead.args) == ("brittle", 3, clock.now, '{"n":1}')
        assert dead.error.startswith("ValueError: a reason")


async def has_failed(db: Database, attempt: int) -> bool:
    """Whether the only job waits after that many attempts."""
    rows = await left(db)
    return len(rows) == 1 and rows[0][2] == attempt and rows[0][4] == ""


def test_twelve_attempts_take_about_two_days() -> None:
    total = sum(backoff_ms(attempt) for attempt in range(1, 12))
    assert 34 * HOUR < total < 56 * HOUR


@in_loop
async def test_a_handler_may_ask_for_another_try_or_none(migrated_database_url: str) -> None:
    clock = Clock()

    async def run(_context: Any, job: Note) -> None:
        if job.n == 1:
            raise Retry("away", delay_ms=5_000)
        if job.n == 2:
            raise Retry("away", delay_ms=7_000, counts=False)
        raise Discard("pointless")

    async with opened(migrated_database_url) as db:
        await put(db, Note(1), Note(2), Note(3))
        async with working(db, run, clock=clock):
            await until(lambda: waits(db, 2))
        rows = await left(db)
        assert [(row[2], row[3] - clock.now) for row in rows] == [(1, 5_000), (0, 7_000)]


async def waits(db: Database, count: int) -> bool:
    """Whether so many jobs are there and none is claimed."""
    rows = await left(db)
    return len(rows) == count and not any(row[4] for row in rows)


@in_loop
async def test_what_a_newer_release_has_made_is_put_back_and_not_counted(migrated_database_url: str) -> None:
    clock, seen = Clock(), []

    async def run(_context: Any, job: Note) -> None:
        seen.append(job.n)

    class Newest(Newer, frozen=True):
        VERSION = 4

    async with opened(migrated_database_url) as db:
        await put(db, Push(1), Newest(2), Newer(3))
        async with working(db, run, Newer, clock=clock):
            await until(lambda: waits(db, 2))
        assert seen == [3]
        assert [(row[2], row[3] - clock.now) for row in await left(db)] == [(0, 15_000), (0, 15_000)]


@in_loop
async def test_arguments_of_an_older_version_are_converted(migrated_database_url: str) -> None:
    seen: list[Job] = []

    async def run(_context: Any, job: Job) -> None:
        seen.append(job)

    class Older(Job, frozen=True):
        TYPE = "newer"
        number: str

    def convert(version: int, values: dict[str, Any]) -> dict[str, Any]:
        assert version == 1
        return {"n": int(values["number"])}

    stop = asyncio.Event()
    async with opened(migrated_database_url) as db:
        await put(db, Older("7"), Newer(8))
        worker = Worker(db, None, {"newer": Handler(Newer, run, convert)}, worker_name="w", timing=QUICK)
        task = asyncio.create_task(worker.run(stop))
        await until(lambda: is_empty(db))
        stop.set()
        await task
    assert sorted(seen, key=lambda job: job.n) == [Newer(7), Newer(8)]  # type: ignore[attr-defined]


@in_loop
async def test_stopping_lets_jobs_finish_and_gives_back_those_that_do_not(migrated_database_url: str) -> None:
    finished = []

    async def run(_context: Any, job: Note) -> None:
        await asyncio.sleep(0.2 if job.n == 1 else 60)
        finished.append(job.n)

    async with opened(migrated_database_url) as db:
        await put(db, Note(1), Note(2))
        stop = asyncio.Event()
        timing = QUICK._replace(stop_s=0.5)
        worker = Worker(db, None, {"note": Handler(Note, run)}, worker_name="w", timing=timing)
        task = asyncio.create_task(worker.run(stop))
        await until(lambda: are_claimed(db, 2))
        stop.set()
        await asyncio.sleep(0)
        await put(db, Note(3))
        await asyncio.wait_for(task, 5)
        assert finished == [1]
        assert [(row[2], row[4], row[3] <= now_ms()) for row in await left(db)] == [(0, "", True), (0, "", True)]


async def are_claimed(db: Database, count: int) -> bool:
    """Whether so many jobs are claimed."""
    return sum(bool(row[4]) for row in await left(db)) == count


@in_loop
async def test_a_job_that_takes_too_long_is_ended(migrated_database_url: str) -> None:
    async def run(_context: Any, _job: Note) -> None:
        await asyncio.sleep(60)

    async with opened(migrated_database_url) as db:
        await put(db, Note(1))
        stop = asyncio.Event()
        handlers = {"note": Handler(Note, run, limit_s=0.1)}
        worker = Worker(db, None, handlers, worker_name="w", timing=QUICK._replace(lease_s=0.6))
        task = asyncio.create_task(worker.run(stop))
        await until(lambda: has_failed(db, 1))
        assert "too long" in (await left(db))[0][5]
        stop.set()
        await task


@in_loop
async def test_a_worker_outlives_an_unavailable_database(migrated_database_url: str) -> None:
    seen = []

    async def run(_context: Any, job: Note) -> None:
        seen.append(job.n)

    async with opened(migrated_database_url) as db, working(db, run):
        await db.close()
        await asyncio.sleep(0.2)
        await db.start()
        await put(db, Note(1))
        await until(lambda: is_empty(db))
    assert seen == [1]


@in_loop
async def test_many_delayed_jobs_do_not_slow_the_look(migrated_database_url: str) -> None:
    async def run(_context: Any, _job: Note) -> None:
        return None

    async with opened(migrated_database_url) as db:
        later = now_ms() + HOUR
        await db.write(lambda session: defer_many(session, [Push(n) for n in range(5_000)], run_at=later))
        async with working(db, run, timing=Timing(poll_s=0.01)):
            await asyncio.sleep(0.2)
            begun, since = time.process_time(), time.monotonic()
            await asyncio.sleep(0.5)
            assert time.process_time() - begun < 0.8 * (time.monotonic() - since)
        assert len(await left(db)) == 5_000


def test_a_wrong_queue_or_name_is_refused_at_once() -> None:
    async def run(_context: Any, _job: Note) -> None:
        return None

    db: Any = None
    with pytest.raises(ValueError, match="another name"):
        Worker(db, None, {"other": Handler(Note, run)}, worker_name="w")
    with pytest.raises(ValueError, match="unknown queues: nowhere"):
        Worker(db, None, {}, concurrency={"nowhere": 1}, worker_name="w")


# What operators see and do


@in_loop
async def test_counts_tell_ready_delayed_and_running(migrated_database_url: str) -> None:
    async with opened(migrated_database_url) as db:
        await put(db, Note(1))
        await claim(db, "busy", now_ms())
        await put(db, Note(2), run_at=now_ms() - 5_000)
        await put(db, Note(3), run_at=now_ms() + HOUR)
        counts = {row.queue: row for row in await db.scan(count_jobs)}
    assert list(counts) == ["local", "push", "ingress", "mail", "pull", "retry", "scheduled"]
    local = counts["local"]
    assert (local.ready, local.delayed, local.running) == (1, 1, 1)
    assert 5_000 <= local.oldest_ready_ms < 10_000
    assert counts["push"] == ("push", 0, 0, 0, 0)


@in_loop
async def test_dead_jobs_are_paged_retried_and_discarded(migrated_database_url: str) -> None:
    insert = Query.raw(
        sqlite="INSERT INTO dead_jobs (id, queue, type, args, attempt, error, created_at, died_at)"
        " VALUES (:id, 'local', 'note', '{}', 12, 'why', 1, 2)"
    )
    async with opened(migrated_database_url) as db:
        await db.write(lambda session: session.execute_many(insert, [{"id": n} for n in range(1, 8)]))
        async with db.read() as session:
            first = await find_dead(session, limit=3)
            second = await find_dead(session, before=first[-1].id, limit=3)
        assert [job.id for job in first + second] == [7, 6, 5, 4, 3, 2]
        assert await db.write(lambda session: retry_dead(session, 7))
        assert not await db.write(lambda session: retry_dead(session, 7))
        assert await db.write(lambda session: discard_dead(session, 6))
        assert not await db.write(lambda session: discard_dead(session, 6))
        assert await db.write(lambda session: retry_some_dead(session, 2)) == 2
        assert await db.write(discard_some_dead) == 3
        assert await db.write(retry_some_dead) == 0
        rows = await left(db)
    assert [(row[0], row[2], row[4], row[5]) for row in rows] == [(1, 0, "", ""), (2, 0, "", ""), (7, 0, "", "")]


# Leases, and what recurs


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
