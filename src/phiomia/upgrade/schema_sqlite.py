"""Moves a schema on SQLite: each statement in a short transaction together with the note that it was done.

SQLite has one writer at a time: while an index is made, nobody else writes. How long that takes is in the estimate.
"""

import asyncio
import fcntl
import os
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import apsw

from phiomia.upgrade.migrator import Blocked, Patience, Report, State
from phiomia.upgrade.min_code import Compat
from phiomia.upgrade.revisions import Revision
from phiomia.upgrade.statements import Statement, shorten

_Step = tuple[str, tuple[str, ...]]
_AGAIN = (apsw.BusyError, apsw.LockedError)
_BUSY_MS = 1_000
_POLL_S = 0.05
_CREATE = "CREATE TABLE IF NOT EXISTS"
_OWN_TABLES = (
    f"{_CREATE} schema_revisions (revision TEXT PRIMARY KEY, applied_at TIMESTAMP NOT NULL)",
    f"{_CREATE} schema_statements (revision TEXT, digest TEXT, done_at TIMESTAMP NOT NULL,"
    " PRIMARY KEY (revision, digest))",
    f"{_CREATE} schema_compat (id INTEGER PRIMARY KEY CHECK (id = 1),"
    " expand_head TEXT NOT NULL, contract_head TEXT NOT NULL, min_code TEXT NOT NULL)",
)
_ADD_REVISION = "INSERT INTO schema_revisions VALUES (?, CURRENT_TIMESTAMP)"
_ADD_STATEMENT = "INSERT OR IGNORE INTO schema_statements VALUES (?, ?, CURRENT_TIMESTAMP)"
_PUT_COMPAT = "INSERT OR REPLACE INTO schema_compat VALUES (1, ?, ?, ?)"


def connect_sqlite(url: str) -> "SqliteMigrator":
    """A migrator with a connection of its own; an absent file is made."""
    path = Path(url.removeprefix("sqlite:///"))
    path.parent.mkdir(parents=True, exist_ok=True)
    _make_private(path)
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(_BUSY_MS)
    return SqliteMigrator(connection, path)


def _make_private(path: Path) -> None:
    """Makes an absent file that other users of the machine can't read: letters and keys will lie in it."""
    # SQLite gives its other files the same rights. One that is there is left alone: closing it would free its locks.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640))


class SqliteMigrator:
    """See `migrator.Migrator`."""

    dialect = "sqlite"

    def __init__(self, connection: apsw.Connection, path: Path) -> None:
        self._connection = connection
        self._turn = path.with_name(f"{path.name}.migrator")
        self._descriptor: int | None = None
        self._patience = Patience()

    async def read(self) -> State:
        execute = self._connection.execute
        names = {row[0] for row in execute("SELECT name FROM sqlite_master WHERE name LIKE 'schema_%'")}
        revisions: frozenset[str] = frozenset()
        compat = Compat()
        if "schema_revisions" in names:
            revisions = frozenset(row[0] for row in execute("SELECT revision FROM schema_revisions"))
        if "schema_compat" in names:
            row = execute("SELECT expand_head, contract_head, min_code FROM schema_compat").fetchone()
            compat = Compat(*row) if row else compat
        return State(revisions, compat)

    async def lock(self, patience: Patience) -> None:
        # Not on the database's own file: closing that would take away SQLite's locks.
        self._descriptor = os.open(self._turn, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        end = time.monotonic() + patience.turn_s
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    reason = f"Another migrator has been at work for {patience.turn_s:.0f} s. Try again later."
                    raise Blocked(reason) from None
                await asyncio.sleep(_POLL_S)
        self._patience = patience
        await self._write("its own tables", [("PRAGMA journal_mode = wal", ())], transaction=False)
        await self._write("its own tables", [(sql, ()) for sql in _OWN_TABLES])

    async def apply_at_rest(self, revisions: Sequence[Revision], compat: Compat) -> None:
        steps: list[_Step] = []
        for revision in revisions:
            steps += [(statement.at_rest, ()) for statement in revision.statements]
            steps.append((_ADD_REVISION, (revision.id,)))
        await self._write("the first tables", [*steps, (_PUT_COMPAT, compat)])

    async def done(self, revision: str) -> frozenset[str]:
        found = self._connection.execute("SELECT digest FROM schema_statements WHERE revision = ?", (revision,))
        return frozenset(row[0] for row in found)

    async def run(self, revision: str, statement: Statement, patience: Patience, report: Report) -> None:
        self._patience = patience
        done = (_ADD_STATEMENT, (revision, statement.digest))
        await self._write(f"{revision}, {shorten(statement.sql)}", [(statement.at_rest, ()), done], report)

    async def write_compat(self, compat: Compat) -> None:
        await self._write("its own tables", [(_PUT_COMPAT, compat)])

    async def finish(self, revision: str, compat: Compat) -> None:
        forget = ("DELETE FROM schema_statements WHERE revision = ?", (revision,))
        await self._write(revision, [(_ADD_REVISION, (revision,)), forget, (_PUT_COMPAT, compat)])

    async def done_backfills(self) -> frozenset[str]:
        if self._connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'backfills'").fetchone() is None:
            return frozenset()
        return frozenset(row[0] for row in self._connection.execute("SELECT id FROM backfills WHERE state = 'done'"))

    async def count_rows(self, table: str) -> int:
        known = self._connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,))
        if known.fetchone() is None:
            return 0
        row = self._connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()  # noqa: S608 (a migration's)
        return int(row[0]) if row else 0

    async def close(self) -> None:
        self._connection.close()
        if self._descriptor is not None:
            os.close(self._descriptor)

    async def _write(
        self, what: str, steps: Sequence[_Step], report: Report | None = None, *, transaction: bool = True
    ) -> None:
        end = time.monotonic() + self._patience.budget_s
        tries = 0
        while True:
            tries += 1
            try:
                self._write_once(steps, transaction)
                return
            except _AGAIN as error:
                if time.monotonic() > end:
                    raise Blocked(
                        f"After {self._patience.budget_s:.0f} s still no turn for {what} ({error})."
                        " What was done stays; the same command goes on from there."
                    ) from error
                if report is not None:
                    report(f"{what}: did not get its turn ({tries}), tries again")
                await asyncio.sleep(self._patience.first_pause_s * random.uniform(0.5, 1.0))

    def _write_once(self, steps: Sequence[_Step], transaction: bool) -> None:
        if transaction:
            self._connection.execute("BEGIN IMMEDIATE")
        try:
            for sql, values in steps:
                self._connection.execute(sql, values)
            if transaction:
                self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
