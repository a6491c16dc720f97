"""A schema is moved while others work: resumed after a kill, one migrator at a time, the same end on every way."""

from __future__ import annotations

import asyncio
from pathlib import Path

import apsw
import asyncpg
import pytest
from schema_world import KILLED, Migrations, dump, start_migrator, write_history

from phiomia.upgrade import schema

QUICK = schema.Patience(budget_s=1.0, first_pause_s=0.05, longest_pause_s=0.2)


def _run(url: str, what: str, place: Path) -> list[str]:
    return asyncio.run(getattr(schema, what)(url, place=place))


def _at_first(url: str, place: Path) -> None:
    assert _run(url, "upgrade", write_history(place, 1).place) == ["e0001"]


def test_a_jump_and_a_walk_end_in_the_same_schema(
    database_url: str, databases: object, dialect: str, tmp_path: Path
) -> None:
    whole = write_history(tmp_path / "whole").place
    assert _run(database_url, "upgrade", whole) == ["e0001", "e0002", "e0003", "c0001", "e0004"]
    fresh = dump(database_url)
    _clear(database_url)

    _at_first(database_url, tmp_path / "walk")
    for upto, what, revision in ((2, "expand", "e0002"), (3, "expand", "e0003"), (4, "contract", "c0001")):
        place = write_history(tmp_path / "walk", upto).place
        assert _run(database_url, f"apply_{what}", place) == [revision]
    assert _run(database_url, "apply_expand", whole) == ["e0004"]
    assert dump(database_url) == fresh
    _clear(database_url)

    _at_first(database_url, tmp_path / "jump")
    middle = write_history(tmp_path / "jump", 4).place
    assert _run(database_url, "apply_expand", middle) == ["e0002", "e0003"]
    assert _run(database_url, "apply_contract", whole) == ["c0001"]
    assert _run(database_url, "apply_expand", whole) == ["e0004"]
    assert dump(database_url) == fresh


def test_a_contract_runs_only_when_it_is_asked_for(database_url: str, tmp_path: Path) -> None:
    _at_first(database_url, tmp_path)
    place = write_history(tmp_path, 4).place
    assert _run(database_url, "upgrade", place) == ["e0002", "e0003"]
    assert asyncio.run(schema.list_missing(database_url, place=place)) == ["c0001"]
    assert _run(database_url, "upgrade", place) == []


def test_an_expand_that_builds_on_a_contract_says_so(database_url: str, tmp_path: Path) -> None:
    _at_first(database_url, tmp_path)
    with pytest.raises(schema.NeedsContract, match="e0004 builds on c0001"):
        _run(database_url, "apply_expand", write_history(tmp_path).place)
    with pytest.raises(schema.SchemaError, match="expand first"):
        _run(database_url, "apply_contract", write_history(tmp_path).place)


@pytest.mark.parametrize("kill_at", [2, 3, 5])
def test_what_was_killed_goes_on_behind_the_last_statement(database_url: str, tmp_path: Path, kill_at: int) -> None:
    place = write_history(tmp_path / "whole", 3).place
    _run(database_url, "upgrade", place)
    wanted = dump(database_url)
    _clear(database_url)

    _at_first(database_url, tmp_path / "killed")
    killed = start_migrator(database_url, place, kill_at=kill_at)
    killed.communicate(timeout=60)
    assert killed.returncode == KILLED
    rest: list[str] = []
    asyncio.run(schema.apply_expand(database_url, place=place, report=rest.append))
    assert dump(database_url) == wanted
    statements = 5 if database_url.startswith("sqlite") else 7
    assert len(rest) == statements - (kill_at - 1)


def test_two_migrators_at_once(database_url: str, tmp_path: Path) -> None:
    _at_first(database_url, tmp_path)
    place = write_history(tmp_path, 3).place
    both = [start_migrator(database_url, place) for _ in range(2)]
    said = [process.communicate(timeout=60)[0].splitlines()[-1] for process in both]
    assert sorted(said) == ["['e0002', 'e0003']", "[]"]


