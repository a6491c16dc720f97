"""A transport that sends the head of an answer together with its body."""

import asyncio
from typing import Any

_MOST = 64 * 1024


class HeldTransport:
    """Stands before a transport: what is written is held until `flush`, or at the latest until the loop goes on.

    uvicorn writes head and body one after the other, and uvloop sends each at once: two system calls, two packets,
    and a client that wakes up for a head alone.
    """

    __slots__ = ("_bytes", "_held", "_loop", "_transport", "is_closing")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held: list[bytes] = []
        self._bytes = 0
        self.is_closing = transport.is_closing  # asked several times for each request

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Holds what is to be sent."""
        if not self._held:
            self._loop.call_soon(self.flush)
        self._held.append(data)
        self._bytes += len(data)
        if self._bytes > _MOST:  # the transport has to notice when a client does not read
            self.flush()

    def send(self, pieces: tuple[bytes, ...]) -> None:
        """Sends what is held, then these pieces at once."""
        self.flush()
        self._transport.writelines(pieces)

    def flush(self) -> None:
        """Sends what is held."""
        held = self._held
        if held:
            self._held, self._bytes = [], 0
            self._transport.writelines(held)

    def close(self) -> None:
        """Sends what is held, then closes."""
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        """Closes without sending."""
        self._held, self._bytes = [], 0
        self._transport.abort()
