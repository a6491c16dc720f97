"""Serves an ASGI application on inherited sockets and leaves without losing a request.

After SIGTERM nothing new is accepted, every answer says `Connection: close`, and idle connections stay open until they
are used once more or until every proxy has given up on them. A server that closes an idle connection loses the request
that is already on its way; proxies repeat a GET then, but never a POST.
"""

import asyncio
import os
import signal
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from phiomia.platform.answers import answers
from phiomia.platform.bodies import only_whole
from phiomia.platform.held import HeldTransport
from phiomia.platform.listen import BACKLOG
from phiomia.platform.log import get_logger
from phiomia.platform.protocol import QuickProtocol
from phiomia.platform.spawn import ANSWERED

KEEP_ALIVE_S = 75
SHORT_IDLE_S = 1.0
SHORT_LIMIT_S = 8.0
MAX_HEAD = 64 * 1024
PROGRESS_EVERY_S = 20.0
PROGRESS_BYTES = 4096
LINGER_S = 0.5
LOOK_EVERY_S = 0.05
# A supervisor that tries us out wants to know soon; later it only wants to know what is usual.
OFTEN_S, OFTEN_FOR_S, SELDOM_S = 0.2, 60.0, 10.0
# A connection that was accepted a moment ago may not be in the list of connections yet.
ACCEPTED_GRACE_S = 0.2
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_TOO_SLOW_BODY = b'{"error":"The request took too long to arrive"}'
TOO_SLOW = (
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-type: application/json; charset=utf-8\r\n"
    b"content-length: %d\r\n\r\n%b" % (len(_TOO_SLOW_BODY), _TOO_SLOW_BODY)
)


log = get_logger(__name__)
Divert = Callable[[asyncio.Transport, bytes], bool]


class GuardedProtocol(QuickProtocol):
    """The protocol with a limit for heads, and an end for requests and clients that do not get on."""

    divert: Divert | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.head_bytes = 0
        self.received = 0
        self.in_head = True
        self.in_request = False
        self.watch: asyncio.TimerHandle | None = None
        self.is_over = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts the clock of a client that says nothing."""
        self.held = HeldTransport(transport, self.loop)
        super().connection_made(self.held)  # type: ignore[arg-type]
        self.start_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops every clock."""
        super().connection_lost(exc)
        self.stop_clock()
        self._stop_watch()

    def data_received(self, data: bytes) -> None:
        """Feeds the parser; what is still unfinished afterwards is watched."""
        if self.is_over:
            return
        if (
            self.divert is not None
            and not self.head_bytes
            and not self.in_request
            and self.divert(self.transport, data)
        ):
            self.transport.abort()  # ours only: the connection lives on in the process that took it
            return
        self.received += len(data)
        if self.in_head:
            self.head_bytes += len(data)
            if self.head_bytes > MAX_HEAD and not self._head_fits(data):
                self.transport.write(TOO_LARGE)
                self.transport.close()
                return
        super().data_received(data)
        if self.in_request and self.watch is None and not self.transport.is_closing():
            self.watch = self.loop.call_later(PROGRESS_EVERY_S, self._check_progress, self.received)

    def _head_fits(self, data: bytes) -> bool:
        # A head and the beginning of its body may come in one piece, which is no reason to refuse it.
        end = data.find(b"\r\n\r\n")
        return end >= 0 and self.head_bytes - len(data) + end <= MAX_HEAD

    def on_message_begin(self) -> None:
        """Notes that a request began."""
        self.in_request = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Notes that the head is over."""
        self.in_head = False
        self.head_bytes = 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Notes that the request is complete."""
        self.in_head = True
        self.in_request = False
        self._stop_watch()
        super().on_message_complete()

    def _check_progress(self, received_before: int) -> None:
        self.watch = None
        if not self.in_request or self.transport.is_closing():
            return
        # While the application is slow we do not read, and the client cannot be blamed.
        if self.received - received_before < PROGRESS_BYTES and not self.flow.read_paused:
            self._cut()
            return
        self.watch = self.loop.call_later(PROGRESS_EVERY_S, self._check_progress, self.received)

    def _cut(self) -> None:
        """Ends the connection; says why when nothing else is being said on it."""
        if self.in_head:
            is_silent = not self.is_answering()
        else:
            is_silent = not self.pipeline and self.cycle is not None and not self.cycle.response_started
        if not is_silent:
            self.transport.abort()
            return
        self.transport.write(TOO_SLOW)
        self.is_over = True
        # Whoever sends into a closed connection is told of that, and never reads the answer.
        self.loop.call_later(LINGER_S, self.transport.close)

    def _stop_watch(self) -> None:
        if self.watch is not None:
            self.watch.cancel()
            self.watch = None

    def is_answering(self) -> bool:
        """Whether a request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete


class DrainingServer(uvicorn.Server):
    """uvicorn's server with another end."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], int | None], idle_s: float, limit_s: float) -> None:
        super().__init__(config)
        self.ready = ready
        self.idle_s = idle_s
        self.limit_s = limit_s
        self.signalled = asyncio.Event()
        self.telling: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Says that it could accept, and accepts when it may: connections wait in the sockets until then."""
        gate = self.ready()
        if gate is not None:
            await self._admission(gate)
            self.telling = asyncio.create_task(_keep_telling(gate))
        if self.should_exit:
            return
        await super().startup(sockets)
        await self.on_tick(0)

    async def _admission(self, gate: int) -> None:
        loop = asyncio.get_running_loop()
        admitted = asyncio.Event()
        loop.add_reader(gate, admitted.set)
        try:
            waits = [asyncio.create_task(event.wait()) for event in (self.signalled, admitted)]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
        finally:
            loop.remove_reader(gate)

    async def main_loop(self) -> None:
        """Sleeps until told to leave: nothing here needs a clock, as there is no date header to renew."""
        await self.signalled.wait()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Listens for SIGTERM and SIGINT in the loop."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    def handle_exit(self, sig: int, frame: object) -> None:
        """Begins to leave; SIGINT leaves soon, a second one at once."""
        if sig == signal.SIGINT:
            self.force_exit = self.idle_s == SHORT_IDLE_S
            self.idle_s = SHORT_IDLE_S
            self.limit_s = min(self.limit_s, SHORT_LIMIT_S)
        self.should_exit = True
        self.signalled.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Lets requests finish and idle connections be used once more, then ends."""
        for server in self.servers:
            server.close()
        for sock in sockets or ():
            sock.close()
        begun = time.monotonic()
        self._announce_close()
        while not self.force_exit:
            await asyncio.sleep(LOOK_EVERY_S)
            waited = time.monotonic() - begun
            if waited >= self.idle_s:
                self._close_idle()
            empty = not self.server_state.connections and not self.server_state.tasks
            if (empty and waited >= ACCEPTED_GRACE_S) or waited >= max(self.limit_s, self.idle_s):
                break
        await self._cut_off()

    def _announce_close(self) -> None:
        # uvicorn reads the default headers when a request begins, so this costs nothing before and works for all after.
        self.server_state.default_headers = [*self.server_state.default_headers, (b"connection", b"close")]
        for connection in self._connections():
            cycle = connection.cycle
            # An answer whose head is out can no longer say so; the request after it will.
            if connection.is_answering() and not cycle.response_started and not connection.pipeline:
                cycle.keep_alive = False

    def _close_idle(self) -> None:
        for connection in self._connections():
            if not connection.is_answering():
                connection.transport.close()

    async def _cut_off(self) -> None:
        for connection in self._connections():
            connection.transport.abort()
        tasks = set(self.server_state.tasks)
        if tasks:  # whoever waited for the client learns that it is gone, and ends by itself
            _, tasks = await asyncio.wait(tasks, timeout=1.0)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=1.0)

    def _connections(self) -> list[GuardedProtocol]:
        return [connection for connection in self.server_state.connections if isinstance(connection, GuardedProtocol)]


