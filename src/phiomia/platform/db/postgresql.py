"""PostgreSQL through asyncpg: a small last-in-first-out pool, prepared statements, repeats after a deadlock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement

from phiomia.platform.db.asking import Asking
from phiomia.platform.db.compiled import Compiled
from phiomia.platform.db.errors import Conflict, TooSlow, Unavailable
from phiomia.platform.db.session import ReadSession, Row, WriteSession, run_calls
from phiomia.platform.db.statement import Query
from phiomia.platform.postgresql_failures import UNUSABLE

T = TypeVar("T")
_TRIES = 4
_WAIT_SECONDS = 8.0
_MOST_STATEMENTS = 1_000
_STATEMENT_SECONDS = 30.0
_LOOK_SECONDS = 5.0
# Of statements that were prepared before a migration changed their table.
_OUTDATED = (asyncpg.InvalidCachedStatementError, asyncpg.OutdatedSchemaCacheError)
_REPEATED = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError, asyncpg.InvalidCachedStatementError)


class _Line:
    """A connection of the pool with the statements that are prepared on it."""

    __slots__ = ("_statements", "busy_since", "connection", "too_slow")

    def __init__(self, connection: asyncpg.Connection[Any]) -> None:
        self.connection = connection
        self.busy_since: float | None = None
        self.too_slow = False
        self._statements: dict[str, PreparedStatement[Any]] = {}

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> Sequence[Row]:
        """The rows of a statement."""
        return cast("Sequence[Row]", await self._ask(PreparedStatement.fetch, sql, arguments))

    async def fetch_one(self, sql: str, arguments: Sequence[Any]) -> Row | None:
        """Its first row."""
        return cast("Row | None", await self._ask(PreparedStatement.fetchrow, sql, arguments))

    async def _ask(self, way: Callable[..., Awaitable[Any]], sql: str, arguments: Sequence[Any]) -> Any:
        self.busy_since = time.monotonic()
        try:
            statement = self._statements.get(sql) or await self._prepare(sql)
            try:
                return await way(statement, *arguments)
            except _OUTDATED:
                self._statements.clear()
                if self.connection.is_in_transaction():
                    raise
                return await way(await self._prepare(sql), *arguments)
        finally:
            self.busy_since = None

    async def timed(self, work: Awaitable[T]) -> T:
        """Awaits what is no more than one statement, which ends if it takes too long."""
        self.busy_since = time.monotonic()
        try:
            return await work
        finally:
            self.busy_since = None

    def end_if_too_slow(self, since: float) -> None:
        """Gives a statement up that began before that moment, and the connection with it."""
        if self.busy_since is not None and self.busy_since < since:
            self.too_slow = True
            self.connection.terminate()

    async def _prepare(self, sql: str) -> PreparedStatement[Any]:
        if len(self._statements) >= _MOST_STATEMENTS:
            self._statements.clear()
        statement = self._statements[sql] = await self.connection.prepare(sql)
        return statement


class _Session(Asking):
    __slots__ = ("_line", "calls", "services", "topics")
    dialect = "postgresql"

    def __init__(self, line: _Line) -> None:
        self._line = line

    async def all(self, query: Query, **parameters: Any) -> Sequence[Row]:
        compiled = query.postgresql or query.for_postgresql()
        return await self._line.fetch(compiled.sql, _bind(compiled, parameters))

    async def one(self, query: Query, **parameters: Any) -> Row | None:
        compiled = query.postgresql or query.for_postgresql()
        return await self._line.fetch_one(compiled.sql, _bind(compiled, parameters))


class _WriteSession(_Session):
    __slots__ = ()

    def __init__(self, line: _Line, services: Any) -> None:
        super().__init__(line)
        self.services = services
        self.topics: set[str] = set()
        self.calls: list[Callable[[], None]] = []

    async def execute(self, query: Query, **parameters: Any) -> int:
        compiled = query.postgresql or query.for_postgresql()
        # A prepared statement does not tell how many rows it has changed.
        status = await self._line.timed(self._line.connection.execute(compiled.sql, *_bind(compiled, parameters)))
        count = status.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    async def execute_many(self, query: Query, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            compiled = query.postgresql or query.for_postgresql()
            bound = [_bind(compiled, row) for row in rows]
            await self._line.timed(self._line.connection.executemany(compiled.sql, bound))

    def after_commit(self, call: Callable[[], None]) -> None:
        self.calls.append(call)


class PostgresqlDatabase:
    """A PostgreSQL database, reached through at most `pool` connections of this process."""

    dialect = "postgresql"

    def __init__(self, url: str, *, pool: int = 8, **_other: object) -> None:
        self._url = url
        self._size = pool
        self.services: Any = None
        self._idle: list[_Line] = []
        self._lent: set[_Line] = set()
        self._watch: asyncio.TimerHandle | None = None
        self._free = asyncio.Semaphore(pool)
        self._open = False

    async def start(self) -> None:
        self._open = True
        self._idle.append(_Line(await self._connect()))

    async def close(self) -> None:
        if not self._open:
            return
        self._open = False
        for _ in range(self._size):
            await self._free.acquire()
        while self._idle:
            await self._idle.pop().connection.close()
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
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
        async with _Lending(self) as line:
            session = _WriteSession(line, self.services)
            transaction = line.connection.transaction()
            await line.timed(transaction.start())
            try:
                result = await verb(cast("WriteSession", session))
            except BaseException:
                await line.timed(transaction.rollback())
                raise
            await line.timed(transaction.commit())
        run_calls(session.calls)
        return result

    async def acquire(self) -> _Line:
        """A connection of the pool, the one used last first. Raises Unavailable."""
        if not self._open:
            raise Unavailable("The database is not open.")
        await self._take_turn()
        try:
            line = self._find_idle() or _Line(await self._connect())
        except BaseException:
            self._free.release()
            raise
        self._lent.add(line)
        if self._watch is None:
            self._watch_later()
        return line

    def _find_idle(self) -> _Line | None:
        while self._idle:
            line = self._idle.pop()
            if not line.connection.is_closed():
                return line
        return None

    def _watch_later(self) -> None:
        self._watch = asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._end_slow)

    def _end_slow(self) -> None:
        # One look at all every few seconds: a clock for each statement costs a fifth of a small one.
        self._watch = None
        since = time.monotonic() - _STATEMENT_SECONDS
        for line in list(self._lent):
            line.end_if_too_slow(since)
        if self._lent:
            self._watch_later()

    async def _take_turn(self) -> None:
        if not self._free.locked():
            await self._free.acquire()  # at once, so it needs no clock
            return
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                await self._free.acquire()
        except TimeoutError:
            raise Unavailable("PostgreSQL: every connection is busy.") from None

    def give_back(self, line: _Line) -> None:
        """Returns a connection to the pool; one that is closed or inside a transaction is thrown away."""
        self._lent.discard(line)
        connection = line.connection
        if not connection.is_closed():
            if connection.is_in_transaction():
                connection.terminate()
            else:
                self._idle.append(line)
        self._free.release()

    async def _connect(self) -> asyncpg.Connection[Any]:
        if not self._open:
            raise Unavailable("The database is not open.")
        try:
            return await asyncpg.connect(
                self._url,
                timeout=5,
                statement_cache_size=_MOST_STATEMENTS,
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


class _Lending:
    """`async with`: a connection of the pool, given back in the end; the driver's errors leave it in our words."""

    __slots__ = ("_database", "_line")

    def __init__(self, database: PostgresqlDatabase) -> None:
        self._database = database
        self._line: _Line | None = None

    async def __aenter__(self) -> Any:
        self._line = line = await self._database.acquire()
        return line

    async def __aexit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        line, self._line = self._line, None
        if line is not None:
            self._database.give_back(line)
        if error is not None:
            if line is not None and line.too_slow and isinstance(error, Exception):
                raise TooSlow("The query took too long.") from error
            translated = translate(error)
            if translated is not None:
                raise translated from error


class _Reading(_Lending):
    __slots__ = ()

    async def __aenter__(self) -> ReadSession:
        self._line = line = await self._database.acquire()
        return cast("ReadSession", _Session(line))


def translate(error: BaseException) -> Exception | None:
    """The driver's error in our words, or None when it is not the driver's."""
    if isinstance(error, _REPEATED):
        return None
    if isinstance(error, asyncpg.IntegrityConstraintViolationError):
        return Conflict(str(error))
    if isinstance(error, asyncpg.QueryCanceledError | TimeoutError):
        return TooSlow("The query took too long.")
    if isinstance(error, UNUSABLE):
        return Unavailable(f"PostgreSQL: {error}")
    return None


async def _awaited(work: Awaitable[T]) -> T:
    return await work


def _bind(compiled: Compiled, parameters: Mapping[str, Any]) -> list[Any]:
    return [parameters[name] for name in compiled.names]
