"""Rows into tables as fast as each database takes them: executemany on SQLite, COPY on PostgreSQL."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

_CHUNK = 20_000


class Bulk(Protocol):
    """An open database that takes many rows. Nothing is visible before `finish`."""

    dialect: str

    async def add(self, table: str, columns: str, rows: Iterable[Sequence[Any]]) -> None:
        """Inserts rows; their values stand in the order of the columns, whose names are given in one text."""
        ...

    async def finish(self) -> None:
        """Commits and disconnects."""
        ...


async def open_bulk(database_url: str) -> Bulk:
    """A writer of many rows into a database that has its tables."""
    if database_url.startswith("sqlite:"):
        return _Sqlite(database_url.removeprefix("sqlite:///"))
    import asyncpg

    connection = await asyncpg.connect(database_url)
    return await _Postgresql.begin(connection)


class _Sqlite:
    dialect = "sqlite"

    def __init__(self, path: str) -> None:
        import apsw

        self._connection = apsw.Connection(path)
        # A seed that fails is thrown away, so nothing needs to survive a crash.
        for pragma, value in (("synchronous", "off"), ("foreign_keys", False), ("cache_size", -262_144)):
            self._connection.pragma(pragma, value)
        self._connection.execute("BEGIN")

    async def add(self, table: str, columns: str, rows: Iterable[Sequence[Any]]) -> None:
        names = columns.split()
        places = ", ".join("?" * len(names))
        self._connection.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({places})", rows)

    async def finish(self) -> None:
        self._connection.execute("COMMIT")
        # As the daily job leaves it.
        self._connection.execute("INSERT INTO status_search (status_search) VALUES ('optimize')")
        self._connection.pragma("wal_checkpoint(TRUNCATE)")
        self._connection.close()


class _Postgresql:
    dialect = "postgresql"

    def __init__(self, connection: Any, transaction: Any) -> None:
        self._connection = connection
        self._transaction = transaction

    @classmethod
    async def begin(cls, connection: Any) -> _Postgresql:
        transaction = connection.transaction()
        await transaction.start()
        if await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
            await connection.execute("SET LOCAL session_replication_role = replica")  # no check of each reference
        return cls(connection, transaction)

    async def add(self, table: str, columns: str, rows: Iterable[Sequence[Any]]) -> None:
        words = table.endswith("_search")
        if words:  # a tsvector has no binary form that could be copied
            await self._connection.execute("CREATE TEMPORARY TABLE words (rowid bigint, body text) ON COMMIT DROP")
        waiting = iter(rows)
        while chunk := list(itertools.islice(waiting, _CHUNK)):
            await self._connection.copy_records_to_table(
                "words" if words else table, columns=columns.split(), records=chunk
            )
        if words:
            await self._connection.execute(f"INSERT INTO {table} SELECT rowid, body::tsvector FROM words")
            await self._connection.execute("DROP TABLE words")

    async def finish(self) -> None:
        await self._transaction.commit()
        await self._connection.execute("VACUUM ANALYZE")
        await self._connection.close()
