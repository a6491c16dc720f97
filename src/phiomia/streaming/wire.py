"""A client's socket with its buffers, all in plain sight.

A transport would hide the bytes that were read or not yet sent; the next process needs them to go on in the middle of
a frame.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from typing import Protocol

READ_SIZE = 64 * 1024
LINGER_S = 3.0


class Owner(Protocol):
    """Who speaks over a wire."""

    def received(self, data: bytes) -> None:
        """Bytes came."""
        ...

    def ended(self) -> None:
        """The socket is closed; said once."""
        ...

    def overflowed(self) -> None:
        """The other side does not read what it is sent."""
        ...


class Wire:
    """Reads and writes one non-blocking socket in the running loop."""

    __slots__ = (
        "_begun", "_drained", "_linger", "_loop", "_outgoing", "_reading", "_tell_closed", "_writing",
        "closed", "finishing", "limit", "owner", "queued", "sock",
    )  # fmt: skip

    def __init__(self, sock: socket.socket, limit: int, closed: Callable[["Wire"], None]) -> None:
        sock.setblocking(False)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self.limit = limit
        self.owner: Owner | None = None
        self.queued = 0
        self.closed = False
        self.finishing = False
        self._tell_closed = closed
        self._loop = asyncio.get_running_loop()
        self._outgoing: deque[memoryview] = deque()
        self._begun = False
        self._reading = False
        self._writing = False
        self._drained: asyncio.Future[None] | None = None
        self._linger: asyncio.TimerHandle | None = None

    @property
    def unsent(self) -> bytes:
        """What still has to be sent."""
        return b"".join(self._outgoing)

    def read_on(self) -> None:
        """Calls the owner with what comes."""
        if not self._reading and not self.closed:
            self._reading = True
            self._loop.add_reader(self.sock, self._readable)

    def pause(self) -> None:
        """Leaves what comes in the kernel."""
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self.sock)

    def write(self, data: bytes) -> None:
        """Sends now what the kernel takes and the rest when it can."""
        if self.closed or self.finishing:
            return
        sent = 0 if self._outgoing else self._send(data)
        if sent == len(data) or self.closed:
            return
        if not self._outgoing:
            self._begun = sent > 0
        self._outgoing.append(memoryview(data)[sent:])
        self.queued += len(data) - sent
        self._watch_writing()
        if self.queued > self.limit and self.owner is not None:
            self.owner.overflowed()

    def go_on(self, unsent: bytes) -> None:
        """Sends what another process has begun to send; from now on this wire's limit holds."""
        sent = self._send(unsent) if unsent else 0
        if sent == len(unsent) or self.closed:
            return
        self._begun = True
        self._outgoing.append(memoryview(unsent)[sent:])
        self.queued += len(unsent) - sent
        self._watch_writing()

    def forget_queue(self) -> None:
        """Drops what has not been begun, so that a farewell still fits."""
        rest = [self._outgoing[0]] if self._begun and self._outgoing else []
        self._outgoing = deque(rest)
        self.queued = sum(map(len, rest))

    async def drain(self) -> None:
        """Waits until everything is sent or the socket is closed."""
        while self._outgoing and not self.closed:
            if self._drained is None:
                self._drained = self._loop.create_future()
            await asyncio.shield(self._drained)

    def finish(self) -> None:
        """Sends what is queued and closes; waits a little for the other side, as unread bytes would reset the rest."""
        if self.closed or self.finishing:
            return
        self.finishing = True
        self._linger = self._loop.call_later(LINGER_S, self.abort)
        self.read_on()
        if not self._outgoing:
            self._shut_down()

    def abort(self) -> None:
        """Closes at once."""
        if self.closed:
            return
        self.detach()
        self.sock.close()
        owner, self.owner = self.owner, None
        if owner is not None:
            owner.ended()

    def detach(self) -> socket.socket:
        """Gives the socket away; this wire is of no use any more."""
        self.closed = True
        self.pause()
        self._stop_writing()
        if self._linger is not None:
            self._linger.cancel()
        self._tell_drained()
        self._tell_closed(self)
        return self.sock

    def _readable(self) -> None:
        try:
            data = self.sock.recv(READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.abort()
            return
        if not data:
            self.abort()
        elif not self.finishing and self.owner is not None:
            self.owner.received(data)

    def _send(self, data: bytes | memoryview) -> int:
        try:
            return self.sock.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            self.abort()
            return 0

    def _writable(self) -> None:
        while self._outgoing:
            data = self._outgoing[0]
            sent = self._send(data)
            if self.closed:
                return
            self.queued -= sent
            if sent < len(data):
                self._begun = self._begun or sent > 0
                self._outgoing[0] = data[sent:]
                return
            self._outgoing.popleft()
            self._begun = False
        self._stop_writing()
        self._tell_drained()
        if self.finishing:
            self._shut_down()

    def _shut_down(self) -> None:
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.abort()

    def _watch_writing(self) -> None:
        if not self._writing:
            self._writing = True
            self._loop.add_writer(self.sock, self._writable)

    def _stop_writing(self) -> None:
        if self._writing:
            self._writing = False
            self._loop.remove_writer(self.sock)

    def _tell_drained(self) -> None:
        if self._drained is not None:
            self._drained.set_result(None)
            self._drained = None
