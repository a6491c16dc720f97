"""How long others wait while a migration runs beside a transaction that stays open: `python -m bench.migrate`.

Makes a table of a million rows, keeps a transaction open on it for 30 s, lets readers and writers work, adds a column
and an index through the migrator as the rules for migrations want it, and lets the backfill begin that fills both.
PostgreSQL also makes an index of all the rows meanwhile, which SQLite can't without keeping all writers away.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import apsw
import asyncpg

from phiomia.migrations import EXPAND_HEADS
from phiomia.platform.db import Query, WriteSession, open_database
from phiomia.upgrade import backfills, schema
from phiomia.upgrade.backfills import Backfill, Batch
from phiomia.upgrade.revisions import PLACE

_HEAD = """
import sqlalchemy as sa
from alembic import op

revision = {revision!r}
down_revision = {down!r}
branch_labels = None
depends_on = None
COST = {{"posts": 10_000_000}}


def upgrade() -> None:
"""
_BASE = """
    op.create_table(
        "posts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("body", sa.Text(), server_default="", nullable=False),
        sa.Column("seen", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
"""
_MORE = """
    op.add_column("posts", sa.Column("words", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_posts_words", "posts", ["words", "id"],
        postgresql_concurrently=True, sqlite_where=sa.text("words IS NOT NULL"),
    )
"""
_UNFILLED = Query.raw(sqlite="SELECT id FROM posts WHERE id > :after AND words IS NULL ORDER BY id LIMIT :limit")
_FILL = Query.raw(
    sqlite="UPDATE posts SET words = seen WHERE id IN (SELECT value FROM json_each(:ids_list))",
    postgresql="UPDATE posts SET words = seen WHERE id = ANY(:ids_list)",
)
_READ = "SELECT body FROM posts WHERE id = "
_WRITE = "UPDATE posts SET seen = seen + 1 WHERE id = "


class Waits(NamedTuple):
    """The longest of one kind in ms, and how many there were."""

    longest_ms: float
    times: int


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.migrate")
    parser.add_argument("--database", default="", help="postgresql://… of an empty database (default: SQLite)")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--held", type=float, default=30.0, help="seconds that a transaction stays open")
    parser.add_argument("--filled", type=float, default=30.0, help="seconds that the backfill has")
    parser.add_argument("--readers", type=int, default=3)
    parser.add_argument("--writers", type=int, default=2)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="phiomia-migrate-") as folder:
        url = options.database or f"sqlite:///{folder}/bench.sqlite3"
        place = Path(folder) / "migrations"
        shutil.copytree(PLACE, place)
        run = _on_sqlite if url.startswith("sqlite:") else _on_postgresql
        asyncio.run(run(url, place, options))
    return 0


def _write(place: Path, revision: str, down: str | None, body: str) -> None:
    text = _HEAD.format(revision=revision, down=down) + body
    (place / "expand" / f"{revision}_bench.py").write_text(text)


async def _make_table(url: str, place: Path) -> None:
    [head] = EXPAND_HEADS
    _write(place, "e9001", head, _BASE)
    await schema.upgrade(url, place=place)


async def _fill_words(session: WriteSession, after: int, limit: int) -> Batch:
    ids = await session.column(_UNFILLED, after=after, limit=limit)
    if ids:
        await session.execute(_FILL, ids_list=ids)
    return ids[-1] if ids else None, len(ids)


async def _fill(url: str, seconds: float) -> None:
    db = open_database(url)
    await db.start()
    try:
        await backfills.run(db, [Backfill("fill-words@1", "posts", 1000, _fill_words)], seconds=seconds)
        async with db.read() as session:
            done = next(one for one in await backfills.progress(session) if one.id == "fill-words@1")
        print(f"the backfill did {done.rows_done:,} of {done.rows_total:,} rows")
    finally:
        await db.close()


async def _on_postgresql(url: str, place: Path, options: argparse.Namespace) -> None:
    await _make_table(url, place)
    admin = await asyncpg.connect(url)
    fill = "INSERT INTO posts (id, body) SELECT i, repeat('x', 200) FROM generate_series(1, $1) i"
    await admin.execute(fill, options.rows, timeout=600)
    await admin.execute("ANALYZE posts")
    stop = asyncio.Event()
    reads = [asyncio.create_task(_ask(url, _READ, options.rows, stop)) for _ in range(options.readers)]
    writes = [asyncio.create_task(_ask(url, _WRITE, options.rows, stop)) for _ in range(options.writers)]
    await asyncio.sleep(3.0)
    _write(place, "e9002", "e9001", _MORE)
    transaction = admin.transaction()
    await transaction.start()
    await admin.fetchval("SELECT count(*) FROM posts")
    begun = time.monotonic()
    lines: list[str] = []
    moving = asyncio.create_task(schema.apply_expand(url, place=place, report=lines.append))
    await asyncio.sleep(options.held)
    await transaction.commit()
    await moving
    took = time.monotonic() - begun
    await asyncio.to_thread(lambda: asyncio.run(_fill(url, options.filled)))
    stop.set()
    _tell(options, took, await asyncio.gather(*reads), await asyncio.gather(*writes))
    print(f"the column got its turn after {sum('did not get' in line for line in lines)} tries in vain")
    await admin.close()


async def _ask(url: str, sql: str, rows: int, stop: asyncio.Event) -> Waits:
    connection = await asyncpg.connect(url)
    longest, count = 0.0, 0
    while not stop.is_set():
        count += 1
        begun = time.monotonic()
        await connection.execute(f"{sql}$1", (count * 7_919) % rows + 1)
        longest = max(longest, time.monotonic() - begun)
        await asyncio.sleep(0.002)
    await connection.close()
    return Waits(longest * 1000, count)


async def _on_sqlite(url: str, place: Path, options: argparse.Namespace) -> None:
    await _make_table(url, place)
    path = url.removeprefix("sqlite:///")
    connection = apsw.Connection(path)
    with connection:
        connection.executemany(
            "INSERT INTO posts (id, body) VALUES (?, ?)", ((i, "x" * 200) for i in range(1, options.rows + 1))
        )
    stop = threading.Event()
    reads = [asyncio.to_thread(_ask_sqlite, url, _READ, options.rows, stop) for _ in range(options.readers)]
    writes = [asyncio.to_thread(_ask_sqlite, url, _WRITE, options.rows, stop) for _ in range(options.writers)]
    asking = asyncio.gather(*reads, *writes)
    await asyncio.sleep(3.0)
    _write(place, "e9002", "e9001", _MORE)
    pending = (await schema.list_pending(url, place=place))[0]
    begun = time.monotonic()
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM posts").fetchall()
    await asyncio.to_thread(lambda: asyncio.run(schema.apply_expand(url, place=place)))
    took = time.monotonic() - begun
    filling = asyncio.create_task(asyncio.to_thread(lambda: asyncio.run(_fill(url, options.filled))))
    await asyncio.sleep(options.held - took)
    connection.execute("COMMIT")
    connection.close()
    await filling
    # What could not be moved out of the log meanwhile now is.
    await asyncio.sleep(3.0)
    stop.set()
    waits = await asking
    _tell(options, took, waits[: options.readers], waits[options.readers :])
    print(f"estimated pause {pending.pause_s:.2f} s")


def _ask_sqlite(url: str, sql: str, rows: int, stop: threading.Event) -> Waits:
    return asyncio.run(_ask_as_a_process(url, sql, rows, stop))


async def _ask_as_a_process(url: str, sql: str, rows: int, stop: threading.Event) -> Waits:
    """As each process of the server does, with connections of its own."""
    db = open_database(url)
    await db.start()
    query = Query.raw(sqlite=f"{sql}:id")
    longest, count = 0.0, 0
    while not stop.is_set():
        count += 1
        id_ = (count * 7_919) % rows + 1
        begun = time.monotonic()
        if sql is _WRITE:
            await db.write(lambda session, id_=id_: session.execute(query, id=id_))  # type: ignore[misc]
        else:
            async with db.read() as session:
                await session.all(query, id=id_)
        longest = max(longest, time.monotonic() - begun)
        await asyncio.sleep(0.002)
    await db.close()
    return Waits(longest * 1000, count)


def _tell(options: argparse.Namespace, took: float, reads: Sequence[Waits], writes: Sequence[Waits]) -> None:
    print(f"{options.rows:,} rows, migration {took:.1f} s")
    for name, waits in (("read", reads), ("write", writes)):
        print(f"longest {name} {max(one.longest_ms for one in waits):.0f} ms of {sum(one.times for one in waits):,}")


if __name__ == "__main__":
    sys.exit(main())
