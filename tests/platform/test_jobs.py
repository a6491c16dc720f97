"""The queue on both databases: who runs what and when, and what happens to jobs that fail or whose worker dies."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from looping import in_loop
from queueing import (
    QUICK,
    Brittle,
    Clock,
    Newer,
    Note,
    Push,
    Urgent,
    claim,
    is_empty,
    left,
    opened,
    put,
    until,
    working,
)

from phiomia.platform.bus import LocalBus
from phiomia.platform.clock import HOUR, SECOND, now_ms
from phiomia.platform.db import Database
from phiomia.platform.jobs import Job, defer_many
from phiomia.platform.jobs.view import (
    count_dead,
    find_dead,
)
from phiomia.platform.jobs.worker import Discard, Handler, Retry, Timing, Worker, backoff_ms


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
from queueing import Note, opened
from phiomia.platform.jobs.worker import Handler, Timing, Worker

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
