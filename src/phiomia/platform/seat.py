"""The one hub of a data directory, whichever of its supervisors has it. Standard library only.

Where web, worker and streaming are units of their own, each has a supervisor, and their children must hear each other.
The first supervisor serves the bus. The others hold a connection to it, and when that ends, the first of them to get
the lock goes on with a hub of its own at the same path; the children connect again by themselves.
"""

import os
import selectors
import socket
import time
from typing import Any

from phiomia.platform.hub import Hub
from phiomia.platform.listen import adopt, bind_unix
from phiomia.platform.locks import try_lock
from phiomia.platform.spawn import FOREVER

AGAIN_S = 0.1


class HubSeat:
    """Our hub, or our wait for it."""

    def __init__(self, selector: selectors.BaseSelector, path: str) -> None:
        self.selector = selector
        self.path = path
        self.hub: Hub | None = None
        self.lock = -1
        self.watched: socket.socket | None = None
        self.retry_at = FOREVER

    def take(self) -> None:
        """Serves the bus if nobody does; else waits for its end. Raises OSError when it can't be served."""
        self.retry_at = FOREVER
        lock = try_lock(f"{self.path}.lock")
        if lock is None:
            self._watch()
            return
        try:
            self.hub = Hub(self.selector, bind_unix(self.path))
        except OSError:
            os.close(lock)
            raise
        self.lock = lock

    def retry(self) -> str:
        """Takes what has become free; gives what is in the way."""
        if time.monotonic() < self.retry_at:
            return ""
        try:
            self.take()
        except OSError as error:
            self.retry_at = time.monotonic() + 1.0
            return str(error)
        return ""

    def _watch(self) -> None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            sock.connect(self.path)
        except OSError:
            # It has the lock and does not listen yet, or does not any more.
            sock.close()
            self.retry_at = time.monotonic() + AGAIN_S
            return
        self.watched = sock
        # Nothing is ever sent to who has subscribed to nothing: what can be read is the end.
        self.selector.register(sock, selectors.EVENT_READ, lambda _mask: self._ended())

    def _ended(self) -> None:
        self._stop_watching()
        self.retry_at = time.monotonic()

    def _stop_watching(self) -> None:
        if self.watched is not None:
            self.selector.unregister(self.watched)
            self.watched.close()
            self.watched = None

    def leave(self) -> None:
        """Ends our hub; free for the others before they hear of it."""
        self._stop_watching()
        self.retry_at = FOREVER
        if self.hub is None:
            return
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.hub.stop_listening()
        os.close(self.lock)
        self.hub.close()
        self.hub = None

    def save(self) -> dict[str, Any] | None:
        """What the next generation needs to go on with the hub."""
        return {**self.hub.save(), "lock": self.lock} if self.hub is not None else None

    def descriptors(self) -> list[int]:
        """The descriptors that an exec must leave open."""
        return [self.lock, *self.hub.descriptors()] if self.hub is not None else []

    def restore(self, saved: dict[str, Any] | None) -> None:
        """Takes over from the previous generation."""
        if saved is None:
            self.retry_at = time.monotonic()
            return
        self.lock = saved["lock"]
        os.set_inheritable(self.lock, False)
        self.hub = Hub(self.selector, adopt(saved["listener"]))
        self.hub.restore(saved["clients"])