async def _keep_telling(supervisor: int) -> None:
    """Tells the supervisor how many requests were answered and how many wrongly: often at first, while we are tried."""
    os.set_blocking(supervisor, False)
    told = (0, 0)
    often = round(OFTEN_FOR_S / OFTEN_S)
    try:
        while True:
            counts = (answers.requests, answers.errors)
            if counts != told:
                os.write(supervisor, b"%b %d %d\n" % (ANSWERED, *counts))
                told = counts
            often -= 1
            await asyncio.sleep(OFTEN_S if often > 0 else SELDOM_S)
    except OSError as error:
        log.debug("the supervisor does not listen", reason=str(error))
    finally:
        os.close(supervisor)


async def serve_web(
    app: Any,
    sockets: list[socket.socket],
    ready: Callable[[], int | None],
    *,
    drain_idle_s: float | None = None,
    drain_s: float | None = None,
    probe: Callable[[], Awaitable[None]] | None = None,
    divert: Divert | None = None,
) -> None:
    """Serves the application on the sockets until a signal, and then until the last request is answered.

    `divert` sees the first bytes of each request and may give the connection away (True): it is forgotten here.
    `ready` says that we could serve; what it gives, if anything, is readable when we may.
    `probe` does what a request does, before the first one is accepted; when it raises, nothing is accepted at all.
    """
    if probe is not None:
        await probe()
    config = uvicorn.Config(
        only_whole(app),
        http=type("Protocol", (GuardedProtocol,), {"divert": staticmethod(divert)} if divert else {}),
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
    )
    idle_s = _seconds("PHIOMIA_DRAIN_IDLE", 65.0) if drain_idle_s is None else drain_idle_s
    limit_s = _seconds("PHIOMIA_DRAIN_LIMIT_REQUEST", 180.0) if drain_s is None else drain_s
    await DrainingServer(config, ready, idle_s, limit_s).serve(sockets)


def _seconds(name: str, default: float) -> float:
    return float(os.environ.get(name, default))
