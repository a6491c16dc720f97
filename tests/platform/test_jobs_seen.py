"""What operators see of the queue, and do with what has died."""

from __future__ import annotations

from looping import in_loop
from queueing import Note, claim, left, opened, put

from phiomia.platform.clock import HOUR, now_ms
from phiomia.platform.db import Query
from phiomia.platform.jobs.view import (
    count_jobs,
    discard_dead,
    discard_some_dead,
    find_dead,
    retry_dead,
    retry_some_dead,
)


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
