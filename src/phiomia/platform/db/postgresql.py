"""PostgreSQL through asyncpg: a small last-in-first-out pool, prepared statements, repeats after a deadlock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

import asyncpg

from phiomia.platform.db.errors import Conflict, TooSlow, Unavailable
from phiomia.platform.db.query import Compiled, Query
from phiomia.platform.db.session import ReadSession, Row, WriteSession, run_calls

T = TypeVar("T")
_TRIES = 4
_WAIT_SECONDS = 8.0
# The last is for statements that were prepared before a migration changed their table.
_REPEATED = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError, asyncpg.InvalidCachedStatementError)


class _Session:
    dialect = "postgresql"

    def __init__(self, connection: asyncpg.Connection[Any], services: Any = None) -> None:
        self._connection = connection
        self.services = services
        self.topics: set[str] = set()
        self.calls: list[Callable[[], None]] = []

    async def all(self, query: Query, **parameters: Any) -> Sequence[Row]:
        compiled = query.postgresql or query.for_postgresql()
        return cast("Sequence[Row]", await self._connection.fetch(compiled.sql, *_bind(compiled, parameters)))

    async def one(self, query: Query, **parameters: Any) -> Row | None:
        compiled = query.postgresql or query.for_postgresql()
        return cast("Row | None", await self._connection.fetchrow(compiled.sql, *_bind(compiled, parameters)))

    async def value(self, query: Query, **parameters: Any) -> Any:
        row = await self.one(query, **parameters)
        return None if row is None else row[0]

    async def column(self, query: Query, **parameters: Any) -> list[Any]:
        return [row[0] for row in await self.all(query, **parameters)]

    async def views(self, kind: Callable[..., T], query: Query, **parameters: Any) -> list[T]:
        return [kind(*row) for row in await self.all(query, **parameters)]

    async def execute(self, query: Query, **parameters: Any) -> int:
        compiled = query.postgresql or query.for_postgresql()
        status = await self._connection.execute(compiled.sql, *_bind(compiled, parameters))
        count = status.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    async def execute_many(self, query: Query, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            compiled = query.postgresql or query.for_postgresql()
            await self._connection.executemany(compiled.sql, [_bind(compiled, row) for row in rows])

    def after_commit(self, call: Callable[[], None]) -> None:
        self.calls.append(call)


class PostgresqlDatabase:
    """A PostgreSQL database, reached through at most `pool` connections of this process."""

    dialect = "postgresql"

    def __init__(self, url: str, *, pool: int = 8, **_other: object) -> None:
        self._url = url
        self._size = pool
        self.services: Any = None
        self._idle: list[asyncpg.Connection[Any]] = []
        self._free = asyncio.Semaphore(pool)
        self._open = False

    async def start(self) -> None:
        self._open = True
        self._idle.append(await self._connect())

    async def close(self) -> None:
        if not self._open:
            return
        self._open = False
        for _ in range(self._size):
            await self._free.acquire()
        while self._idle:
            await self._idle.pop().close()
        for _ in range(self._size):
            self._free.release()

    def read(self) -> _Reading:
        return _Reading(self)

    async def scan(self, ask: Callable[[ReadSession], Awaitable[T]], seconds: float = 2.0) -> T:
        async with self.read() as session:
            try:
                return await asyncio.wait_for(_awaited(ask(session)), seconds)
            except TimeoutError:
                raise TooSlow("The query took too long.") from None

    async def write(self, verb: Callable[[WriteSession], Awaitable[T]]) -> T:
        for attempt in range(_TRIES):
            try:
                return await self._write_once(verb)
            except _REPEATED as error:
                if attempt == _TRIES - 1:
                    raise Unavailable(f"PostgreSQL: {error}") from error
                await asyncio.sleep(0.01 * 2**attempt)
        raise AssertionError("unreachable")

    async def _write_once(self, verb: Callable[[WriteSession], Awaitable[T]]) -> T:
        async with self.read() as reading:
            session = cast("_Session", reading)
            session.services = self.services
            async with session._connection.transaction():
                result = await verb(cast("WriteSession", session))
        run_calls(session.calls)
        return result

    async def acquire(self) -> asyncpg.Connection[Any]:
        """A connection of the pool, the one used last first. Raises Unavailable."""
        if not self._open:
            raise Unavailable("The database is not open.")
        await self._take_turn()
        try:
            while self._idle:
                connection = self._idle.pop()
                if not connection.is_closed():
                    return connection
            return await self._connect()
        except BaseException:
            self._free.release()
            raise

    async def _take_turn(self) -> None:
        if not self._free.locked():
            await self._free.acquire()  # at once, so it needs no clock
            return
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                await self._free.acquire()
        except TimeoutError:
            raise Unavailable("PostgreSQL: every connection is busy.") from None

    def give_back(self, connection: asyncpg.Connection[Any]) -> None:
        """Returns a connection to the pool; one that is closed or inside a transaction is thrown away."""
        if not connection.is_closed():
            if connection.is_in_transaction():
                connection.terminate()
            else:
                self._idle.append(connection)
        self._free.release()

    async def _connect(self) -> asyncpg.Connection[Any]:
        if not self._open:
            raise Unavailable("The database is not open.")
        try:
            return await asyncpg.connect(
                self._url,
                timeout=5,
                command_timeout=30,
                statement_cache_size=1_000,
                max_cacheable_statement_size=1 << 16,
                server_settings={
                    "jit": "off",
                    "application_name": "phiomia",
                    # A page is planned once: planning it anew takes ten times as long as running it.
                    "plan_cache_mode": "force_generic_plan",
                },
            )
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
            raise Unavailable(f"PostgreSQL can't be reached: {error}") from error


class _Reading:
    __slots__ = ("_connection", "_database")

    def __init__(self, database: PostgresqlDatabase) -> None:
        self._database = database
        self._connection: asyncpg.Connection[Any] | None = None

    async def __aenter__(self) -> ReadSession:
        self._connection = await self._database.acquire()
        return cast("ReadSession", _Session(self._connection))

    async def __aexit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if self._connection is not None:
            self._database.give_back(self._connection)
            self._connection = None
        if error is not None:
            translated = translate(error)
            if translated is not None:
                raise translated from error


def translate(error: BaseException) -> Exception | None:
    """The driver's error in our words, or None when it is not the driver's."""
    if isinstance(error, _REPEATED):
        return None
    if isinstance(error, asyncpg.IntegrityConstraintViolationError):
        return Conflict(str(error))
    if isinstance(error, asyncpg.QueryCanceledError | TimeoutError):
        return TooSlow("The query took too long.")
    unavailable = (
        asyncpg.PostgresConnectionError,
        asyncpg.InsufficientResourcesError,
        asyncpg.OperatorInterventionError,
        asyncpg.LockNotAvailableError,
        asyncpg.InterfaceError,
        asyncpg.ReadOnlySQLTransactionError,
        ConnectionError,
    )
    if isinstance(error, unavailable):
        return Unavailable(f"PostgreSQL: {error}")
    return None


async def _awaited(work: Awaitable[T]) -> T:
    return await work


def _bind(compiled: Compiled, parameters: Mapping[str, Any]) -> list[Any]:
    return [parameters[name] for name in compiled.names]
