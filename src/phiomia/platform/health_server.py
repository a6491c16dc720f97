"""Answers questions about one process on a socket of its own: /health, /health/ready, /metrics, /counts.

The socket is `<folder>/<role>-<pid>.sock` and its owner's alone. A role may have a TCP address as well, which its
processes share: whichever of them is asked there answers for all of its role.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from phiomia.platform import metrics
from phiomia.platform.counts import count_process
from phiomia.platform.health_client import ask_all, find_peers, merge_metrics
from phiomia.platform.listen import bind_unix
from phiomia.platform.log import get_logger

MAX_HEAD = 8 * 1024
HEAD_S = 5.0
READY_S = 4.0
TOO_SLOW = "no answer in time"
EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"

Ready = Callable[[], Awaitable[str]]
log = get_logger(__name__)


class Reply(NamedTuple):
    """An answer."""

    status: str
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    header: str = ""


Answer = Callable[[str], Awaitable[Reply]]
_OK = Reply("200 OK", b"OK")


@contextlib.asynccontextmanager
async def answer_for_process(folder: Path, role: str, ready: Ready, address: str = "") -> AsyncIterator[None]:
    """Answers while the context is open. `ready` says why the process can't serve; nothing when it can.

    address: host:port to answer for the whole role on; empty for none. Raises OSError.
    """
    path = folder / f"{role}-{os.getpid()}.sock"
    _prepare(folder)

    async def answer_alone(target: str) -> Reply:
        return await _answer_alone(target, ready)

    async def answer_for_role(target: str) -> Reply:
        return await _answer_for_role(target, folder, role)

    async with contextlib.AsyncExitStack() as open_:
        sock = bind_unix(str(path))
        open_.callback(path.unlink, missing_ok=True)
        _close_after(open_, await asyncio.start_unix_server(_converse_by(answer_alone), limit=MAX_HEAD, sock=sock))
        if address:
            host, _, port = address.rpartition(":")
            # All processes of the role listen there, and during a reload those of two releases.
            shared = await asyncio.start_server(
                _converse_by(answer_for_role), host.strip("[]"), int(port), limit=MAX_HEAD, reuse_port=True
            )
            _close_after(open_, shared)
        yield


def _close_after(open_: contextlib.AsyncExitStack, server: asyncio.Server) -> None:
    open_.callback(server.close)


def _prepare(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for peer in find_peers(folder):
        # The socket of one that lives may be bound already and not listen yet.
        if not Path(f"/proc/{peer.pid}").exists():
            peer.path.unlink(missing_ok=True)


def _converse_by(answer: Answer) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            # Who neither asks nor reads must not be kept for ever.
            target = await asyncio.wait_for(_read_target(reader), HEAD_S)
            reply = target if isinstance(target, Reply) else await answer(target)
            writer.write(_encode(reply))
            await asyncio.wait_for(writer.drain(), HEAD_S)
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            log.debug("a question about this process came to nothing", reason=repr(error))
        finally:
            writer.close()

    return converse


async def _read_target(reader: asyncio.StreamReader) -> str | Reply:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        return Reply("431 Request Header Fields Too Large")
    words = head.partition(b"\r\n")[0].decode("latin-1").split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        return Reply("400 Bad Request")
    if words[0] != "GET":
        return Reply("405 Method Not Allowed", header="allow: GET\r\n")
    return words[1].partition("?")[0]


def _encode(reply: Reply) -> bytes:
    head = (
        f"HTTP/1.1 {reply.status}\r\ncontent-type: {reply.content_type}\r\ncontent-length: {len(reply.body)}\r\n"
        f"cache-control: no-store\r\n{reply.header}connection: close\r\n\r\n"
    )
    return head.encode("latin-1") + reply.body


async def _answer_alone(target: str, ready: Ready) -> Reply:
    if target == "/health":
        return _OK
    if target == "/health/ready":
        try:
            return _say(await asyncio.wait_for(ready(), READY_S))
        except TimeoutError:
            return _say(TOO_SLOW)
        except Exception as error:
            # Tables that are missing, for example: who can't be asked can't serve.
            log.warning("whether this process can serve can't be found out", reason=str(error))
            return _say(f"{type(error).__name__}: {error}")
    if target == "/metrics":
        return Reply("200 OK", metrics.exposition(), EXPOSITION)
    if target == "/counts":
        return Reply("200 OK", count_process(), "application/json")
    return Reply("404 Not Found")


async def _answer_for_role(target: str, folder: Path, role: str) -> Reply:
    if target == "/health":
        return _OK
    if target == "/health/ready":
        asked = await ask_all(find_peers(folder, role), target)
        return _say("\n".join(f"{peer.role} {peer.pid}: {answer.text}" for peer, answer in asked if not answer.good))
    if target == "/metrics":
        return Reply("200 OK", await merge_metrics(folder, role), EXPOSITION)
    return Reply("404 Not Found")


def _say(obstacle: str) -> Reply:
    if not obstacle:
        return _OK
    return Reply("503 Service Unavailable", obstacle.encode(), header="retry-after: 5\r\n")
