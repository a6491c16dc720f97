"""Gives every stream to the process that comes after this one, which goes on where we stop.

We are told to end when another generation serves already. It listens in the folder where the web gives connections
away, at `<generation>-<pid>.over`, and says which versions of a stream's state it reads. Each parcel is one message:
the states in memory that has a descriptor, and the clients' sockets in the same order. We keep what was not confirmed.
"""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Collection, Sequence
from itertools import cycle
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from phiomia.streaming.server import Parcel, StreamingServer
from phiomia.streaming.state import can_write, choose_version, write_batch

ENDING = ".over"
ANSWER_S = 10.0
FINISH_S = 3.0
MAX_MESSAGE = 4096
log = logging.getLogger(__name__)


class Recipient(Protocol):
    """Where streams can be given to."""

    async def give(self, parcel: Parcel) -> bool:
        """Gives streams away; False when they were not taken. Raises TimeoutError when that can't be known."""
        ...

    def close(self) -> None:
        """Gives nothing more."""
        ...


class Heir:
    """A process that takes streams."""

    def __init__(self, path: Path, sock: socket.socket, version: int) -> None:
        self.path = path
        self._sock = sock
        self._version = version

    async def give(self, parcel: Parcel) -> bool:
        """Gives streams away; False when it has gone before it took them. Raises TimeoutError when it says nothing."""
        pairs = [
            (state, sock)
            for state, sock in zip(parcel.states, parcel.sockets, strict=True)
            if can_write(state, self._version)
        ]
        memory = write_memory(write_batch(parcel.position, [state for state, _ in pairs], self._version))
        try:
            socket.send_fds(self._sock, [b"streams"], [memory, *(sock.fileno() for _, sock in pairs)])
            return bool(await _hear(self._sock))
        except TimeoutError:
            raise
        except OSError:
            return False
        finally:
            os.close(memory)

    def close(self) -> None:
        """Gives nothing more."""
        self._sock.close()


class Others(NamedTuple):
    """Processes of another generation: those that will take our streams, and whether any serves at all."""

    heirs: list[Heir]
    serve: bool = False


async def find_others(folder: Path, generation: int, without: Collection[Path] = ()) -> Others:
    """The processes of the newest other generation that will take streams; some are known not to."""
    serve = False
    for listed in _list_others(folder, generation):
        paths = [path for path in listed if path not in without]
        found = await asyncio.gather(*map(_ask, paths))
        serve = serve or any(answered for answered, _ in found)
        heirs = [heir for _, heir in found if heir is not None]
        if heirs:
            return Others(heirs, serve)
    return Others([], serve)


def _list_others(folder: Path, generation: int) -> list[list[Path]]:
    """Where the processes of other generations listen, the newest generation first."""
    by_generation: dict[int, list[Path]] = {}
    for path in folder.glob(f"*{ENDING}"):
        number, _, _ = path.stem.partition("-")
        if number.isdigit() and int(number) != generation:
            by_generation.setdefault(int(number), []).append(path)
    return [paths for _, paths in sorted(by_generation.items(), reverse=True)]


async def give_away(server: StreamingServer, following: asyncio.Task[None], heirs: Sequence[Recipient]) -> bool:
    """Ends the feed between two events and gives every stream away; gives whether all were taken."""
    begun = time.monotonic()
    server.feed.finish()
    await asyncio.wait({following}, timeout=FINISH_S)
    following.cancel()
    await asyncio.wait({following})
    await server.settle()
    given, complete = 0, True
    for parcel, heir in zip(server.pack(), cycle(heirs), strict=False):
        if not await _give(server, parcel, heir):
            complete = False
            break
        given += len(parcel.states)
    server.hall.metrics.given += given
    log.info("gave %s streams away in %.2f s", given, time.monotonic() - begun)
    return complete


async def _give(server: StreamingServer, parcel: Parcel, heir: Recipient) -> bool:
    try:
        taken = await heir.give(parcel)
    except TimeoutError:
        # It may have them or not; two must not speak over one connection.
        log.warning("%s streams were lost: the next process does not answer", len(parcel.states))
        taken = True
    if not taken:
        log.warning("the next process has gone, or there is no room")
        server.take(parcel)
        return False
    for sock in parcel.sockets:
        sock.close()
    return True


async def _ask(path: Path) -> tuple[bool, Heir | None]:
    """Whether somebody answers, and whether they take streams."""
    answer = b""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
    try:
        sock.connect(str(path))
        answer = await _hear(sock)
        version = choose_version(msgspec.json.decode(answer, type=list[int]) if answer else [])
    except (OSError, msgspec.DecodeError) as error:
        log.debug("%s takes no streams: %s", path.name, error)
        version = None
    if version is None:
        sock.close()
        return bool(answer), None
    return True, Heir(path, sock, version)


async def _hear(sock: socket.socket) -> bytes:
    async with asyncio.timeout(ANSWER_S):
        return await asyncio.get_running_loop().sock_recv(sock, MAX_MESSAGE)


def write_memory(data: bytes) -> int:
    """The descriptor of memory that holds the data and can be sent to another process."""
    fd = os.memfd_create("phiomia-streams")
    with open(fd, "wb", closefd=False) as file:
        file.write(data)
    return fd


def read_memory(fd: int) -> bytes:
    """What `write_memory` has put there."""
    with open(fd, "rb", closefd=False) as file:
        file.seek(0)
        return file.read()
