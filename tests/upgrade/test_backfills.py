"""Backfills go on where they were broken off, one process at a time, and tell how far they are."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from schema_world import Migrations

from phiomia.platform.config import load_config
from phiomia.platform.db import Database, Query, WriteSession, open_database
from phiomia.serving import bring_up_schema
from phiomia.upgrade import backfills, schema
from phiomia.upgrade.backfills import Backfill, Batch, Pace, Progress

QUICK = Pace(batch_s=0.01, rest=0.0, busy_s=5.0, busy_rest_s=0.01, report_s=0.0)
ROWS = 500

_FILL = Query.raw(sqlite="INSERT INTO tags (id, name, display_name, created_at) VALUES (:id, :name, '', 0)")
_NEXT = Query.raw(sqlite="SELECT id FROM tags WHERE id > :after AND display_name = '' ORDER BY id LIMIT :limit")
_PUT = Query.raw(sqlite="UPDATE tags SET display_name = display_name || name || '!' WHERE id = :id")
_LEFT = Query.raw(sqlite="SELECT count(*) FROM tags WHERE display_name = ''")
_WRONG = Query.raw(sqlite="SELECT count(*) FROM tags WHERE display_name <> name || '!'")


async def name_tags(session: WriteSession, after: int, limit: int) -> Batch:
    """The verb of these tests."""
    ids = await session.column(_NEXT, after=after, limit=limit)
    for id_ in ids:
        await session.execute(_PUT, id=id_)
    return ids[-1] if ids else None, len(ids)


NAMES = Backfill("name-tags@1", "tags", 50, name_tags)


def _with(url: str, work: Callable[[Database], Awaitable[None]]) -> None:
    async def opened() -> None:
        db = open_database(url)
        await db.start()
        try:
            await work(db)
        finally:
            await db.close()

    asyncio.run(opened())


async def fill(db: Database, rows: int = ROWS) -> None:
    """Makes rows that the backfill has to do."""
    many = [{"id": id_, "name": f"tag{id_}"} for id_ in range(1, rows + 1)]
    await db.write(lambda session: session.execute_many(_FILL, many))


async def load(db: Database) -> list[Progress]:
    async with db.read() as session:
        return await backfills.progress(session)


async def count(db: Database, query: Query) -> int:
    async with db.read() as session:
        return int(await session.value(query))


def test_everything_is_done_once_and_told(migrated_database_url: str) -> None:
    async def work(db: Database) -> None:
        await fill(db)
        lines: list[str] = []
        assert await backfills.run(db, [NAMES], lines.append, pace=QUICK)
        assert await count(db, _LEFT) == await count(db, _WRONG) == 0
        assert [one[:4] for one in await load(db)] == [("name-tags@1", "done", ROWS, ROWS)]
        assert lines[-1] == f"name-tags@1: done, {ROWS} rows now, {ROWS} in all"
        lines.clear()
        assert await backfills.run(db, [NAMES], lines.append, pace=QUICK)
        assert lines == []

    _with(migrated_database_url, work)


def test_two_processes_share_without_doing_a_row_twice(migrated_database_url: str) -> None:
    async def work(db: Database) -> None:
        await fill(db)
        await asyncio.gather(*[backfills.run(db, [NAMES], pace=QUICK) for _ in range(3)])
        assert await backfills.run(db, [NAMES], pace=QUICK)
        assert await count(db, _LEFT) == await count(db, _WRONG) == 0
        assert (await load(db))[0].rows_done == ROWS

    _with(migrated_database_url, work)


def test_when_its_time_is_over_it_goes_on_later(migrated_database_url: str) -> None:
    async def work(db: Database) -> None:
        await fill(db)
        assert not await backfills.run(db, [NAMES], pace=QUICK, seconds=0.0)
        assert (await load(db))[0].state == "running"
        async with db.read() as session:
            assert await backfills.list_unfinished(session, [NAMES]) == ["name-tags@1"]
        assert await backfills.run(db, [NAMES], pace=QUICK)

    _with(migrated_database_url, work)


def test_an_error_is_kept_and_the_next_run_goes_on_from_there(migrated_database_url: str) -> None:
    broken = True

    async def stumble(session: WriteSession, after: int, limit: int) -> Batch:
        if broken and after >= ROWS // 2:
            raise ValueError("a row that nobody expected")
        return await name_tags(session, after, limit)

    backfill = NAMES._replace(verb=stumble)

    async def work(db: Database) -> None:
        nonlocal broken
        await fill(db)
        with pytest.raises(backfills.Failed, match="a row that nobody expected"):
            await backfills.run(db, [backfill], pace=QUICK)
        failed = (await load(db))[0]
        assert failed.state == "failed" and "a row that nobody expected" in failed.error
        assert ROWS // 2 <= failed.rows_done < ROWS
        broken = False
        assert await backfills.run(db, [backfill], pace=QUICK)
        assert (await load(db))[0].rows_done == ROWS

    _with(migrated_database_url, work)


def test_workers_wait_until_the_release_before_is_gone(migrated_database_url: str) -> None:
    async def work(db: Database) -> None:
        await fill(db, 5)
        now = 1_700_000_000_000
        assert not await backfills.run_due(db, [NAMES], 60.0, now=now)
        assert not await backfills.run_due(db, [NAMES], 60.0, now=now + backfills.WORKERS_WAIT_MS - 1)
        assert (await load(db))[0].state == "waiting"
        assert await backfills.run_due(db, [NAMES], 60.0, now=now + backfills.WORKERS_WAIT_MS)
        assert await count(db, _LEFT) == 0

    _with(migrated_database_url, work)


def test_again_from_the_beginning(migrated_database_url: str) -> None:
    async def work(db: Database) -> None:
        assert await backfills.run(db, [NAMES], pace=QUICK)
        await fill(db, 3)  # as a process of the release before would have
        assert await db.write(lambda session: backfills.restart(session, NAMES.id))
        assert not await db.write(lambda session: backfills.restart(session, "unknown"))
        assert await backfills.run(db, [NAMES], pace=QUICK)
        assert await count(db, _LEFT) == 0

    _with(migrated_database_url, work)


def test_a_contract_waits_for_what_must_be_filled_in(migrated_database_url: str, tmp_path: Path) -> None:
    made = Migrations(tmp_path)
    for known in sorted(asyncio.run(schema.current(migrated_database_url))):
        made.add(known, "\n    pass\n")
    made.add("c9999", "\n    op.drop_table('markers')\n", needs="e0001", min_code="0.1.0", backfills=(NAMES.id,))
    with pytest.raises(schema.SchemaError, match="name-tags@1 has not filled in"):
        asyncio.run(schema.apply_contract(migrated_database_url, place=made.place))

    async def work(db: Database) -> None:
        assert await backfills.run(db, [NAMES], pace=QUICK)

    _with(migrated_database_url, work)
    assert asyncio.run(schema.apply_contract(migrated_database_url, place=made.place)) == ["c9999"]


def test_after_its_contract_there_is_nothing_to_do(migrated_database_url: str) -> None:
    async def fail(_session: WriteSession, _after: int, _limit: int) -> Batch:
        raise AssertionError("the column is gone")

    superseded = NAMES._replace(verb=fail, until="e0001")

    async def work(db: Database) -> None:
        assert await backfills.run(db, [superseded], pace=QUICK)
        assert not await backfills.run_due(db, [superseded], 1.0)
        assert await load(db) == []
        async with db.read() as session:
            assert await backfills.list_unfinished(session, [superseded]) == []

    _with(migrated_database_url, work)


_PROGRAM = """
import asyncio, os, signal, sys
sys.path.insert(0, sys.argv[2])
from test_backfills import NAMES, QUICK
from phiomia.platform.db import open_database
from phiomia.upgrade import backfills

