"""Passing an accepted connection to another process: its descriptor and what was already read of it.

The web listens on the port that everybody knows; a stream's connection belongs to the streaming process,
which keeps it while web processes come and go. So the web gives the socket away and forgets it.
"""

import asyncio
import contextlib
import os
import random
import socket
from collections.abc import Callable
from pathlib import Path

from phiomia.platform.siblings import listen_to_siblings

_MOST = 64 * 1024
_PENDING = 256
RETRY_SECONDS = (1, 5)
_NOBODY = b'{"error":"Streaming is not available right now"}'
_NOBODY_HEAD = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: %d\r\naccess-control-allow-origin: *\r\n"
    b"content-type: application/json; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
)


class Giver:
    """Gives connections to whichever process takes them in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._peer: socket.socket | None = None

    def give(self, fd: int, data: bytes) -> bool:
        """Passes a descriptor with what was read; False when nobody takes it. The caller then closes its own."""
        for _ in range(2):
            peer = self._peer or self._connect()
            if peer is None:
                return False
            try:
                socket.send_fds(peer, [data[:_MOST]], [fd])
            except (OSError, ValueError):
                peer.close()
                self._peer = None
            else:
                return True
        return False

    def _connect(self) -> socket.socket | None:
        with contextlib.suppress(FileNotFoundError):
            newest_first = sorted(self._folder.glob("*.sock"), key=lambda path: path.stat().st_mtime, reverse=True)
            for path in newest_first:
                peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
                try:
                    peer.connect(str(path))
                except OSError:
                    peer.close()
                    continue
                self._peer = peer
                return peer
        return None


def turn_away(fd: int, data: bytes) -> bool:
    """Answers whom nobody takes, and says when to return; False when that takes more than this.

    Thousands may ask again and again until somebody is there: they must not cost as much as a request.
    """
    if not data.startswith(b"GET ") or not data.endswith(b"\r\n\r\n"):
        return False
    # Not everybody at once.
    head = _NOBODY_HEAD % (random.randint(*RETRY_SECONDS), len(_NOBODY))
    try:
        return os.write(fd, head + _NOBODY) == len(head) + len(_NOBODY)
    except OSError:
        return False


class Taker:
    """Takes connections that others give: `taken(socket, data)` for each."""

    def __init__(self, folder: Path, taken: Callable[[socket.socket, bytes], None]) -> None:
        self._path = folder / f"{os.getpid()}.sock"
        self._taken = taken
        self._loop = asyncio.get_running_loop()
        self._givers: set[socket.socket] = set()
        self._listener = listen_to_siblings(self._path, _PENDING)
        self._loop.add_reader(self._listener, self._accept)

    def close(self) -> None:
        """Takes what was given already and no more; givers look for somebody else."""
        self._path.unlink(missing_ok=True)
        self._loop.remove_reader(self._listener)
        # Who is on the way here is refused from now on, or is in the queue.
        self._listener.shutdown(socket.SHUT_RDWR)
        while self._accept():
            pass
        self._listener.close()
        for giver in list(self._givers):
            giver.shutdown(socket.SHUT_RD)
            while self._receive(giver):
                pass
            self._forget(giver)

    def _accept(self) -> bool:
        try:
            giver, _ = self._listener.accept()
        except OSError:
            return False
        giver.setblocking(False)
        self._givers.add(giver)
        self._loop.add_reader(giver, self._receive, giver)
        return True

    def _receive(self, giver: socket.socket) -> bool:
        """Takes one connection, if there is one."""
        try:
            data, fds, _flags, _address = socket.recv_fds(giver, _MOST, 4)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            data, fds = b"", []
        if not data and not fds:
            self._forget(giver)
            return False
        for fd in fds:
            self._taken(socket.socket(fileno=fd), data)
        return True

    def _forget(self, giver: socket.socket) -> None:
        if giver in self._givers:
            self._loop.remove_reader(giver)
            self._givers.discard(giver)
            giver.close()
