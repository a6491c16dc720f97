"""The database layer on both databases: what a write promises, and how errors come back."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from looping import in_loop
from sqlalchemy import Column, Integer, MetaData, Table, update

from phiomia.platform.db import (
    Conflict,
    Database,
    P,
    Query,
    ReadSession,
    TooSlow,
    Unavailable,
    WriteSession,
    any_of,
    insert_into,
    listed,
    open_database,
)
from phiomia.platform.jobs.models import leases

INSERT = insert_into(leases, "name", "holder", "until")
NAMES = Query.raw(sqlite="SELECT name FROM leases ORDER BY name")
RAISE = Query(update(leases).where(leases.c.name == P("name", str)).values(until=leases.c.until + 1))
COUNT = Query.raw(sqlite="SELECT count(*) FROM leases")
FOREVER = Query.raw(
    sqlite="WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
    postgresql="SELECT pg_sleep(30)",
)


@contextlib.asynccontextmanager
async def opened(url: str, **options: Any) -> AsyncIterator[Database]:
    """The database behind the URL, open."""
    db = open_database(url, **options)
    await db.start()
    try:
        yield db
    finally:
        await db.close()


async def add(session: WriteSession, name: str, holder: str = "") -> str:
    """Inserts a row; gives its name."""
    await session.execute(INSERT, name=name, holder=holder, until=0)
    return name


async def names(db: Database) -> list[str]:
    """Every name in the table."""
    async with db.read() as session:
        return await session.column(NAMES)


@in_loop
async def test_concurrent_writes_each_get_their_own_result(migrated_database_url: str) -> None:
    async with opened(migrated_database_url) as db:
        results = await asyncio.gather(*[db.write(functools.partial(add, name=f"{n:03}")) for n in range(100)])
        assert results == [f"{n:03}" for n in range(100)]
        assert await names(db) == results


@in_loop
async def test_a_failing_write_is_undone_and_does_not_spoil_the_others(migrated_database_url: str) -> None:
    async def fail(session: WriteSession) -> None:
        await add(session, "undone")
        raise ValueError("no")

    async with opened(migrated_database_url) as db:
        verbs: list[Any] = [functools.partial(add, name=f"{n:03}") for n in range(50)]
        verbs.insert(20, fail)
        results = await asyncio.gather(*[db.write(verb) for verb in verbs], return_exceptions=True)
        assert isinstance(results.pop(20), ValueError)
        assert await names(db) == results == [f"{n:03}" for n in range(50)]


@in_loop
async def test_a_taken_key_is_a_conflict(migrated_database_url: str) -> None:
    async with opened(migrated_database_url) as db:
        await db.write(lambda session: add(session, "one"))
        with pytest.raises(Conflict):
            await db.write(lambda session: add(session, "one"))
        assert await names(db) == ["one"]


@in_loop
async def test_statements_give_rows_counts_and_lists(migrated_database_url: str) -> None:
    some = Query(update(leases).where(any_of(leases.c.name, listed("names", str))).values(until=5))

    async def verb(session: WriteSession) -> int:
        await session.execute_many(INSERT, [{"name": n, "holder": "h", "until": 1} for n in "abc"])
        return await session.execute(some, names=["a", "c", "other"])

    async with opened(migrated_database_url) as db:
        assert await db.write(verb) == 2
        async with db.read() as session:
            assert await session.value(COUNT) == 3
            row = await session.one(Query.raw(sqlite="SELECT name, until FROM leases WHERE name = :name"), name="c")
            assert row is not None and tuple(row) == ("c", 5)
            assert await session.one(NAMES) is not None
            assert await session.value(Query.raw(sqlite="SELECT 1 FROM leases WHERE name = :name"), name="x") is None


@in_loop
async def test_calls_after_the_commit_come_only_after_it(migrated_database_url: str) -> None:
    seen: list[tuple[str, list[str]]] = []
    url = migrated_database_url
    async with opened(url) as db, opened(url) as other:

        async def note(session: WriteSession, name: str, fail: bool = False) -> None:
            await add(session, name)
            session.after_commit(lambda: seen.append((name, [])))
            if fail:
                raise ValueError("no")

        await db.write(lambda session: note(session, "good"))
        assert seen == [("good", [])]
        with pytest.raises(ValueError, match="no"):
            await db.write(lambda session: note(session, "bad", fail=True))
        assert seen == [("good", [])]
        assert await names(other) == ["good"]


@in_loop
async def test_a_call_after_the_commit_that_fails_is_reported_and_the_write_has_succeeded(
    migrated_database_url: str,
) -> None:
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: reported.append(context))

    async def verb(session: WriteSession) -> str:
        session.after_commit(lambda: 1 // 0)  # type: ignore[arg-type, return-value]
        return await add(session, "kept")

    async with opened(migrated_database_url) as db:
        assert await db.write(verb) == "kept"
        assert isinstance(reported[0]["exception"], ZeroDivisionError)
        assert await names(db) == ["kept"]


@in_loop
async def test_a_closed_database_is_unavailable(migrated_database_url: str) -> None:
    async with opened(migrated_database_url) as db:
        accepted = asyncio.create_task(db.write(lambda session: add(session, "accepted")))
        await asyncio.sleep(0)
        await db.close()
        assert await accepted == "accepted"
        with pytest.raises(Unavailable):
            await db.write(lambda session: add(session, "late"))
        with pytest.raises(Unavailable):
            async with db.read() as session:
                await session.value(COUNT)
    async with opened(migrated_database_url) as db:
        assert await names(db) == ["accepted"]


@in_loop
async def test_waiting_for_something_foreign_inside_a_sqlite_write_raises(databases: Any, tmp_path: Path) -> None:
    async def sleep(session: WriteSession) -> None:
        await add(session, "undone")
        await asyncio.sleep(0)

    with contextlib.ExitStack() as cleanup:
        async with opened(databases.create("sqlite", tmp_path, cleanup)) as db:
            await db.write(create_leases)
            results = await asyncio.gather(
                db.write(sleep), db.write(lambda session: add(session, "kept")), return_exceptions=True
            )
            assert isinstance(results[0], RuntimeError)
            assert await names(db) == ["kept"]


@in_loop
async def test_a_sqlite_file_that_is_locked_for_long_is_unavailable(databases: Any, tmp_path: Path) -> None:
    with contextlib.ExitStack() as cleanup:
        url = databases.create("sqlite", tmp_path, cleanup)
        async with opened(url, busy_seconds=0.1) as db:
            await db.write(create_leases)
            other = apsw.Connection(url.removeprefix("sqlite:///"))
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Unavailable):
                await db.write(lambda session: add(session, "one"))
            assert await names(db) == []
            other.execute("ROLLBACK")
            await db.write(lambda session: add(session, "one"))
            other.close()


@in_loop
async def test_a_sqlite_file_that_is_none_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("not a database, but long enough to be looked at " * 100)
    with pytest.raises(Unavailable):
        await open_database(f"sqlite:///{tmp_path / 'letter'}").start()


@in_loop
async def test_a_postgresql_that_is_not_there_is_unavailable(free_port: int) -> None:
    with pytest.raises(Unavailable):
        await open_database(f"postgresql://nobody@127.0.0.1:{free_port}/none").start()


@pytest.mark.postgresql
@in_loop
async def test_postgresql_repeats_a_write_after_a_deadlock(postgresql_url: str) -> None:
    async with opened(postgresql_url) as db:
        await db.write(create_leases)
        await db.write(lambda session: add(session, "a"))
        await db.write(lambda session: add(session, "b"))
        both = asyncio.Barrier(2)
        runs = 0

        async def raise_both(session: WriteSession, first: str, second: str) -> None:
            nonlocal runs
            runs += 1
            await session.execute(RAISE, name=first)
            if runs <= 2:
                await both.wait()
            await session.execute(RAISE, name=second)

        await asyncio.gather(
            db.write(lambda session: raise_both(session, "a", "b")),
            db.write(lambda session: raise_both(session, "b", "a")),
        )
        async with db.read() as session:
            assert await session.column(Query.raw(sqlite="SELECT until FROM leases")) == [2, 2]
        assert runs == 3


@pytest.mark.postgresql
@in_loop
async def test_postgresql_goes_on_when_a_migration_changes_a_table_under_prepared_statements(
    postgresql_url: str,
) -> None:
    every = Query.raw(sqlite="SELECT * FROM leases")

    async def verb(session: WriteSession) -> int:
        return len(await session.all(every))

    async with opened(postgresql_url, pool=1) as db, opened(postgresql_url) as other:
        await db.write(create_leases)
        assert await db.write(verb) == 0
        more = Query.raw(sqlite="ALTER TABLE leases ADD COLUMN more BIGINT")
        await other.write(lambda session: session.execute(more))
        assert await db.write(verb) == 0


@pytest.mark.postgresql
@in_loop
async def test_a_postgresql_connection_that_was_cut_is_replaced(postgresql_url: str) -> None:
    own = Query.raw(sqlite="SELECT pg_backend_pid()")
    end = Query.raw(sqlite="SELECT pg_terminate_backend(CAST(:pid AS INTEGER))")
    async with opened(postgresql_url, pool=1) as db, opened(postgresql_url) as other:
        async with db.read() as session:
            pid = await session.value(own)
        await other.write(lambda session: session.execute(end, pid=pid))
        await asyncio.sleep(0.1)
        async with db.read() as session:
            assert await session.value(own) != pid


@pytest.mark.postgresql
@in_loop
async def test_a_statement_that_takes_too_long_is_given_up(postgresql_url: str) -> None:
    sleep = Query.raw(sqlite="SELECT pg_sleep(CAST(:ms AS INTEGER) / 1000.0)")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("phiomia.platform.db.postgresql._STATEMENT_SECONDS", 1.0)
        patch.setattr("phiomia.platform.db.postgresql._LOOK_SECONDS", 0.1)
        async with opened(postgresql_url) as db:
            with pytest.raises(TooSlow):
                async with db.read() as session:
                    await session.one(sleep, ms=20_000)
            async with db.read() as session:
                for _ in range(7):  # a single statement is limited, not all that somebody asks
                    await session.one(sleep, ms=200)


@in_loop
async def test_a_scan_ends_at_its_deadline(migrated_database_url: str) -> None:
    async def forever(session: ReadSession) -> Any:
        return await session.value(FOREVER)

    async with opened(migrated_database_url) as db:
        with pytest.raises(TooSlow):
            await db.scan(forever, 0.1)
        assert await db.scan(lambda session: session.value(COUNT)) == 0


@in_loop
async def test_a_scan_leaves_the_event_loop_free(migrated_database_url: str) -> None:
    async with opened(migrated_database_url) as db:
        scan = asyncio.create_task(db.scan(lambda session: session.value(FOREVER), 1.0))
        turns = 0
        while not scan.done():
            await asyncio.sleep(0.01)
            turns += 1
        assert turns > 10
        with pytest.raises(TooSlow):
            await scan


INCREMENT = """
import asyncio, sys
sys.path.insert(0, {tests!r})
from test_db import RAISE, opened

