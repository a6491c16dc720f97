"""SQLite through apsw: reads at once on the caller's thread, one writer thread, group commit.

apsw carries a current SQLite. Debian 12's own (3.40) has the WAL-reset bug that can corrupt a file
written by several processes (fixed in 3.51.3).
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar, cast

import apsw
import msgspec

from phiomia.platform.db.asking import Asking
from phiomia.platform.db.compiled import Compiled
from phiomia.platform.db.errors import Conflict, TooSlow, Unavailable
from phiomia.platform.db.session import ReadSession, Row, WriteSession, run_calls
from phiomia.platform.db.statement import Query
from phiomia.platform.db.wal import Mover
from phiomia.platform.sqlite_failures import UNUSABLE

T = TypeVar("T")
_encode = msgspec.json.encode
_GROUP = 64
_SCAN_THREADS = 2
_PROGRESS_STEPS = 5_000


class _Session(Asking):
    """Reads on one connection. Its methods never suspend; they are coroutines for PostgreSQL's sake."""

    dialect = "sqlite"

    def __init__(self, connection: apsw.Connection) -> None:
        self._run = connection.execute
        self._connection = connection

    async def all(self, query: Query, **parameters: Any) -> Sequence[Row]:
        compiled = query.sqlite or query.for_sqlite()
        try:
            return self._run(compiled.sql, _bind(compiled, parameters)).fetchall()
        except apsw.Error as error:
            raise translate(error) from error

    async def one(self, query: Query, **parameters: Any) -> Row | None:
        compiled = query.sqlite or query.for_sqlite()
        try:
            return cast("Row | None", self._run(compiled.sql, _bind(compiled, parameters)).fetchone())
        except apsw.Error as error:
            raise translate(error) from error


class _WriteSession(_Session):
    """Reads and writes inside the writer's transaction."""

    def __init__(self, connection: apsw.Connection, services: Any) -> None:
        super().__init__(connection)
        self.services = services
        self.topics: set[str] = set()
        self.calls: list[Callable[[], None]] = []

    async def execute(self, query: Query, **parameters: Any) -> int:
        compiled = query.sqlite or query.for_sqlite()
        try:
            self._run(compiled.sql, _bind(compiled, parameters)).fetchall()
        except apsw.Error as error:
            raise translate(error) from error
        return self._connection.changes()

    async def execute_many(self, query: Query, rows: Sequence[Mapping[str, Any]]) -> None:
        if not rows:
            return
        compiled = query.sqlite or query.for_sqlite()
        try:
            self._connection.executemany(compiled.sql, [_bind(compiled, row) for row in rows])
        except apsw.Error as error:
            raise translate(error) from error

    def after_commit(self, call: Callable[[], None]) -> None:
        self.calls.append(call)


class _Write:
    """One verb on its way through the writer."""

    __slots__ = ("calls", "error", "future", "loop", "result", "verb")

    def __init__(self, verb: Callable[[WriteSession], Awaitable[Any]]) -> None:
        self.verb = verb
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()
        self.result: Any = None
        self.error: BaseException | None = None
        self.calls: list[Callable[[], None]] = []


