"""Workers that are restarted, reloaded and killed while jobs keep coming: none is lost, and none counts twice."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from bench.releases import make_toy, switch
from bench.supervised import Supervised, run_children
from queueing import LEFT, opened
from worker_release import Chore, Newer

from phiomia.platform import control
from phiomia.platform.db import Database, Query
from phiomia.platform.jobs import defer
from phiomia.platform.topology import PYTHON, Child

PER_SECOND = 40
CREATE = Query.raw(sqlite="CREATE TABLE effects (n INTEGER PRIMARY KEY)")
EFFECTS = Query.raw(sqlite="SELECT n FROM effects ORDER BY n")
AGE = Query.raw(sqlite="UPDATE jobs SET version = 99 WHERE type = 'newer'")


def test_no_job_is_lost_when_workers_are_restarted_or_killed(migrated_database_url: str, tmp_path: Path) -> None:
    url, lines = migrated_database_url, tmp_path / "lines"
    lines.touch()
    switch(tmp_path, make_toy(tmp_path, "one"))
    child = Child("worker", (PYTHON, "-P", "-m", "worker_release", url, str(lines)), processes=2)
    with ExitStack() as open_:
        running: list[Supervised] = []

        async def scenario() -> tuple[Counter[str], Counter[str]]:
            async with opened(url) as db:
                await db.write(lambda session: session.execute(CREATE))
                await defer_newer(db)
                running.append(await asyncio.to_thread(open_.enter_context, run_children(tmp_path, (child,))))
                enqueued = asyncio.create_task(enqueue(db, 0, 140))
                for order in (control.restart, control.reload):
                    await asyncio.sleep(0.5)
                    assert await asyncio.to_thread(order, running[0].run, ["worker"]) == (True, "")
                await enqueued
                await until_done(db, 140)
                gently = Counter(lines.read_text().splitlines())
                enqueued = asyncio.create_task(enqueue(db, 140, 190))
                await asyncio.sleep(0.7)
                for victim in running[0].status["children"]:
                    os.kill(victim["pid"], signal.SIGKILL)
                await enqueued
                await until_done(db, 190)
                async with db.read() as session:
                    left = await session.all(LEFT)
                assert [(row[1], row[2], row[5]) for row in left] == [("newer", 0, "")]
                return gently, Counter(lines.read_text().splitlines()) - gently

        gently, killed = asyncio.run(scenario())
    assert gently == Counter({f"{what} {n}": 1 for n in range(140) for what in ("begin", "end")})
    assert {f"end {n}" for n in range(140, 190)} <= set(killed)
    again = [n for n in range(140, 190) if killed[f"begin {n}"] > 1]
    assert again, "nobody was at work when the workers were killed"


async def defer_newer(db: Database) -> None:
    async def write(session: object) -> None:
        await defer(session, Newer())  # type: ignore[arg-type]
        await session.execute(AGE)  # type: ignore[attr-defined]

    await db.write(write)


async def enqueue(db: Database, first: int, end: int) -> None:
    begun = time.monotonic()
    for n in range(first, end):
        await db.write(lambda session, n=n: defer(session, Chore(n)))
        await asyncio.sleep(max(0.0, begun + (n - first + 1) / PER_SECOND - time.monotonic()))


async def until_done(db: Database, wanted: int) -> None:
    """Waits until that many have had their effect and no chore is left."""

    async def done() -> bool:
        async with db.read() as session:
            effects = await session.column(EFFECTS)
            left = [row for row in await session.all(LEFT) if row[1] == "chore"]
        return effects == list(range(wanted)) and not left

    await until(done, 60)


async def until(condition: Callable[[], object], limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    while not await condition():  # type: ignore[misc]
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
