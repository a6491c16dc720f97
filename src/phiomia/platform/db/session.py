"""What verbs and queries get: a ReadSession to ask, a WriteSession to change. mypy tells them apart."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar

from phiomia.platform.db.statement import Query

T = TypeVar("T")
Row = Sequence[Any]


class ReadSession(Protocol):
    """Asks the database. Rows come as the driver gives them: sequences in the order of the columns."""

    dialect: str

    async def all(self, query: Query, **parameters: Any) -> Sequence[Row]:
        """Every row."""
        ...

    async def one(self, query: Query, **parameters: Any) -> Row | None:
        """The first row, or None."""
        ...

    async def value(self, query: Query, **parameters: Any) -> Any:
        """The first column of the first row, or None."""
        ...

    async def column(self, query: Query, **parameters: Any) -> list[Any]:
        """The first column of every row."""
        ...

    async def view(self, kind: Callable[..., T], query: Query, **parameters: Any) -> T | None:
        """`kind(*row)` for the first row, or None: the columns stand in the order of the kind's fields."""
        ...

    async def views(self, kind: Callable[..., T], query: Query, **parameters: Any) -> list[T]:
        """`kind(*row)` for every row: the columns stand in the order of the kind's fields."""
        ...


class WriteSession(ReadSession, Protocol):
    """Changes the database, inside a transaction that somebody else opened and will commit."""

    services: Any
    topics: set[str]

    async def execute(self, query: Query, **parameters: Any) -> int:
        """Runs a statement; gives the number of rows it changed."""
        ...

    async def execute_many(self, query: Query, rows: Sequence[Mapping[str, Any]]) -> None:
        """Runs a statement once for each mapping of parameters."""
        ...

    def after_commit(self, call: Callable[[], None]) -> None:
        """Remembers what to do (on the event loop) once the transaction stands. Not done if it fails."""
        ...


class Database(Protocol):
    """One open database.

    `services` is whatever the composition root wants verbs to find on their session (side effects).
    """

    dialect: str
    services: Any

    async def start(self) -> None:
        """Connects. Raises Unavailable."""
        ...

    async def close(self) -> None:
        """Finishes what was accepted, then disconnects."""
        ...

    def read(self) -> AbstractAsyncContextManager[ReadSession]:
        """A session for reading with bounded, indexed statements."""
        ...

    async def scan(self, ask: Callable[[ReadSession], Awaitable[T]], seconds: float = 2.0) -> T:
        """Runs `ask` beside the event loop with a deadline, for statements that may scan. Raises TooSlow."""
        ...

    async def write(self, verb: Callable[[WriteSession], Awaitable[T]]) -> T:
        """Runs `verb` in one transaction and gives its result once that is committed.

        Raises Unavailable when nothing was written, Conflict, or what the verb raised (rolled back).
        """
        ...


def run_calls(calls: Sequence[Callable[[], None]]) -> None:
    """Makes the calls that waited for the commit. One that fails is reported: the write itself has succeeded."""
    for call in calls:
        try:
            call()
        except Exception as error:
            context = {"message": "a call after the commit failed", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)
