"""Traffic that notices every loss: connections that stay and new ones, slow requests, halting bodies, an upload.

One request of three is a POST, which no proxy may repeat. Whatever is not the expected answer is a failure. Clients are
patient: what counts is that an answer comes.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import NamedTuple

Address = tuple[str, int]
PATIENCE_S = 60.0
HALT_S = 0.5


class Request(NamedTuple):
    """One kind of request, and the statuses that are right."""

    path: str
    body: bytes = b""
    content_type: str = "application/octet-stream"
    token: str = ""
    right: tuple[bytes, ...] = (b"200",)

    @property
    def method(self) -> str:
        """POST with a body, else GET."""
        return "POST" if self.body else "GET"

    def head(self, host: str) -> bytes:
        """Its head as bytes."""
        lines = [f"{self.method} {self.path} HTTP/1.1", f"Host: {host}"]
        if self.token:
            lines.append(f"Authorization: Bearer {self.token}")
        if self.body:
            lines += [f"Content-Type: {self.content_type}", f"Content-Length: {len(self.body)}"]
        return "\r\n".join([*lines, "", ""]).encode()


class Site(NamedTuple):
    """What is asked for, and how an answer tells which release gave it."""

    gets: tuple[Request, ...]
    post: Request
    slow: Request
    upload: Request
    mark: Callable[[bytes], str]
    slow_s: float = 0.0


class Mix(NamedTuple):
    """How many clients of each kind, and how long they think between requests."""

    staying: int = 16
    coming: int = 8
    slow: int = 4
    halting: int = 4
    uploads: int = 1
    upload_s: float = 10.0
    think_s: float = 0.01


@dataclass
class Seen:
    """What became of the requests. Waits are without what the request itself asked to take."""

    answered: int = 0
    posts: int = 0
    failures: list[str] = field(default_factory=list)
    marks: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0
    slowest: str = ""
    longest_upload: float = 0.0

    def add(self, other: Seen) -> None:
        """Takes over what another has seen."""
        self.answered += other.answered
        self.posts += other.posts
        self.failures += other.failures
        self.marks += other.marks
        if other.longest > self.longest:
            self.longest, self.slowest = other.longest, other.slowest
        self.longest_upload = max(self.longest_upload, other.longest_upload)


class Connection:
    """One connection, opened when it is needed."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: Request, over_s: float = 0.0) -> bytes:
        """The answer, head and body; the request's body is sent in pieces over that time."""
        if self.streams is None:
            self.streams = await asyncio.open_connection(*self.address)
        reader, writer = self.streams
        await _send(writer, request.head(f"{self.address[0]}:{self.address[1]}"), request.body, over_s)
        answer = await reader.readuntil(b"\r\n\r\n")
        lowered = answer.lower()
        length = int(lowered.partition(b"content-length: ")[2].split(b"\r\n")[0])
        answer += await reader.readexactly(length)
        if b"connection: close" in lowered:
            self.close()
        return answer

    def close(self) -> None:
        """Ends it; the next request opens another."""
        if self.streams is not None:
            self.streams[1].close()
            self.streams = None


async def _send(writer: asyncio.StreamWriter, head: bytes, body: bytes, over_s: float) -> None:
    if not over_s:
        writer.write(head + body)
        return
    pieces = max(2, int(over_s * 5))
    size = -(-len(body) // pieces)
    writer.write(head + body[:size])
    for place in range(size, len(body), size):
        await asyncio.sleep(over_s / pieces)
        writer.write(body[place : place + size])
        await writer.drain()


class Traffic:
    """Clients that go on asking while the context is open."""

    def __init__(self, address: Address, site: Site, mix: Mix) -> None:
        self.address = address
        self.site = site
        self.mix = mix
        self.seen = Seen()
        self.stopping = False
        self.tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Traffic:
        mix, site = self.mix, self.site
        clients = [self._client(number, self._quick) for number in range(mix.staying)]
        clients += [self._client(number, self._quick, stays=False) for number in range(mix.coming)]
        clients += [self._client(number, lambda _turn: site.slow, nominal_s=site.slow_s) for number in range(mix.slow)]
        clients += [self._client(number, lambda _turn: site.post, over_s=HALT_S) for number in range(mix.halting)]
        clients += [self._client(0, lambda _turn: site.upload, over_s=mix.upload_s) for _ in range(mix.uploads)]
        self.tasks = [asyncio.create_task(client) for client in clients]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping = True
        await asyncio.gather(*self.tasks)

    def take(self) -> Seen:
        """What was seen since the last time."""
        seen, self.seen = self.seen, Seen()
        return seen

    def _quick(self, turn: int) -> Request:
        # As there are slow GETs as well, more than a third of the quick ones must be POSTs.
        return self.site.post if turn % 2 else self.site.gets[turn % len(self.site.gets)]

    async def _client(
        self,
        number: int,
        choose: Callable[[int], Request],
        *,
        stays: bool = True,
        nominal_s: float = 0.0,
        over_s: float = 0.0,
    ) -> None:
        connection = Connection(self.address)
        turn = number
        while not self.stopping:
            turn += 1
            await self._ask(connection, choose(turn), nominal_s or over_s, over_s)
            if not stays:
                connection.close()
            await asyncio.sleep(self.mix.think_s * 2 * (turn % 8) / 7)
        connection.close()

    async def _ask(self, connection: Connection, request: Request, nominal_s: float, over_s: float) -> None:
        used = "used" if connection.streams is not None else "new"
        begun = time.monotonic()
        try:
            answer = await asyncio.wait_for(connection.ask(request, over_s), PATIENCE_S + nominal_s)
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError, TimeoutError) as error:
            connection.close()
            self.seen.failures.append(f"{request.method} {request.path}, {used} connection: {error!r}")
            return
        waited = time.monotonic() - begun - nominal_s
        if request is self.site.upload:
            # What is uploaded is worked on before the answer comes; that is not a wait for the server.
            self.seen.longest_upload = max(self.seen.longest_upload, waited)
        elif waited > self.seen.longest:
            self.seen.longest, self.seen.slowest = waited, f"{request.method} {request.path} on a {used} connection"
        if answer[9:12] not in request.right:
            self.seen.failures.append(f"{request.method} {request.path}, {used} connection: {answer[:300]!r}")
            return
        self.seen.answered += 1
        self.seen.posts += bool(request.body)
        self.seen.marks[self.site.mark(answer)] += 1
