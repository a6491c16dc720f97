"""Takes the streams of the process before this one."""

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path

import msgspec

from phiomia.platform.siblings import listen_to_siblings
from phiomia.streaming.giving import ENDING, read_memory
from phiomia.streaming.server import BATCH, Parcel
from phiomia.streaming.state import READS, read_batch

FINISH_S = 5.0
_PENDING = 64
_MESSAGE = 64
log = logging.getLogger(__name__)


class Successor:
    """Listens for predecessors; answers them once `begin` was called, since others may still serve until then."""

    def __init__(self, folder: Path, generation: int, take: Callable[[Parcel], None]) -> None:
        self._path = folder / f"{generation}-{os.getpid()}{ENDING}"
        self._take = take
        self._begun = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener = listen_to_siblings(self._path, _PENDING)
        self._loop.add_reader(self._listener, self._accept)

    def begin(self) -> None:
        """Says from now on what we read, and takes."""
        self._begun.set()

    async def close(self) -> None:
        """Takes what is on its way, and then no more."""
        self._path.unlink(missing_ok=True)
        self._loop.remove_reader(self._listener)
        self._listener.close()
        if self._tasks:
            patience = FINISH_S if self._begun.is_set() else 0
            _done, late = await asyncio.wait(self._tasks, timeout=patience)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        sock.setblocking(False)
        task = self._loop.create_task(self._serve(sock))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, sock: socket.socket) -> None:
        with sock:
            await self._begun.wait()
            try:
                sock.send(msgspec.json.encode(READS))
                while (parcel := await self._receive(sock)) is not None:
                    self._take(parcel)
                    sock.send(b"taken")
            except (OSError, ValueError) as error:
                log.warning("streams could not be taken over: %s", error)

    async def _receive(self, sock: socket.socket) -> Parcel | None:
        await _until_readable(self._loop, sock)
        data, fds, flags, _ = socket.recv_fds(sock, _MESSAGE, BATCH + 1, socket.MSG_CMSG_CLOEXEC)
        if not data:
            return None
        if not fds:
            raise ValueError("no connection came: too many files are open")
        sockets = [socket.socket(fileno=fd) for fd in fds[1:]]
        try:
            batch = read_batch(read_memory(fds[0]))
            if flags & socket.MSG_CTRUNC or len(batch.clients) != len(sockets):
                raise ValueError(f"{len(sockets)} of {len(batch.clients)} connections came: too many files are open")
        except BaseException:
            for each in sockets:
                each.close()
            raise
        finally:
            os.close(fds[0])
        return Parcel(batch.position, batch.clients, sockets)


async def _until_readable(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
    readable = asyncio.Event()
    loop.add_reader(sock, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(sock)
