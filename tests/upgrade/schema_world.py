"""Synthetic histories of a schema, and what a database looks like after one."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import apsw
import asyncpg

_HEAD = """
import sqlalchemy as sa
from alembic import op

revision = {id!r}
down_revision = {down!r}
branch_labels = None
depends_on = {needs!r}
"""

THINGS = """
    op.create_table(
        "things",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("body", sa.Text(), server_default="", nullable=False),
        sa.Column("old", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_things")),
    )
    op.create_index("ix_things_old", "things", ["old"])
"""
NOTE = """
    op.add_column("things", sa.Column("note", sa.Text(), server_default="", nullable=False))
    op.create_index(
        "ix_things_note", "things", ["note"], postgresql_concurrently=True, sqlite_where=sa.text("note <> ''")
    )
    op.add_column("things", sa.Column("seen_at", sa.BigInteger(), nullable=True))
"""
MARKS = """
    op.create_table(
        "marks",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_marks")),
    )
    op.add_column("things", sa.Column("mark_id", sa.BigInteger(), nullable=True))
    if op.get_context().dialect.name == "postgresql":
        op.create_foreign_key(
            "fk_things_mark_id", "things", "marks", ["mark_id"], ["id"], postgresql_not_valid=True
        )
        op.execute("ALTER TABLE things VALIDATE CONSTRAINT fk_things_mark_id")
"""
NO_OLD = """
    op.drop_index("ix_things_old", "things", postgresql_concurrently=True)
    op.drop_column("things", "old")
"""
AFTER = """
    op.add_column("things", sa.Column("rank", sa.Integer(), server_default=sa.text("0"), nullable=False))
"""


class Migrations:
    """A folder of migrations that a test writes itself."""

    def __init__(self, place: Path) -> None:
        self.place = place
        for branch in ("expand", "contract"):
            (place / branch).mkdir(parents=True, exist_ok=True)

    def add(
        self,
        id_: str,
        body: str,
        *,
        needs: str | None = None,
        min_code: str = "",
        cost: object = None,
        backfills: tuple[str, ...] = (),
    ) -> Path:
        """Writes a revision after the last one of its branch."""
        folder = self.place / ("contract" if id_.startswith("c") else "expand")
        down = max((path.name[:5] for path in folder.glob("*.py") if path.name[:5] < id_), default=None)
        text = _HEAD.format(id=id_, down=down, needs=needs)
        if min_code:
            text += f"MIN_CODE = {min_code!r}\n"
        if backfills:
            text += f"BACKFILLS = {backfills!r}\n"
        if cost is not None:
            text += f"COST = {cost!r}\n"
        path = folder / f"{id_}_made_up.py"
        path.write_text(f'"""Made up."""\n{text}\n\ndef upgrade() -> None:{body}')
        return path


def write_history(place: Path, upto: int = 5, min_code: str = "0.1.0") -> Migrations:
    """The first revisions of a history: three expands, a contract, and an expand that builds on it."""
    made = Migrations(place)
    cost = {"things": 500_000}
    steps: list[tuple[str, str, dict[str, Any]]] = [
        ("e0001", THINGS, {}),
        ("e0002", NOTE, {"cost": cost}),
        ("e0003", MARKS, {"cost": cost}),
        ("c0001", NO_OLD, {"needs": "e0003", "min_code": min_code, "cost": cost}),
        ("e0004", AFTER, {"needs": "c0001", "cost": {"things": None}}),
    ]
    for id_, body, more in steps[:upto]:
        made.add(id_, body, **more)
    return made


_COLUMNS = """SELECT table_name, column_name, data_type, is_nullable, column_default
    FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2"""
_INDEXES = """SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid), indisvalid
    FROM pg_index JOIN pg_class c ON c.oid = indrelid WHERE relnamespace = 'public'::regnamespace ORDER BY 1"""
_CONSTRAINTS = """SELECT conname, pg_get_constraintdef(oid), convalidated
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1"""


def dump(url: str) -> list[Any]:
    """The schema as data, to be compared."""
    return _dump_sqlite(url) if url.startswith("sqlite:") else asyncio.run(_dump_postgresql(url))


def _dump_sqlite(url: str) -> list[Any]:
    connection = apsw.Connection(url.removeprefix("sqlite:///"))
    try:
        return list(connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY type, name"))
    finally:
        connection.close()


async def _dump_postgresql(url: str) -> list[Any]:
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for sql in (_COLUMNS, _INDEXES, _CONSTRAINTS) for row in await connection.fetch(sql)]
    finally:
        await connection.close()


_PROGRAM = """
import asyncio, os, signal, sys
from pathlib import Path
from phiomia.upgrade import schema

url, place, kill_at = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
lines = 0

def report(line):
    global lines
    lines += 1
    print(line, flush=True)
    if lines == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)

print(asyncio.run(schema.apply_expand(url, place=place, report=report)))
"""


def start_migrator(url: str, place: Path, *, kill_at: int = 0) -> subprocess.Popen[str]:
    """A process that expands; it kills itself before it runs the statement of that number."""
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, url, str(place), str(kill_at)],
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )


KILLED = -signal.SIGKILL
