"""Stands between clients and a server, hands everything on as it is, and remembers what was answered.

with run_recorder(port, server.bind) as recorder:
    requests.get(f"{recorder.url}/api/v2/instance")
assert recorder.answers[0].status == 200
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

import aiohttp
import pytest
from aiohttp import web

START_SECONDS = 30
# What belongs to one connection only, and what is worked out again for the next one.
_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade"}
_SOCKET = {"sec-websocket-key", "sec-websocket-version", "sec-websocket-extensions"}


class Answer(NamedTuple):
    """What was asked, and the status that came back."""

    method: str
    path: str
    status: int

    def __str__(self) -> str:
        return f"{self.status} {self.method} {self.path}"


@dataclass
class Recorder:
    """What went through. What a story foresees that the server refuses is kept apart."""

    url: str
    upstream: str
    answers: list[Answer] = field(default_factory=list)
    foreseen: set[int] = field(default_factory=set)

    def faults(self, start: int) -> list[str]:
        """Refusals, failures and silence since the answer `start` that nobody has foreseen."""
        recent = list(enumerate(self.answers))[start:]
        return [str(one) for at, one in recent if at not in self.foreseen and not 100 <= one.status < 400]

    def excuse_streams(self, start: int) -> None:
        """Since the answer `start` there is no token any more: who tries to get a stream back has to be refused."""
        recent = list(enumerate(self.answers))[start:]
        self.foreseen.update(at for at, one in recent if (one.status, one.path) == (401, "/api/v1/streaming"))

    @contextmanager
    def refusing(self, status: int) -> Iterator[None]:
        """The server must refuse what is done in it with that status, and whoever does it must notice."""
        before = len(self.answers)
        with pytest.raises(Exception):  # noqa: B017 (each client has errors of its own; the status is checked below)
            yield
        refused = [at for at in range(before, len(self.answers)) if self.answers[at].status >= 400]
        assert [self.answers[at].status for at in refused] == [status]
        self.foreseen.update(refused)

    async def take(self, request: web.Request) -> web.StreamResponse:
        """Hands one request on."""
        position = len(self.answers)
        self.answers.append(Answer(request.method, request.path, 0))
        session: aiohttp.ClientSession = request.app["session"]
        socket = request.headers.get("upgrade", "").lower() == "websocket"
        answer = await (self._join(request, session, position) if socket else self._hand_on(request, session, position))
        return answer

    def _note(self, position: int, status: int) -> None:
        self.answers[position] = self.answers[position]._replace(status=status)

    async def _hand_on(self, request: web.Request, session: aiohttp.ClientSession, position: int) -> web.StreamResponse:
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in _HOP]
        async with session.request(
            request.method,
            f"http://{self.upstream}{request.raw_path}",
            headers=headers,
            data=await request.read(),
            allow_redirects=False,
        ) as came:
            self._note(position, came.status)
            answer = web.StreamResponse(status=came.status, reason=came.reason)
            for name, value in came.headers.items():
                if name.lower() not in _HOP:
                    answer.headers.add(name, value)
            await answer.prepare(request)
            with contextlib.suppress(ConnectionError):  # whoever listened to a stream has left
                async for chunk in came.content.iter_any():
                    await answer.write(chunk)
                await answer.write_eof()
            return answer

    async def _join(self, request: web.Request, session: aiohttp.ClientSession, position: int) -> web.StreamResponse:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP | _SOCKET}
        protocols = [one.strip() for one in headers.pop("Sec-WebSocket-Protocol", "").split(",") if one.strip()]
        address = f"http://{self.upstream}{request.raw_path}"
        try:
            joined = await session.ws_connect(address, headers=headers, protocols=protocols)
        except aiohttp.WSServerHandshakeError as refused:
            self._note(position, refused.status)
            return web.Response(status=refused.status)
        async with joined as server:
            self._note(position, 101)
            client = web.WebSocketResponse(protocols=[server.protocol] if server.protocol else ())
            await client.prepare(request)
            ways = [asyncio.ensure_future(_pour(client, server)), asyncio.ensure_future(_pour(server, client))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await client.close()
            return client


Socket = web.WebSocketResponse | aiohttp.ClientWebSocketResponse


async def _pour(source: Socket, target: Socket) -> None:
    async for message in source:
        if message.type is aiohttp.WSMsgType.TEXT:
            await target.send_str(message.data)


@contextmanager
def run_recorder(port: int, upstream: str) -> Iterator[Recorder]:
    """Listens on that port of this machine, in a thread of its own."""
    recorder = Recorder(f"http://127.0.0.1:{port}", upstream)
    loop = asyncio.new_event_loop()
    listening, stop = threading.Event(), asyncio.Event()

    async def serve() -> None:
        app = web.Application(client_max_size=1 << 26)
        app.router.add_route("*", "/{path:.*}", recorder.take)
        timeout = aiohttp.ClientTimeout(total=None)
        jar = aiohttp.DummyCookieJar()
        async with aiohttp.ClientSession(auto_decompress=False, timeout=timeout, cookie_jar=jar) as session:
            app["session"] = session
            runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", port).start()
            listening.set()
            await stop.wait()
            await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    try:
        assert listening.wait(START_SECONDS)
        yield recorder
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(START_SECONDS)
