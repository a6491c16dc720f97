"""`python -m bench.stream_returns`: thousands of streams end at once, and their apps come back as apps do.

The streaming process is killed, the worst that can happen to it. A third of the apps connects again as masto.js does
(after 1, 2, 4, … seconds), a third as Mastodon.py (at once, then every five seconds), a third as Mastodon's own web app
(after a random time below 0.2, 0.4, 0.8, … seconds; it polls meanwhile, first within 40 seconds, then every 20 to 40,
and once it is back it asks for what it missed). Somebody uses the API at a steady pace before and meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import uvloop

from bench.figures import Figure
from bench.load import Address
from bench.report import conclude
from bench.seed import Facts, seed
from bench.server import Server

MOST_BACK_S = 120.0
MOST_SLOWER = 2.0
_PATIENCE_S = 180.0
_KEY = "dGhlIHNhbXBsZSBub25jZQ=="
_UPGRADE = f"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {_KEY}\r\n"


class Scene:
    """What everybody sees and notes."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.welcomed: list[float] = []
        self.refused = 0
        self.polls: list[float] = []
        self.failed: list[str] = []
        self.open = 0
        self.newest = "0"
        self.back = asyncio.Event()
        self.expected = 0

    def note_open(self) -> None:
        """One more stream."""
        self.welcomed.append(time.perf_counter())
        self.open += 1
        if self.open == self.expected:
            self.back.set()


class App(asyncio.Protocol):
    """An app that listens, whenever it can."""

    kind = "masto.js"

    def __init__(self, scene: Scene, token: str) -> None:
        self.scene = scene
        self.token = token
        self.attempts = 0
        self.is_open = False
        self.head = b""
        self.tasks: set[asyncio.Task[None]] = set()

    @property
    def request(self) -> bytes:
        """How it asks for its stream."""
        return self._ask("?stream=user", _UPGRADE)

    def delay_s(self) -> float:
        """The seconds before the next attempt."""
        return float(2**self.attempts)

    def connect(self) -> None:
        """Tries once."""
        self.attempts += 1
        self.start(self._connect())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asks for the stream."""
        self.head = b""
        cast(asyncio.Transport, transport).write(self.request)

    def data_received(self, data: bytes) -> None:
        """Reads the head of the answer, and nothing of what comes after."""
        if self.is_open:
            return
        self.head += data
        if b"\r\n\r\n" not in self.head:
            return
        if self.head.split(b" ", 2)[1] in (b"101", b"200"):
            self.is_open = True
            self.attempts = 0
            self.scene.note_open()
            self.opened()
        else:
            self.scene.refused += 1

    def connection_lost(self, exc: Exception | None) -> None:
        """Comes back later."""
        if self.is_open:
            self.is_open = False
            self.scene.open -= 1
            self.closed()
        asyncio.get_running_loop().call_later(self.delay_s(), self.connect)

    def opened(self) -> None:
        """The stream is there."""

    def closed(self) -> None:
        """The stream has ended."""

    def start(self, work: asyncio._CoroutineLike[None]) -> None:
        """Does something beside."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _ask(self, rest: str, more: str = "") -> bytes:
        head = f"GET /api/v1/streaming{rest} HTTP/1.1\r\nHost: bench.example\r\n{more}"
        return f"{head}Authorization: Bearer {self.token}\r\n\r\n".encode()

    async def _connect(self) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: self, *self.scene.address)
        except OSError:
            asyncio.get_running_loop().call_later(self.delay_s(), self.connect)


class PythonApp(App):
    """Comes back at once, then every five seconds."""

    kind = "Mastodon.py"

    @property
    def request(self) -> bytes:
        """An event stream."""
        return self._ask("/user")

    def delay_s(self) -> float:
        """Nothing the first time."""
        return 5.0 if self.attempts else 0.0


class WebApp(App):
    """Comes back after a random time, and polls meanwhile."""

    kind = "web"
    poll: asyncio.TimerHandle | None = None
    all_attempts = 0

    def delay_s(self) -> float:
        """Twice as long each time; this one never begins anew."""
        self.all_attempts += 1
        return float(random.random() * 2**self.all_attempts * 0.1)

    def opened(self) -> None:
        """Asks for what it missed."""
        if self.poll is not None:
            self.poll.cancel()
            self.poll = None
            self.start(self._ask_for_news())

    def closed(self) -> None:
        """Polls until the stream is back."""
        self._poll_in(random.random() * 40)

    def _poll_in(self, seconds: float) -> None:
        self.poll = asyncio.get_running_loop().call_later(seconds, lambda: self.start(self._poll()))

    async def _poll(self) -> None:
        await self._ask_for_news()
        if not self.is_open:
            self._poll_in(random.uniform(20, 40))

    async def _ask_for_news(self) -> None:
        path = f"/api/v1/timelines/home?since_id={self.scene.newest}"
        self.scene.polls.append(await fetch(self.scene, path, self.token))


