"""How long others wait while a migration runs beside a transaction that stays open: `python -m bench.migrate`.

Makes a table of a million rows, keeps a transaction open on it for 30 s, lets readers and writers work, and adds a
column and an index through the migrator. On SQLite there is no such transaction to wait for; there the pause is the
index.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import apsw
import asyncpg

from phiomia.upgrade import schema

_HEAD = """
import sqlalchemy as sa
from alembic import op

revision = {revision!r}
down_revision = {down!r}
branch_labels = None
depends_on = None
COST = {{"posts": 700_000}}


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
    op.add_column("posts", sa.Column("words", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.create_index("ix_posts_seen", "posts", ["seen", "id"], postgresql_concurrently=True)
"""
_READ = "SELECT body FROM posts WHERE id = "
_WRITE = "UPDATE posts SET seen = seen + 1 WHERE id = "


class Waits(NamedTuple):
    """The longest of one kind in ms, and how many there were."""

    longest_ms: float
    count: int


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.migrate")
    parser.add_argument("--database", default="", help="postgresql://… of an empty database (default: SQLite)")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--held", type=float, default=30.0, help="seconds that a transaction stays open (PostgreSQL)")
    parser.add_argument("--readers", type=int, default=3)
    parser.add_argument("--writers", type=int, default=2)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="phiomia-migrate-") as folder:
        url = options.database or f"sqlite:///{folder}/bench.sqlite3"
        place = Path(folder) / "migrations"
        (place / "expand").mkdir(parents=True)
        (place / "contract").mkdir()
        run = _on_sqlite if url.startswith("sqlite:") else _on_postgresql
        asyncio.run(run(url, place, options))
    return 0


def _write(place: Path, revision: str, down: str | None, body: str) -> None:
    text = _HEAD.format(revision=revision, down=down) + body
    (place / "expand" / f"{revision}_bench.py").write_text(text)


async def _on_postgresql(url: str, place: Path, options: argparse.Namespace) -> None:
    _write(place, "e0001", None, _BASE)
    await schema.upgrade(url, place=place)
    admin = await asyncpg.connect(url)
    fill = "INSERT INTO posts (id, body) SELECT i, repeat('x', 200) FROM generate_series(1, $1) i"
    await admin.execute(fill, options.rows, timeout=600)
    await admin.execute("ANALYZE posts")
    stop = asyncio.Event()
    reads = [asyncio.create_task(_ask(url, _READ, options.rows, stop)) for _ in range(options.readers)]
    writes = [asyncio.create_task(_ask(url, _WRITE, options.rows, stop)) for _ in range(options.writers)]
    await asyncio.sleep(3.0)
    _write(place, "e0002", "e0001", _MORE)
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
    _write(place, "e0001", None, _BASE)
    await schema.upgrade(url, place=place)
    path = url.removeprefix("sqlite:///")
    connection = apsw.Connection(path)
    with connection:
        connection.executemany(
            "INSERT INTO posts (id, body) VALUES (?, ?)", ((i, "x" * 200) for i in range(1, options.rows + 1))
        )
    connection.close()
    stop = threading.Event()
    reads = [asyncio.to_thread(_ask_sqlite, path, _READ, options.rows, stop) for _ in range(options.readers)]
    writes = [asyncio.to_thread(_ask_sqlite, path, _WRITE, options.rows, stop) for _ in range(options.writers)]
    asking = asyncio.gather(*reads, *writes)
    await asyncio.sleep(3.0)
    _write(place, "e0002", "e0001", _MORE)
    pending = (await schema.list_pending(url, place=place))[0]
    begun = time.monotonic()
    await asyncio.to_thread(lambda: asyncio.run(schema.apply_expand(url, place=place)))
    took = time.monotonic() - begun
    stop.set()
    waits = await asking
    _tell(options, took, waits[: options.readers], waits[options.readers :])
    print(f"estimated pause {pending.pause_s:.2f} s")


def _ask_sqlite(path: str, sql: str, rows: int, stop: threading.Event) -> Waits:
    connection = apsw.Connection(path)
    connection.set_busy_timeout(30_000)
    longest, count = 0.0, 0
    while not stop.is_set():
        count += 1
        begun = time.monotonic()
        connection.execute(f"{sql}?", ((count * 7_919) % rows + 1,)).fetchall()
        longest = max(longest, time.monotonic() - begun)
        time.sleep(0.002)
    connection.close()
    return Waits(longest * 1000, count)


def _tell(options: argparse.Namespace, took: float, reads: Sequence[Waits], writes: Sequence[Waits]) -> None:
    print(f"{options.rows:,} rows, migration {took:.1f} s")
    for name, waits in (("read", reads), ("write", writes)):
        print(f"longest {name} {max(one.longest_ms for one in waits):.0f} ms of {sum(one.count for one in waits):,}")


if __name__ == "__main__":
    sys.exit(main())