def test_a_statement_that_never_gets_its_turn_is_told_and_can_be_repeated(database_url: str, tmp_path: Path) -> None:
    _at_first(database_url, tmp_path)
    place = write_history(tmp_path, 2).place

    async def blocked() -> None:
        with pytest.raises(schema.Blocked, match="What was done stays"):
            await schema.apply_expand(database_url, place=place, patience=QUICK)

    if database_url.startswith("sqlite"):
        other = apsw.Connection(database_url.removeprefix("sqlite:///"))
        other.execute("BEGIN IMMEDIATE")
        asyncio.run(blocked())
        other.execute("ROLLBACK")
        other.close()
    else:

        async def hold() -> None:
            connection = await asyncpg.connect(database_url)
            async with connection.transaction():
                await connection.fetch("SELECT id FROM things")
                await blocked()
            await connection.close()

        asyncio.run(hold())
    assert _run(database_url, "apply_expand", place) == ["e0002"]


def test_what_takes_long_is_told_before(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _at_first(database_url, tmp_path)
    _fill(database_url, 5_000)
    place, told = write_history(tmp_path, 2).place, list[str]()
    monkeypatch.setattr(schema, "_LONG_S", 0.01)
    asyncio.run(schema.apply_expand(database_url, report=told.append, place=place))
    alone = ", in which nobody else can write" if database_url.startswith("sqlite") else ""
    assert told[0] == f"e0002 takes about 0 s{alone}"


def test_an_index_whose_making_was_killed_is_made_again(postgresql_url: str, tmp_path: Path) -> None:
    _at_first(postgresql_url, tmp_path)
    place = write_history(tmp_path, 2).place

    async def kill_while_it_waits() -> None:
        holder = await asyncpg.connect(postgresql_url)
        watcher = await asyncpg.connect(postgresql_url)
        # The column needs the table for itself, which the holder would prevent: it is there already.
        start_migrator(postgresql_url, place, kill_at=2).communicate(timeout=60)
        transaction = holder.transaction()
        await transaction.start()
        await holder.execute("INSERT INTO things (id) VALUES (1)")
        process = start_migrator(postgresql_url, place)
        async with asyncio.timeout(60):
            while not await watcher.fetchval("SELECT count(*) FROM pg_index WHERE NOT indisvalid"):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        process.kill()
        process.communicate()
        await transaction.commit()
        await holder.close()
        await watcher.close()

    asyncio.run(kill_while_it_waits())
    assert _run(postgresql_url, "apply_expand", place) == ["e0002"]
    assert all(row[2] for row in dump(postgresql_url) if len(row) == 3)


def test_an_index_that_can_not_be_made_leaves_nothing_behind(postgresql_url: str, tmp_path: Path) -> None:
    _at_first(postgresql_url, tmp_path)
    made = Migrations(tmp_path)
    made.add(
        "e0002", '\n    op.create_index("uq_body", "things", ["body"], unique=True, postgresql_concurrently=True)\n'
    )
    _fill(postgresql_url, 2)
    with pytest.raises(asyncpg.UniqueViolationError):
        _run(postgresql_url, "apply_expand", made.place)
    assert not any(row[0] == "uq_body" for row in dump(postgresql_url))


def _fill(url: str, rows: int) -> None:
    if url.startswith("sqlite"):
        connection = apsw.Connection(url.removeprefix("sqlite:///"))
        with connection:
            connection.executemany("INSERT INTO things (id) VALUES (?)", [(id_,) for id_ in range(rows)])
        connection.close()
        return

    async def fill() -> None:
        connection = await asyncpg.connect(url)
        await connection.execute(f"INSERT INTO things (id) SELECT generate_series(1, {rows})")
        await connection.execute("ANALYZE things")
        await connection.close()

    asyncio.run(fill())


def _clear(url: str) -> None:
    if url.startswith("sqlite"):
        path = Path(url.removeprefix("sqlite:///"))
        for end in ("", "-wal", "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)
        return

    async def clear() -> None:
        connection = await asyncpg.connect(url)
        await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        await connection.close()

    asyncio.run(clear())