async def fetch(scene: Scene, path: str, token: str) -> float:
    """The seconds that a page takes, over a connection of its own."""
    begun = time.perf_counter()
    try:
        reader, writer = await asyncio.open_connection(*scene.address)
        request = (
            f"GET {path} HTTP/1.1\r\nHost: bench.example\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n"
        )
        writer.write(f"{request}\r\n".encode())
        answer = await reader.read(-1)
        writer.close()
    except OSError as error:
        scene.failed.append(repr(error))
    else:
        if not answer.startswith(b"HTTP/1.1 200"):
            scene.failed.append(repr(answer[:200]))
    return time.perf_counter() - begun


class User:
    """Uses the API at a steady pace, however long answers take."""

    def __init__(self, scene: Scene, tokens: Sequence[str], every_s: float) -> None:
        self.scene = scene
        self.taken: list[float] = []
        self._tokens = tokens
        self._every_s = every_s

    async def use(self) -> None:
        """Until cancelled."""
        paths = ("/api/v1/timelines/home?limit=20", "/api/v1/notifications?limit=20", "/api/v1/timelines/public")
        async with asyncio.TaskGroup() as group:
            number = 0
            while True:
                group.create_task(self._ask(paths[number % len(paths)], self._tokens[number % len(self._tokens)]))
                number += 1
                await asyncio.sleep(self._every_s)

    def take(self) -> list[float]:
        """What answers took since it was asked last."""
        taken, self.taken = self.taken, []
        return taken

    async def _ask(self, path: str, token: str) -> None:
        self.taken.append(await fetch(self.scene, path, token))


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 1 with --check when a budget is not kept."""
    options = _parse(arguments)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="phiomia-returns-", dir="/tmp") as folder:
        data = Path(folder)
        facts = asyncio.run(seed(f"sqlite:///{data / 'phiomia.sqlite3'}", options.statuses))
        server = Server(data, settings={"PHIOMIA_STREAMS_HANDSHAKES_PER_SECOND": str(options.rate)})
        server.start()
        try:
            figures = uvloop.run(_measure(server, facts, options))
        finally:
            server.stop()
    return conclude(figures, f"{options.apps:,} apps come back", load, options)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.stream_returns", description=__doc__)
    parser.add_argument("--apps", type=int, default=4000)
    parser.add_argument("--rate", type=float, default=100.0, help="the setting streams.handshakes_per_second")
    parser.add_argument("--every", type=float, default=0.1, metavar="SECONDS", help="between two uses of the API")
    parser.add_argument("--statuses", type=int, default=5000, help="how many to seed")
    parser.add_argument("--json", type=Path, help="write the figures to a file, too")
    parser.add_argument("--check", action="store_true", help="fail when a budget is not kept")
    return parser.parse_args(arguments)


async def _measure(server: Server, facts: Facts, options: argparse.Namespace) -> list[Figure]:
    scene = Scene(server.address)
    scene.newest = facts.some[-1]
    scene.expected = options.apps
    kinds = (App, PythonApp, WebApp)
    apps = [kinds[place % 3](scene, facts.tokens[place % len(facts.tokens)]) for place in range(options.apps)]
    for app in apps:
        app.connect()
    async with asyncio.timeout(_PATIENCE_S):
        await scene.back.wait()
    user = User(scene, facts.tokens, options.every)
    using = asyncio.create_task(user.use())
    await asyncio.sleep(2)
    user.take()
    await asyncio.sleep(10)
    before = user.take()
    scene.back.clear()
    scene.welcomed.clear()
    scene.refused = 0
    begun = time.perf_counter()
    for pid in server.role("streaming"):
        os.kill(pid, signal.SIGKILL)
    await asyncio.sleep(1)
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await scene.back.wait()
    except TimeoutError:
        scene.failed.append(f"{options.apps - scene.open} did not come back")
    took = time.perf_counter() - begun
    meanwhile = user.take()
    using.cancel()
    return _judge(scene, options, before, meanwhile, took)


def _judge(
    scene: Scene, options: argparse.Namespace, before: list[float], meanwhile: list[float], took: float
) -> list[Figure]:
    busiest = max(Counter(int(at) for at in scene.welcomed).values())
    usual, p95 = _p95(before), _p95(meanwhile)
    polls = {"polls": len(scene.polls), "p95_ms": round(_p95(scene.polls))} if scene.polls else {}
    more = {"refused": scene.refused, "failed": len(scene.failed), **polls}
    # Who waits in the queue is welcomed on time, give or take what the client needs to notice.
    most = options.rate * 1.1 + 5 if options.rate else None
    return [
        Figure("returns", "streams begun in the busiest second", busiest, "", most),
        Figure("returns", "API meanwhile", p95, "ms p95", MOST_SLOWER * usual, more={"before": round(usual, 1)}),
        Figure("returns", "everybody is back", took, "s", MOST_BACK_S, more=more),
    ]


def _p95(taken: Sequence[float]) -> float:
    ordered = sorted(taken)
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))] * 1000


if __name__ == "__main__":
    sys.exit(main())
