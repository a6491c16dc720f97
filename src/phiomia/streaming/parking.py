"""Streams that wait while nobody serves: the whole unit is being restarted.

The last process writes them into a pair of sockets that outlives it (`platform/park.py`), in parcels like those for a
next process that serves already (`giving.py`). Whoever reads them is not known yet, and may be of another release: so
each parcel has the states in every version that we write, each in memory of its own. A process that serves takes
whatever is put there. Who has waited for too long is not caught up with but sent away: the log may not go back as far,
and by then most clients have given up.
"""

import asyncio
import contextlib
import logging
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import Struct

from phiomia.platform.park import fetch_park, is_kept, park_path
from phiomia.streaming import state
from phiomia.streaming.giving import MAX_MESSAGE, read_memory, write_memory
from phiomia.streaming.server import BATCH, Parcel
from phiomia.streaming.state import choose_version, read_batch, write_batch

# Whoever reads what is parked reads at least this one.
OLDEST = 2
AGAIN_S = 0.2
log = logging.getLogger(__name__)


class _Head(Struct, frozen=True):
    versions: list[int]
    at: float


class Found(NamedTuple):
    """Streams that were put there, and for how many seconds they have waited."""

    parcel: Parcel
    waited_s: float


class Park:
    """Both ends of the pair."""

    def __init__(self, put: socket.socket, take: socket.socket) -> None:
        self._put = put
        self._take = take
        self._watched = False

    def watch(self, found: Callable[[Found], None]) -> None:
        """Calls with whatever is put there, from now until `rest`."""
        self._watched = True
        asyncio.get_running_loop().add_reader(self._take, self._read, found)
        self._read(found)

    def rest(self) -> None:
        """Leaves there what is put from now on."""
        if self._watched:
            self._watched = False
            asyncio.get_running_loop().remove_reader(self._take)

    async def give(self, parcel: Parcel) -> bool:
        """Puts streams there; False when there is no room."""
        versions = [version for version in state.READS if version >= OLDEST]
        with contextlib.ExitStack() as stack:
            fds = []
            for version in versions:
                fds.append(write_memory(write_batch(parcel.position, parcel.states, version)))
                stack.callback(os.close, fds[-1])
            fds += [sock.fileno() for sock in parcel.sockets]
            try:
                socket.send_fds(self._put, [msgspec.json.encode(_Head(versions, _now()))], fds)
            except OSError as error:
                log.warning("streams could not be parked: %s", error)
                return False
        return True

    def only_look(self) -> None:
        """Puts nothing there from now on, so that it shows when nobody else will either."""
        self._put.close()

    def is_given_up(self) -> bool:
        """Whether nobody has it any more who could put something there: the unit was stopped for good."""
        try:
            return not self._take.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return False

    def close(self) -> None:
        """Knows nothing of it any more."""
        self.rest()
        self._put.close()
        self._take.close()

    def _read(self, found: Callable[[Found], None]) -> None:
        for parcel in self._parcels():
            found(parcel)

    def _parcels(self) -> Iterator[Found]:
        while self._watched:
            try:
                data, fds, flags, _ = socket.recv_fds(self._take, MAX_MESSAGE, BATCH + 8, socket.MSG_CMSG_CLOEXEC)
            except (BlockingIOError, InterruptedError):
                return
            try:
                yield _unpack(data, fds, cut=bool(flags & socket.MSG_CTRUNC))
            except (ValueError, KeyError, OSError, msgspec.MsgspecError) as error:
                log.warning("parked streams are lost: %s", error)


async def find_park(folder: Path) -> Park | None:
    """The place that our supervisor knows of; None when nobody keeps one, or when the supervisor has gone."""
    supervisor = os.getppid()
    # While it becomes the next release's supervisor it does not answer; it does so just when we begin.
    while (pair := await _fetch(folder, supervisor)) is None:
        if not is_kept(dict(os.environ)) or os.getppid() != supervisor:
            return None
        await asyncio.sleep(AGAIN_S)
    return Park(*pair)


async def _fetch(folder: Path, supervisor: int) -> tuple[socket.socket, socket.socket] | None:
    try:
        return await asyncio.to_thread(fetch_park, park_path(str(folder), supervisor))
    except OSError as error:
        log.debug("the supervisor does not say where streams can wait: %s", error)
        return None


def _unpack(data: bytes, fds: list[int], *, cut: bool) -> Found:
    head = msgspec.json.decode(data, type=_Head)
    sockets = {os.fstat(fd).st_ino: socket.socket(fileno=fd) for fd in fds[len(head.versions) :]}
    try:
        version = choose_version(head.versions)
        if version is None or cut:
            raise ValueError(f"too many files are open, or nobody reads versions {head.versions} here")
        batch = read_batch(read_memory(fds[head.versions.index(version)]))
        parcel = Parcel(batch.position, batch.clients, [sockets[client.inode] for client in batch.clients])
    except BaseException:
        for sock in sockets.values():
            sock.close()
        raise
    finally:
        for fd in fds[: len(head.versions)]:
            os.close(fd)
    return Found(parcel, max(0.0, _now() - head.at))


def _now() -> float:
    # Also counts while the machine sleeps, and is the same for all processes.
    return time.clock_gettime(time.CLOCK_BOOTTIME)
