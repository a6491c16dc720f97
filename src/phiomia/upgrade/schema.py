"""Moves the schema. Alembic renders each migration to SQL, the bare drivers run it.

PostgreSQL commits each migration; SQLite all of them at once, since there the transaction is the lock.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phiomia.migrations import HEADS

if TYPE_CHECKING:
    from alembic.script import Script, ScriptDirectory

_PLACE = Path(__file__).parent.parent / "migrations"
_LOCK = 7_417_000


async def upgrade(database_url: str) -> list[str]:
    """Brings the database to the newest schema; gives the revisions that were applied. Safe to call twice at once."""
    if await current(database_url) >= HEADS:
        return []
    applied = []
    with _open(database_url) as open_schema:
        connection = await open_schema.connect()
        try:
            done = await connection.lock_and_read()
            for revision, statements in _render(connection.dialect, done):
                await connection.apply(revision, statements)
                applied.append(revision)
            await connection.finish()
        finally:
            await connection.close()
    return applied


async def current(database_url: str) -> frozenset[str]:
    """The revisions that the database has; empty for a fresh one."""
    with _open(database_url) as open_schema:
        connection = await open_schema.connect()
        try:
            found: frozenset[str] = await connection.read()
            return found
        finally:
            await connection.close()


@contextlib.contextmanager
def _open(database_url: str) -> Iterator[Any]:
    yield _Sqlite(database_url) if database_url.startswith("sqlite:") else _Postgresql(database_url)


def scripts() -> "ScriptDirectory":
    """Alembic's view of the migration files."""
    from alembic.script import ScriptDirectory  # costs 100 ms and is seldom needed

    return ScriptDirectory(str(_PLACE), version_locations=[str(_PLACE / "expand"), str(_PLACE / "contract")])


def _render(dialect: str, done: frozenset[str]) -> Iterator[tuple[str, list[str]]]:
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext

    directory = scripts()
    missing: list[Script] = [
        script for script in directory.walk_revisions("base", "heads") if script.revision not in done
    ]
    for script in reversed(missing):
        collected = _Statements()
        context = MigrationContext.configure(
            dialect_name=dialect, opts={"as_sql": True, "output_buffer": collected, "literal_binds": True}
        )
        with Operations.context(context):
            script.module.upgrade()
        yield script.revision, collected.statements


class _Statements:
    """Alembic's output buffer: each write is one statement."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    def write(self, text: str) -> None:
        statement = text.strip().rstrip(";").strip()
        if statement and not statement.startswith("--"):
            self.statements.append(statement)

    def flush(self) -> None:
        """Nothing is buffered."""


_CREATE = "CREATE TABLE IF NOT EXISTS schema_revisions (revision TEXT PRIMARY KEY, applied_at TIMESTAMP NOT NULL)"


class _Sqlite:
    dialect = "sqlite"

    def __init__(self, url: str) -> None:
        self._path = Path(url.removeprefix("sqlite:///"))

    async def connect(self) -> "_Sqlite":
        import apsw

        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = apsw.Connection(str(self._path))
        self._connection.set_busy_timeout(30_000)
        self._connection.pragma("journal_mode", "wal")
        return self

    async def read(self) -> frozenset[str]:
        found = self._connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'schema_revisions'").fetchone()
        if not found:
            return frozenset()
        return frozenset(row[0] for row in self._connection.execute("SELECT revision FROM schema_revisions"))

    async def lock_and_read(self) -> frozenset[str]:
        self._connection.execute(_CREATE)
        self._connection.execute("BEGIN IMMEDIATE")
        return await self.read()

    async def apply(self, revision: str, statements: list[str]) -> None:
        for statement in statements:
            self._connection.execute(statement)
        self._connection.execute("INSERT INTO schema_revisions VALUES (?, CURRENT_TIMESTAMP)", (revision,))

    async def finish(self) -> None:
        # Only now: whoever asked at the same time waits for the lock, and would begin between two migrations.
        self._connection.execute("COMMIT")

    async def close(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._connection.close()


class _Postgresql:
    dialect = "postgresql"

    def __init__(self, url: str) -> None:
        self._url = url

    async def connect(self) -> "_Postgresql":
        import asyncpg

        self._connection = await asyncpg.connect(self._url, timeout=10)
        return self

    async def read(self) -> frozenset[str]:
        if await self._connection.fetchval("SELECT to_regclass('schema_revisions')") is None:
            return frozenset()
        return frozenset(row[0] for row in await self._connection.fetch("SELECT revision FROM schema_revisions"))

    async def lock_and_read(self) -> frozenset[str]:
        await self._connection.execute(f"SELECT pg_advisory_lock({_LOCK})")
        await self._connection.execute(_CREATE)
        return await self.read()

    async def apply(self, revision: str, statements: list[str]) -> None:
        async with self._connection.transaction():
            for statement in statements:
                await self._connection.execute(statement)
            await self._connection.execute("INSERT INTO schema_revisions VALUES ($1, CURRENT_TIMESTAMP)", revision)

    async def finish(self) -> None:
        """Each migration was committed by itself; the lock ends with the connection."""

    async def close(self) -> None:
        await self._connection.close()
