"""Asks the processes of this machine how they are, on the sockets of `health_server`."""

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from phiomia.platform.merged_metrics import merge

LIMIT_S = 5.0
MOST_BYTES = 8 * 1024 * 1024


class Peer(NamedTuple):
    """A process that says how it is."""

    role: str
    pid: int
    path: Path


class Answer(NamedTuple):
    """What a process said; the status is 0 when it did not answer, and 1 when nobody is there any more."""

    status: int
    body: bytes

    @property
    def good(self) -> bool:
        """Whether the process says yes, or has gone and can't be blamed."""
        return self.status in (200, GONE)

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")


GONE = 1
_SILENT = Answer(0, b"does not answer")
_GONE = Answer(GONE, b"")


def find_peers(folder: Path, role: str = "") -> list[Peer]:
    """The processes that have a socket there, perhaps of one role only."""
    found = []
    for path in folder.glob("*.sock"):
        name, _, pid = path.stem.rpartition("-")
        if pid.isdigit() and name and role in ("", name):
            found.append(Peer(name, int(pid), path))
    return sorted(found)


async def ask_all(peers: Sequence[Peer], target: str) -> list[tuple[Peer, Answer]]:
    """What each answers, all asked at once."""
    return list(zip(peers, await asyncio.gather(*(ask(peer.path, target) for peer in peers)), strict=True))


async def ask(path: Path, target: str, limit_s: float = LIMIT_S) -> Answer:
    """What the process with that socket answers."""
    try:
        return await asyncio.wait_for(_ask(path, target), limit_s)
    except (FileNotFoundError, ConnectionRefusedError):
        return _GONE
    except (OSError, TimeoutError, ValueError):
        return _SILENT


async def merge_metrics(folder: Path, role: str = "", own: Iterable[tuple[Peer, bytes]] = ()) -> bytes:
    """What the processes count, each sample with the labels `role` and `pid` of its process.

    own: what the asking process says of itself, so that it need not be asked.
    """
    parts = [({"role": peer.role, "pid": str(peer.pid)}, text) for peer, text in own]
    known = {part["pid"] for part, _ in parts}
    others = [peer for peer in find_peers(folder, role) if str(peer.pid) not in known]
    for peer, answer in await ask_all(others, "/metrics"):
        if answer.status == 200:
            parts.append(({"role": peer.role, "pid": str(peer.pid)}, answer.body))
    return merge(parts)


async def _ask(path: Path, target: str) -> Answer:
    reader, writer = await asyncio.open_unix_connection(str(path))
    try:
        writer.write(f"GET {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode())
        await writer.drain()
        whole = b""
        while chunk := await reader.read(256 * 1024):
            whole += chunk
            if len(whole) > MOST_BYTES:
                raise ValueError("the answer has no end")
    finally:
        writer.close()
    head, end, body = whole.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    if not end or len(words) < 2:
        raise ValueError("the answer is cut off")
    return Answer(int(words[1]), body)
