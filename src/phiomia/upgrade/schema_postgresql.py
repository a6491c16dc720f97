"""Moves a schema on PostgreSQL: each statement in a short transaction together with the note that it was done.

A statement that wants a table for itself stands in a queue, and everybody who comes after it waits behind it. So it
gives up after 75 ms and tries again later. An index is made or dropped concurrently, which no transaction can hold:
whether that was done is asked of the database.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg

from phiomia.upgrade.migrator import Blocked, Patience, Report, State
from phiomia.upgrade.min_code import Compat
from phiomia.upgrade.revisions import Revision
from phiomia.upgrade.statements import Statement, shorten

_LOCK = 7_417_000
_POLL_S = 0.2
_AGAIN = (
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.QueryCanceledError,
)
_OWN_TABLES = (
    "CREATE TABLE IF NOT EXISTS schema_revisions (revision TEXT PRIMARY KEY, applied_at TIMESTAMP NOT NULL)",
    "CREATE TABLE IF NOT EXISTS schema_statements"
    " (revision TEXT, digest TEXT, done_at TIMESTAMP NOT NULL, PRIMARY KEY (revision, digest))",
    "CREATE TABLE IF NOT EXISTS schema_compat (id INTEGER PRIMARY KEY CHECK (id = 1),"
    " expand_head TEXT NOT NULL, contract_head TEXT NOT NULL, min_code TEXT NOT NULL)",
)
_ADD_REVISION = "INSERT INTO schema_revisions VALUES ($1, CURRENT_TIMESTAMP)"
_ADD_STATEMENT = "INSERT INTO schema_statements VALUES ($1, $2, CURRENT_TIMESTAMP) ON CONFLICT DO NOTHING"
_PUT_COMPAT = (
    "INSERT INTO schema_compat VALUES (1, $1, $2, $3) ON CONFLICT (id) DO UPDATE"
    " SET expand_head = excluded.expand_head, contract_head = excluded.contract_head, min_code = excluded.min_code"
)
_IS_VALID = "SELECT i.indisvalid FROM pg_index i WHERE i.indexrelid = to_regclass($1)"
_OLDEST = (
    "SELECT pid, coalesce(application_name, ''), round(extract(epoch FROM now() - xact_start))::int"
    " FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND xact_start IS NOT NULL ORDER BY xact_start LIMIT 1"
)


async def connect_postgresql(url: str) -> PostgresqlMigrator:
    """A migrator with a connection of its own."""
    connection = await asyncpg.connect(url, timeout=10, server_settings={"application_name": "phiomia migrator"})
    return PostgresqlMigrator(connection)


class PostgresqlMigrator:
    """See `migrator.Migrator`."""

    dialect = "postgresql"

    def __init__(self, connection: asyncpg.Connection[Any]) -> None:
        self._connection = connection

    async def read(self) -> State:
        row = await self._connection.fetchrow("SELECT to_regclass('schema_revisions'), to_regclass('schema_compat')")
        revisions: frozenset[str] = frozenset()
        compat = Compat()
        if row is not None and row[0] is not None:
            found = await self._connection.fetch("SELECT revision FROM schema_revisions")
            revisions = frozenset(one[0] for one in found)
        if row is not None and row[1] is not None:
            kept = await self._connection.fetchrow("SELECT expand_head, contract_head, min_code FROM schema_compat")
            compat = Compat(*kept) if kept is not None else compat
        return State(revisions, compat)

    async def lock(self, patience: Patience) -> None:
        # Not by waiting for the lock: a statement that waits has a snapshot, and the other's CREATE INDEX CONCURRENTLY
        # would in turn wait for that.
        end = time.monotonic() + patience.turn_s
        while not await self._connection.fetchval(f"SELECT pg_try_advisory_lock({_LOCK})"):
            if time.monotonic() > end:
                raise Blocked(f"Another migrator has been at work for {patience.turn_s:.0f} s. Try again later.")
            await asyncio.sleep(_POLL_S * random.uniform(0.5, 1.0))
        for statement in _OWN_TABLES:
            await self._connection.execute(statement)

    async def apply_at_rest(self, revisions: Sequence[Revision], compat: Compat) -> None:
        async with self._connection.transaction():
            for revision in revisions:
                for statement in revision.statements:
                    await self._connection.execute(statement.at_rest)
                await self._connection.execute(_ADD_REVISION, revision.id)
            await self._connection.execute(_PUT_COMPAT, *compat)

    async def done(self, revision: str) -> frozenset[str]:
        found = await self._connection.fetch("SELECT digest FROM schema_statements WHERE revision = $1", revision)
        return frozenset(one[0] for one in found)

    async def run(self, revision: str, statement: Statement, patience: Patience, report: Report) -> None:
        begun = time.monotonic()
        tries = 0
        while True:
            tries += 1
            try:
                await self._run_once(revision, statement, patience)
                return
            except _AGAIN as error:
                pause = _pause_s(tries, patience)
                passed = time.monotonic() - begun
                if passed + pause > patience.budget_s:
                    raise Blocked(await self._explain(revision, statement, passed, error)) from error
                report(f"{revision}: did not get its turn ({tries}), tries again in {pause:.1f} s")
                await asyncio.sleep(pause)

    async def write_compat(self, compat: Compat) -> None:
        await self._connection.execute(_PUT_COMPAT, *compat)

    async def finish(self, revision: str, compat: Compat) -> None:
        async with self._connection.transaction():
            await self._connection.execute(_ADD_REVISION, revision)
            await self._connection.execute("DELETE FROM schema_statements WHERE revision = $1", revision)
            await self._connection.execute(_PUT_COMPAT, *compat)

    async def done_backfills(self) -> frozenset[str]:
        if await self._connection.fetchval("SELECT to_regclass('backfills')") is None:
            return frozenset()
        found = await self._connection.fetch("SELECT id FROM backfills WHERE state = 'done'")
        return frozenset(one[0] for one in found)

    async def count_rows(self, table: str) -> int:
        found = await self._connection.fetchval("SELECT reltuples FROM pg_class WHERE oid = to_regclass($1)", table)
        if found is None or found >= 1000:
            return int(found or 0)
        return int(await self._connection.fetchval(f'SELECT count(*) FROM "{table}"'))  # noqa: S608 (a migration's)

    async def close(self) -> None:
        await self._connection.close()

    async def _run_once(self, revision: str, statement: Statement, patience: Patience) -> None:
        if statement.kind == "make-index":
            await self._make_index(statement, patience)
        elif statement.kind == "drop-index":
            await self._drop_index(statement, patience)
        else:
            limit_s = patience.long_statement_s if statement.kind == "long" else patience.statement_s
            async with self._limits(patience.lock_ms, limit_s), self._connection.transaction():
                await self._connection.execute(statement.sql)
                await self._connection.execute(_ADD_STATEMENT, revision, statement.digest)
            return
        await self._connection.execute(_ADD_STATEMENT, revision, statement.digest)

    async def _make_index(self, statement: Statement, patience: Patience) -> None:
        valid = await self._connection.fetchval(_IS_VALID, statement.index_name)
        if valid:
            return
        # It waits for transactions that were there before it, but nobody waits for it.
        async with self._limits(0, patience.long_statement_s):
            if valid is False:
                await self._remove_index(statement.index_name)
            try:
                await self._connection.execute(statement.sql)
            except asyncpg.PostgresError:
                # What is left behind would cost every write, and if it is unique even refuse some.
                with contextlib.suppress(asyncpg.PostgresError):
                    await self._remove_index(statement.index_name)
                raise

    async def _drop_index(self, statement: Statement, patience: Patience) -> None:
        async with self._limits(0, patience.long_statement_s):
            await self._remove_index(statement.index_name)

    async def _remove_index(self, name: str) -> None:
        await self._connection.execute(f'DROP INDEX CONCURRENTLY IF EXISTS "{name}"')

    @contextlib.asynccontextmanager
    async def _limits(self, lock_ms: int, statement_s: float) -> AsyncIterator[None]:
        await self._connection.execute(
            f"SET lock_timeout = {lock_ms}; SET statement_timeout = {int(statement_s * 1000)}"
        )
        try:
            yield
        finally:
            if not self._connection.is_closed():
                await self._connection.execute("RESET lock_timeout; RESET statement_timeout")

    async def _explain(self, revision: str, statement: Statement, passed: float, error: Exception) -> str:
        row = await self._connection.fetchrow(_OLDEST)
        oldest = "" if row is None else f" The oldest transaction is process {row[0]} ({row[1]}), {row[2]} s old."
        return (
            f"{revision}: after {passed:.0f} s still no turn for {shorten(statement.sql)} ({error})."
            f"{oldest} What was done stays; the same command goes on from there."
        )


def _pause_s(tries: int, patience: Patience) -> float:
    longest: float = min(patience.first_pause_s * 2 ** min(tries - 1, 10), patience.longest_pause_s)
    return longest * random.uniform(0.5, 1.0)