async def main():
    async with opened({url!r}) as db:
        for _ in range(25):
            await asyncio.gather(*[db.write(lambda session: session.execute(RAISE, name="one")) for _ in range(4)])

asyncio.run(main())
"""


@in_loop
async def test_two_processes_write_at_once(migrated_database_url: str) -> None:
    async with opened(migrated_database_url) as db:
        await db.write(lambda session: add(session, "one"))
        script = INCREMENT.format(tests=str(Path(__file__).parent), url=migrated_database_url)
        children = [await asyncio.create_subprocess_exec(sys.executable, "-c", script) for _ in range(2)]
        assert [await child.wait() for child in children] == [0, 0]
        async with db.read() as session:
            assert await session.value(Query.raw(sqlite="SELECT until FROM leases")) == 200


INSERT_FOREVER = """
import asyncio, sys
sys.path.insert(0, {tests!r})
from test_db import add, opened

async def insert(db, lane):
    for n in range(100_000):
        print(await db.write(lambda session: add(session, f"{{lane}}-{{n}}")), flush=True)

async def main():
    async with opened({url!r}) as db:
        await asyncio.gather(*[insert(db, lane) for lane in range(8)])

asyncio.run(main())
"""


def test_a_killed_writer_loses_no_answered_write(migrated_database_url: str) -> None:
    script = INSERT_FOREVER.format(tests=str(Path(__file__).parent), url=migrated_database_url)
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    answered = [child.stdout.readline().strip() for _ in range(200)]
    os.kill(child.pid, signal.SIGKILL)
    answered += child.stdout.read().splitlines()[:-1]
    child.wait()

    async def look() -> list[str]:
        async with opened(migrated_database_url) as db:
            await db.write(lambda session: add(session, "after"))
            return await names(db)

    assert set(answered) - set(asyncio.run(look())) == set()


things = Table(
    "things", MetaData(), Column("id", Integer, primary_key=True), Column("size", Integer), Column("rev", Integer)
)


@in_loop
async def test_changing_a_row_raises_its_revision(database_url: str) -> None:
    change = Query(update(things).where(things.c.id == P("id")).values(size=P("size")))
    put = Query(
        lambda insert: (
            insert(things)
            .values(id=P("id"), size=P("size"), rev=P("rev"))
            .on_conflict_do_update(index_elements=["id"], set_={"size": P("size")})
        )
    )

    async def verb(session: WriteSession) -> None:
        await session.execute(Query.raw(sqlite="CREATE TABLE things (id INTEGER PRIMARY KEY, size INT, rev INT)"))
        for id_ in (1, 2, 3):
            await session.execute(put, id=id_, size=0, rev=1)
        await session.execute(change, id=2, size=7)
        await session.execute(put, id=3, size=8, rev=1)

    async with opened(database_url) as db:
        await db.write(verb)
        async with db.read() as session:
            rows = await session.all(Query.raw(sqlite="SELECT id, size, rev FROM things ORDER BY id"))
    assert [tuple(row) for row in rows] == [(1, 0, 1), (2, 7, 2), (3, 8, 2)]


def test_constants_stand_in_the_sql() -> None:
    assert "size=5" in Query(update(things).values(size=5)).for_sqlite().sql
    assert "things.id = 5" in Query(update(things).where(things.c.id == 5).values(size=P("size"))).for_postgresql().sql


async def create_leases(session: WriteSession) -> None:
    """Makes the one table that tests of a single database need."""
    await session.execute(
        Query.raw(sqlite="CREATE TABLE leases (name TEXT PRIMARY KEY, holder TEXT NOT NULL, until BIGINT NOT NULL)")
    )
