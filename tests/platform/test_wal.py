"""What is written moves from SQLite's log into the file without the writers."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial, wraps
from pathlib import Path
from typing import Any

import apsw
import pytest

from phiomia.platform.db import Query, WriteSession
from phiomia.platform.db.sqlite import SqliteDatabase

PAGE = 4096
THREAD = "sqlite-wal"
_PUT = Query.raw(sqlite="INSERT INTO pages (body) VALUES (:body)")


def in_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Runs a coroutine as a test."""

    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), 60))

    return run


@asynccontextmanager
async def opened(path: Path, count: int = 1) -> AsyncIterator[list[SqliteDatabase]]:
    """As several processes open it."""
    with apsw.Connection(str(path)) as made:
        made.execute("CREATE TABLE pages (id INTEGER PRIMARY KEY, body TEXT)")
    databases = [SqliteDatabase(f"sqlite:///{path}", synchronous="normal") for _ in range(count)]
    for one in databases:
        await one.start()
    try:
        yield databases
    finally:
        for one in databases:
            await one.close()


async def write(db: SqliteDatabase, pages: int) -> None:
    """One transaction."""

    async def verb(session: WriteSession) -> None:
        await session.execute_many(_PUT, [{"body": "x" * PAGE}] * pages)

    await db.write(verb)


def generation(path: Path) -> int:
    """How often the log has begun anew, as its header says (https://sqlite.org/walformat.html, 1.1)."""
    with open(f"{path}-wal", "rb") as log:
        return int.from_bytes(log.read(16)[12:], "big")


def size(path: Path) -> int:
    """In bytes."""
    return path.stat().st_size


async def until(condition: Callable[[], bool]) -> None:
    """Waits for it."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


class Between:
    """A connection that moves the log, with something done whenever it has moved a part."""

    def __init__(self, path: Path, then: Callable[[], None]) -> None:
        self._connection, self._then = apsw.Connection(str(path)), then

    def pragma(self, name: str) -> None:
        """As `apsw.Connection`."""
        self._connection.pragma(name)

    def wal_checkpoint(self, mode: int) -> tuple[int, int]:
        """As `apsw.Connection`."""
        result = self._connection.wal_checkpoint(mode=mode)
        if mode == apsw.SQLITE_CHECKPOINT_PASSIVE:
            self._then()
        return result

    def close(self) -> None:
        """As `apsw.Connection`."""
        self._connection.close()


@in_loop
async def test_the_log_begins_anew_although_others_write_all_the_time(tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite3"
    async with opened(path) as [db]:
        other = apsw.Connection(str(path))
        other.set_busy_timeout(5000)
        other.wal_autocheckpoint(0)
        connect = partial(Between, path, lambda: other.execute("INSERT INTO pages (body) VALUES ('')").close())
        db._mover._connect = connect  # type: ignore[assignment]
        await write(db, 1500)
        await until(lambda: bool(other.execute("INSERT INTO pages (body) VALUES ('')").fetchall() or generation(path)))
        assert size(Path(f"{path}-wal")) < 4_000 * PAGE
        other.close()


@in_loop
async def test_the_log_of_two_that_keep_writing_begins_anew_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite3"
    async with opened(path, 2) as databases:

        async def keep_writing(db: SqliteDatabase) -> None:
            # On a busy machine who moves it comes late; nobody waits for him.
            for _ in range(4_000):
                await write(db, 40)
                if generation(path) > 3:
                    return

        await asyncio.gather(*map(keep_writing, databases))
        assert generation(path) > 3


@in_loop
async def test_what_a_reader_held_back_is_moved_by_nobody_who_writes(tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite3"
    async with opened(path) as [db]:
        reader = apsw.Connection(str(path))
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM pages").fetchall()
        for _ in range(60):
            await write(db, 100)
        assert generation(path) == 0
        assert THREAD in {one.name for one in threading.enumerate()}
        reader.execute("COMMIT")
        reader.close()
        before = size(path)
        await write(db, 1)
        await until(lambda: size(path) > before + 5_000 * PAGE)
        await until_begun_anew(db, path)
    assert THREAD not in {one.name for one in threading.enumerate()}


async def until_begun_anew(db: SqliteDatabase, path: Path) -> None:
    """The next writer begins the log anew when all of it has been moved."""
    end = time.monotonic() + 30
    while not generation(path):
        assert time.monotonic() < end
        await write(db, 1)
        await asyncio.sleep(0.02)


@in_loop
async def test_a_failure_is_said_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("phiomia.platform.db.wal._FAILED_REST_S", 0.01)
    path = tmp_path / "db.sqlite3"
    async with opened(path) as [db]:
        failing = [True]

        def fail() -> None:
            if failing:
                raise apsw.FullError("no room")

        db._mover._connect = partial(Between, path, fail)  # type: ignore[assignment]
        await write(db, 1500)
        await until(lambda: "no room" in caplog.text)
        failing.clear()
        await until_begun_anew(db, path)
