"""A streaming role with everything around it: a real log, real sockets, and a renderer that makes up its JSON."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import apsw
import asyncpg
import uvloop
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateTable

from phiomia.platform.bus import LocalBus
from phiomia.platform.config import Config
from phiomia.platform.db import Database, WriteSession, open_database
from phiomia.platform.events import append_stream, stream_events
from phiomia.streaming.hall import Limits
from phiomia.streaming.log_events import StatusEvent
from phiomia.streaming.metrics import StreamingMetrics
from phiomia.streaming.ports import StreamViewer
from phiomia.streaming.role import StreamingContext, run_streaming

ALICE, BOB = 1, 2
ALICES_LIST = 77
UNPAINTABLE = 66_666


class Tokens:
    """`alice` and `bob` may read everything, `alice:<scope>` has one scope, `number-<n>` is account n."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.refused: set[str] = set()

    def forget(self) -> None:
        """Nothing is remembered."""

    async def viewer(self, token: str) -> StreamViewer | None:
        self.asked.append(token)
        await asyncio.sleep(0)
        name, _, scope = token.partition(":")
        if name in self.refused:
            return None
        if name == "broken":
            raise RuntimeError("this authenticator breaks on demand")
        if name.startswith("number-"):
            number = int(name.removeprefix("number-"))
            return StreamViewer(number, number, frozenset({"read"}), None)
        account = {"alice": ALICE, "bob": BOB}.get(name)
        if account is None:
            return None
        return StreamViewer(account, account * 100, frozenset({scope or "read"}), None)

    async def owns_list(self, viewer: StreamViewer, list_id: int) -> bool:
        return viewer.account_id == ALICE and list_id == ALICES_LIST


class Painter:
    """Renders without a database."""

    def __init__(self) -> None:
        self.calls = 0
        self.hidden: set[tuple[int, int]] = set()
        self.not_for: set[tuple[int, int]] = set()
        self.filters: dict[tuple[int, int], bytes] = {}
        self.gate: asyncio.Event | None = None
        self.padding = ""

    async def statuses(self, status_id: int, viewers: Sequence[int | None]) -> Mapping[int | None, bytes]:
        self.calls += 1
        if self.gate is not None:
            await self.gate.wait()
        if status_id == UNPAINTABLE:
            raise RuntimeError("this status can't be rendered")
        return {viewer: self._status(status_id, viewer) for viewer in viewers if (status_id, viewer) not in self.hidden}

    def _status(self, status_id: int, viewer: int | None) -> bytes:
        personal = {} if viewer is None else {"favourited": False}
        return json.dumps({"id": str(status_id), "content": f"<p>é{self.padding}</p>"} | personal).encode()

    async def public_audience(self, status: StatusEvent, viewers: Sequence[StreamViewer]) -> Mapping[int, bytes]:
        return {
            viewer.account_id: self.filters.get((status.id, viewer.account_id), b"[]")
            for viewer in viewers
            if (status.id, viewer.account_id) not in self.not_for
        }

    async def notification(self, notification_id: int, viewer: int) -> bytes | None:
        return b'{"id":"%d","for":"%d"}' % (notification_id, viewer)

    async def announcement(self, announcement_id: int) -> bytes | None:
        return b'{"id":"%d"}' % announcement_id

    async def conversation(self, conversation_id: int, viewer: int) -> bytes | None:
        return b'{"id":"%d"}' % conversation_id