lines = 0

def report(line):
    global lines
    lines += 1
    if lines == 5:
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    db = open_database(sys.argv[1])
    await db.start()
    await backfills.run(db, [NAMES], report, pace=QUICK)

asyncio.run(main())
"""


def test_what_was_killed_goes_on(migrated_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Else the next one would wait for the end of the dead one's lease.
    monkeypatch.setattr(backfills, "_LEASE_MS", 0)
    _with(migrated_database_url, fill)
    here = str(Path(__file__).parent)
    program = f"import phiomia.upgrade.backfills as b; b._LEASE_MS = 0\n{_PROGRAM}"
    killed = subprocess.run(
        [sys.executable, "-c", program, migrated_database_url, here], timeout=60, env=dict(os.environ)
    )
    assert killed.returncode == -signal.SIGKILL

    async def work(db: Database) -> None:
        assert 0 < (await load(db))[0].rows_done < ROWS
        assert await backfills.run(db, [NAMES], pace=QUICK)
        assert await count(db, _LEFT) == await count(db, _WRONG) == 0
        assert (await load(db))[0].rows_done == ROWS

    _with(migrated_database_url, work)


def test_the_command_lists_them(migrated_database_url: str, tmp_path: Path) -> None:
    async def work(db: Database) -> None:
        await fill(db, 3)
        await backfills.run(db, [NAMES], pace=QUICK)

    _with(migrated_database_url, work)
    environment = {**os.environ, "PHIOMIA_DATA": str(tmp_path), "PHIOMIA_DATABASE_URL": migrated_database_url}

    def ask(*arguments: str) -> str:
        command = [sys.executable, "-m", "phiomia", "backfills", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout

    assert ask().split()[:6] == ["name-tags@1", "done", "3", "of", "3", "rows"]
    assert json.loads(ask("--json"))[0]["state"] == "done"


def test_a_fresh_database_has_nothing_to_fill_in(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_config({"PHIOMIA_DATABASE_URL": database_url})
    made_up = (Backfill("made-up@1", "accounts", 10, _never),)
    monkeypatch.setattr("phiomia.backfills.BACKFILLS", made_up)
    assert "e0001" in asyncio.run(bring_up_schema(config))

    async def look() -> list[str]:
        db = open_database(database_url)
        await db.start()
        try:
            async with db.read() as session:
                return await backfills.list_unfinished(session, made_up)
        finally:
            await db.close()

    assert asyncio.run(look()) == []


async def _never(session: object, after: int, limit: int) -> tuple[int | None, int]:
    raise AssertionError("nothing has to be filled in")
