"""The database as upgrades see it: the bare driver, one connection, a statement at a time.

The releases on both sides of an upgrade use it, so it knows nothing of the schema. Not for use within an event loop.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

Row = tuple[Any, ...]
_PARAMETER = re.compile(r"\?")


class Connection(Protocol):
    """One open connection."""

    dialect: str

    def rows(self, sql: str, *values: Any) -> list[Row]:
        """What a statement gives; its parameters are written `?`."""

    def has_table(self, name: str) -> bool:
        """Whether there is such a table."""


def sqlite_path(url: str) -> Path | None:
    """The file of a SQLite database; None for another."""
    return Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:") else None


def is_there(url: str) -> bool:
    """Whether there is a database to ask. Asking SQLite would make an empty file."""
    path = sqlite_path(url)
    return path is None or os.path.exists(path)


@contextmanager
def connect(url: str) -> Iterator[Connection]:
    """Opens the database and closes it again."""
    opened = _Sqlite(url) if url.startswith("sqlite:") else _Postgresql(url)
    try:
        yield opened
    finally:
        opened.close()


class _Sqlite:
    dialect = "sqlite"

    def __init__(self, url: str) -> None:
        import apsw

        self._connection = apsw.Connection(url.removeprefix("sqlite:///"))
        self._connection.set_busy_timeout(30_000)

    def rows(self, sql: str, *values: Any) -> list[Row]:
        return list(self._connection.execute(sql, values))

    def has_table(self, name: str) -> bool:
        return bool(self.rows("SELECT 1 FROM sqlite_master WHERE name = ?", name))

    def close(self) -> None:
        self._connection.close()


class _Postgresql:
    dialect = "postgresql"

    def __init__(self, url: str) -> None:
        import asyncio

        import asyncpg

        self._runner = asyncio.Runner()
        self._connection = self._runner.run(asyncpg.connect(url, timeout=10))

    def rows(self, sql: str, *values: Any) -> list[Row]:
        numbers = iter(range(1, len(values) + 1))
        numbered = _PARAMETER.sub(lambda _found: f"${next(numbers)}", sql)
        return [tuple(row) for row in self._runner.run(self._connection.fetch(numbered, *values))]

    def has_table(self, name: str) -> bool:
        return self.rows("SELECT to_regclass(?)::text", name) != [(None,)]

    def close(self) -> None:
        self._runner.run(self._connection.close())
        self._runner.close()