class Stage:
    """A running role and what a test does with it."""

    def __init__(self, db: Database, bus: LocalBus, folder: Path, limits: Limits) -> None:
        self.db = db
        self.bus = bus
        self.tokens = Tokens()
        self.painter = Painter()
        self.metrics = StreamingMetrics()
        self.handed_over = folder / "given"
        self.context = StreamingContext(
            db,
            bus,
            self.tokens,
            self.painter,
            Config(),
            handed_over=self.handed_over,
            limits=limits,
            metrics=self.metrics,
        )
        self.stop = asyncio.Event()
        self.port = 0
        self.unix = ""
        self.role: asyncio.Task[None] | None = None
        self.listeners: list[socket.socket] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/v1/streaming"

    async def append(self, kind: str, **body: Any) -> None:
        """Writes an event as the domain does."""

        async def verb(session: WriteSession) -> None:
            await append_stream(session, kind, body)

        await self.db.write(verb)

    async def post(self, id_: int, **other: Any) -> None:
        """A public local status of account 9, in nobody's home feed unless told."""
        await self.append("status", **(PUBLIC | {"id": id_} | other))

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits until something is so."""
        await until(condition)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A bare connection."""
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def start(self) -> None:
        """Starts the role, as the supervisor does."""
        ready = asyncio.Event()
        sockets = [listener.dup() for listener in self.listeners]
        self.stop = asyncio.Event()
        self.role = asyncio.create_task(run_streaming(self.context, sockets, ready.set, self.stop))
        await self.until(ready.is_set)

    async def replace(self) -> None:
        """Starts the role's next generation beside it, then ends it and waits for that."""
        role, stop = self.role, self.stop
        self.metrics = StreamingMetrics()
        self.context = replace(self.context, generation=self.context.generation + 1, metrics=self.metrics)
        await self.start()
        stop.set()
        assert role is not None
        await role

    async def end(self) -> None:
        """Stops the role and waits for it."""
        for listener in self.listeners:
            listener.close()
        self.stop.set()
        if self.role is not None:
            await self.role


PUBLIC = {
    "account": 9,
    "visibility": "public",
    "local": True,
    "boost": False,
    "reply": False,
    "media": False,
    "language": "en",
    "tags": [],
    "home": [],
    "lists": [],
}


async def until(condition: Callable[[], bool]) -> None:
    """Waits until something is so."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 (what is waited for is a number in another object)
            await asyncio.sleep(0.005)


async def create_log(url: str) -> None:
    """Makes the table of the log in an empty database."""
    if url.startswith("sqlite:"):
        connection = apsw.Connection(url.removeprefix("sqlite:///"))
        connection.execute(str(CreateTable(stream_events).compile(dialect=sqlite.dialect())))
        connection.close()
        return
    server = await asyncpg.connect(url)
    await server.execute(str(CreateTable(stream_events).compile(dialect=postgresql.dialect())))
    await server.close()


@asynccontextmanager
async def open_stage(folder: Path, database_url: str = "", **limits: Any) -> AsyncIterator[Stage]:
    """A role that serves on a TCP port and a unix socket."""
    bus = LocalBus()
    await bus.start()
    url = database_url or f"sqlite:///{folder / 'log.sqlite3'}"
    await create_log(url)
    db = open_database(url, synchronous="normal")
    db.services = SimpleNamespace(bus=bus)
    await db.start()
    stage = Stage(db, bus, folder, Limits(**({"leave_s": 1.0, "poll_s": 0.5} | limits)))
    tcp = socket.create_server(("127.0.0.1", 0), backlog=512)
    stage.port = tcp.getsockname()[1]
    stage.unix = str(folder / "s.sock")
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(stage.unix)
    unix.listen(512)
    stage.listeners = [tcp, unix]
    try:
        await stage.start()
        yield stage
    finally:
        await stage.end()
        await db.close()
        await bus.close()


def perform(play: Callable[[], Awaitable[None]], *, on_uvloop: bool = True) -> None:
    """Runs an asynchronous test in a loop as the role has it."""

    async def timed() -> None:
        async with asyncio.timeout(30):
            await play()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop if on_uvloop else None) as runner:
        runner.run(timed())


def bearer(token: str = "alice") -> dict[str, str]:
    """The header with a token."""
    return {"authorization": f"Bearer {token}"}


async def next_message(socket_: aiohttp.ClientWebSocketResponse) -> dict[str, Any]:
    """The next message of a WebSocket."""
    message = await socket_.receive(timeout=5)
    assert message.type is aiohttp.WSMsgType.TEXT, message
    decoded: dict[str, Any] = json.loads(message.data)
    return decoded


async def next_event(response: aiohttp.ClientResponse) -> dict[str, str]:
    """The next event of an event stream: its fields; comments are left out."""
    fields: dict[str, str] = {}
    async with asyncio.timeout(5):
        while True:
            line = (await response.content.readline()).decode()
            assert line, "the stream has ended"
            if line == "\n" and fields:
                return fields
            name, _, value = line.rstrip("\n").partition(": ")
            if name and not line.startswith(":"):
                fields[name] = value