class SqliteDatabase:
    """A SQLite file shared by the processes of one machine."""

    dialect = "sqlite"

    def __init__(
        self, url: str, *, synchronous: str = "full", cache_mb: int = 16, busy_seconds: float = 8.0, **_other: object
    ) -> None:
        self.path = Path(url.removeprefix("sqlite:///"))
        self.services: Any = None
        self._synchronous = synchronous
        self._cache_mb = cache_mb
        self._busy_seconds = busy_seconds
        self._reader: ReadSession | None = None
        self._connections: list[apsw.Connection] = []
        self._writes: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        self._scanners: ThreadPoolExecutor | None = None
        self._scanner = threading.local()
        self._mover = Mover(lambda: apsw.Connection(str(self.path)))

    async def start(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            writer = self._connect()
            self._mover.watch(writer)
            reader = self._connect(query_only=True)
        except apsw.Error as error:
            raise Unavailable(f"SQLite can't open {self.path}: {error}") from error
        self._reader = cast("ReadSession", _Session(reader))
        self._writer = threading.Thread(target=self._write_all, args=(writer,), name="sqlite-writer", daemon=True)
        self._writer.start()

    async def close(self) -> None:
        writer, self._writer = self._writer, None  # from now on writes are refused, not forgotten in the queue
        if writer is not None:
            self._writes.put(None)
            await asyncio.to_thread(writer.join)
            await asyncio.to_thread(self._mover.close)
        if self._scanners is not None:
            await asyncio.to_thread(self._scanners.shutdown)
            self._scanners = None
        self._reader = None
        for connection in self._connections:
            connection.close()
        self._connections.clear()

    def read(self) -> _Reading:
        return _Reading(self._reader)

    async def scan(self, ask: Callable[[ReadSession], Awaitable[T]], seconds: float = 2.0) -> T:
        if self._scanners is None:
            self._scanners = ThreadPoolExecutor(_SCAN_THREADS, thread_name_prefix="sqlite-scan")
        return await asyncio.get_running_loop().run_in_executor(self._scanners, self._scan, ask, seconds)

    async def write(self, verb: Callable[[WriteSession], Awaitable[T]]) -> T:
        if self._writer is None:
            raise Unavailable("The database is not open.")
        work = _Write(verb)
        self._writes.put(work)
        return cast("T", await work.future)

    def _connect(self, *, query_only: bool = False) -> apsw.Connection:
        connection = apsw.Connection(str(self.path), statementcachesize=600)
        deadline = self._busy_seconds
        connection.set_busy_handler(_Patience(deadline))
        # Else SQLite plans a page anew whenever a bound value changes, which takes longer than reading the page.
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", self._synchronous)
        connection.pragma("cache_size", -1024 * self._cache_mb)
        connection.pragma("foreign_keys", True)
        connection.pragma("temp_store", "memory")
        connection.pragma("journal_size_limit", 64 * 1024 * 1024)
        if query_only:
            connection.pragma("query_only", True)
        self._connections.append(connection)
        return connection

    def _scan(self, ask: Callable[[ReadSession], Awaitable[T]], seconds: float) -> T:
        connection: apsw.Connection | None = getattr(self._scanner, "connection", None)
        if connection is None:
            connection = self._scanner.connection = self._connect(query_only=True)
        end = time.monotonic() + seconds
        connection.set_progress_handler(lambda: time.monotonic() > end, _PROGRESS_STEPS)
        try:
            return run_at_once(ask(cast("ReadSession", _Session(connection))))
        finally:
            connection.set_progress_handler(None)

    def _write_all(self, connection: apsw.Connection) -> None:
        while True:
            first = self._writes.get()
            if first is None:
                return
            group, last = [first], False
            while len(group) < _GROUP:
                try:
                    following = self._writes.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    last = True
                    break
                group.append(following)
            self._write_group(connection, group)
            if last:
                return

    def _write_group(self, connection: apsw.Connection, group: list[_Write]) -> None:
        try:
            connection.execute("BEGIN IMMEDIATE")
            for work in group:
                self._run_verb(connection, work)
            connection.execute("COMMIT")
        except BaseException as error:
            if connection.in_transaction:
                with contextlib.suppress(apsw.Error):
                    connection.execute("ROLLBACK")
            reason = translate(error) if isinstance(error, apsw.Error) else error
            for work in group:
                work.error, work.calls = work.error or reason, []
        for loop in {work.loop for work in group}:
            with contextlib.suppress(RuntimeError):  # the loop may be gone when the process is ending
                loop.call_soon_threadsafe(_answer_all, [work for work in group if work.loop is loop])

    def _run_verb(self, connection: apsw.Connection, work: _Write) -> None:
        if work.future.cancelled():
            return
        session = _WriteSession(connection, self.services)
        connection.execute("SAVEPOINT verb")
        try:
            work.result = run_at_once(work.verb(cast("WriteSession", session)))
        except BaseException as error:
            work.error = error
            if not connection.in_transaction:
                raise  # SQLite ended the whole transaction by itself (disk full, I/O error)
            connection.execute("ROLLBACK TO verb")
        connection.execute("RELEASE verb")
        if work.error is None:
            work.calls = session.calls


class _Reading:
    """`async with db.read()` on SQLite: nothing to acquire, nothing to give back."""

    __slots__ = ("_session",)

    def __init__(self, session: ReadSession | None) -> None:
        self._session = session

    async def __aenter__(self) -> ReadSession:
        if self._session is None:
            raise Unavailable("The database is not open.")
        return self._session

    async def __aexit__(self, *_: object) -> None:
        return None


class _Patience:
    """Busy handler: waits in small steps, so that a short lock of another process costs little time."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = 0.0

    def __call__(self, tries: int) -> bool:
        if tries == 0:
            self._end = time.monotonic() + self._seconds
        time.sleep(0.0005 if tries < 20 else 0.005)
        return time.monotonic() < self._end


def run_at_once(work: Awaitable[T]) -> T:
    """Drives a coroutine that never has to wait. Raises RuntimeError when it does: no network in a transaction."""
    coroutine = cast("Coroutine[Any, Any, T]", work)
    try:
        coroutine.send(None)
    except StopIteration as done:
        return cast("T", done.value)
    coroutine.close()
    raise RuntimeError("A transaction awaited something other than its session.")


def translate(error: BaseException) -> Exception:
    """The driver's error in our words."""
    if isinstance(error, apsw.ConstraintError):
        return Conflict(str(error))
    if isinstance(error, apsw.InterruptError):
        return TooSlow("The query took too long.")
    if isinstance(error, UNUSABLE):
        return Unavailable(f"SQLite: {error}")
    return cast("Exception", error)


def _bind(compiled: Compiled, parameters: Mapping[str, Any]) -> tuple[Any, ...]:
    if compiled.lists:
        return tuple(
            _encode(list(parameters[name])).decode() if name in compiled.lists else parameters[name]
            for name in compiled.names
        )
    return tuple([parameters[name] for name in compiled.names])


def _answer_all(group: list[_Write]) -> None:
    for work in group:
        run_calls(work.calls)
        if work.future.cancelled():
            continue
        if work.error is not None:
            work.future.set_exception(work.error)
        else:
            work.future.set_result(work.result)
