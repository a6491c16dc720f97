"""The database of a server that is being measured, asked from beside it."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from typing import Any


class Watched:
    """Answers hand-written questions; as a context it lets go of what it holds."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._runner = asyncio.Runner()
        self._connection: Any = None

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            self._runner.run(self._connection.close())
        self._runner.close()

    def first(self, sql: str) -> Any:
        """The first row of what a statement gives."""
        if self.url.startswith("sqlite:"):
            file = self.url.removeprefix("sqlite:///")
            with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10)) as found:
                return found.execute(sql).fetchone()
        return self._runner.run(self._ask(sql))

    async def _ask(self, sql: str) -> Any:
        import asyncpg

        if self._connection is None:
            self._connection = await asyncpg.connect(self.url)
        return await self._connection.fetchrow(sql)


def empty(url: str) -> None:
    """Takes everything out of a PostgreSQL database."""
    import asyncpg

    async def wipe() -> None:
        connection = await asyncpg.connect(url)
        await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        await connection.close()

    asyncio.run(wipe())
