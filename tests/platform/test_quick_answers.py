"""The shorter way through framework and server gives the same answers as the longer one."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from email.utils import parsedate_to_datetime
from typing import Any

import falcon
import uvicorn
from uvicorn.server import ServerState

from phiomia.platform.asgi import QuickApp
from phiomia.platform.bodies import only_whole
from phiomia.platform.drain import GuardedProtocol


class _Pages:
    QUICK = True

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, name: str) -> None:
        if name == "nothing":
            resp.status = 204
        elif name == "empty":
            resp.status = 404
        elif name == "slow":
            await asyncio.sleep(0.05)
            resp.data = b"slow"
        else:
            resp.set_header("X-Name", req.get_param("header") or name)
            resp.data = b"x" * int(req.get_param("size") or 0) or name.encode()

    async def on_post(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, name: str) -> None:
        resp.data = await req.stream.read()


Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def _play(scene: Callable[[Callable[[], Awaitable[Line]]], Awaitable[None]], *, idle_s: int = 30) -> None:
    async def run() -> None:
        app = QuickApp()
        app.add_route("/pages/{name}", _Pages())
        config: Any = uvicorn.Config(
            only_whole(app), ws="none", lifespan="off", interface="asgi3", log_config=None, timeout_keep_alive=idle_s
        )
        config.load()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: GuardedProtocol(config, ServerState(), {}), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            await scene(lambda: asyncio.open_connection("127.0.0.1", port))
        finally:
            server.close()

    asyncio.run(asyncio.wait_for(run(), 30))


async def _ask(line: Line, request: str) -> tuple[int, dict[str, str], bytes]:
    line[1].write(request.encode())
    return await _read(line[0])


async def _read(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = dict(text.lower().split(": ", 1) for text in head[1:] if text)
    return int(head[0].split()[1]), headers, await reader.readexactly(int(headers.get("content-length", 0)))


def _get(path: str, *headers: str, version: str = "1.1") -> str:
    return "\r\n".join([f"GET {path} HTTP/{version}", "Host: here", *headers, "", ""])


def test_answers_on_one_connection() -> None:
    async def scene(connect: Callable[[], Awaitable[Line]]) -> None:
        line = await connect()
        for path in ("/pages/one", "/pages/one/", "/pages/one?size=0"):
            status, headers, body = await _ask(line, _get(path))
            assert (status, headers["x-name"], body) == (200, "one", b"one")
            assert "connection" not in headers
            assert abs(parsedate_to_datetime(headers["date"]).timestamp() - time.time()) < 30
        assert (await _ask(line, _get("/pages/large?size=300000")))[2] == b"x" * 300_000
        status, headers, body = await _ask(line, _get("/pages/nothing"))
        assert (status, "content-length" in headers) == (204, False)
        status, headers, body = await _ask(line, _get("/pages/empty"))
        assert (status, headers["content-length"]) == (404, "0")
        post = "POST /pages/one HTTP/1.1\r\nHost: here\r\nContent-Length: 4\r\n\r\nbody"
        assert (await _ask(line, post))[2] == b"body"
        assert (await _ask(line, _get("/elsewhere")))[0] == 404

    _play(scene)


def test_answers_come_in_the_order_of_the_requests() -> None:
    async def scene(connect: Callable[[], Awaitable[Line]]) -> None:
        line = await connect()
        line[1].write((_get("/pages/slow") + _get("/pages/two") + _get("/pages/three")).encode())
        assert [(await _read(line[0]))[2] for _ in range(3)] == [b"slow", b"two", b"three"]

    _play(scene)


def test_who_wants_the_connection_closed_is_told_so() -> None:
    async def scene(connect: Callable[[], Awaitable[Line]]) -> None:
        for request in (_get("/pages/one", "Connection: close"), _get("/pages/one", version="1.0")):
            line = await connect()
            _, headers, body = await _ask(line, request)
            assert (headers["connection"], body) == ("close", b"one")
            assert await line[0].read() == b""

    _play(scene)


def test_a_header_cannot_end_the_head() -> None:
    async def scene(connect: Callable[[], Awaitable[Line]]) -> None:
        line = await connect()
        line[1].write(_get("/pages/one?header=a%0D%0AX-Evil:%20b").encode())
        assert await line[0].read() == b""
        assert (await _ask(await connect(), _get("/pages/one?header=caf%C3%A9")))[0] == 200

    _play(scene)


def test_only_an_idle_connection_is_closed() -> None:
    async def scene(connect: Callable[[], Awaitable[Line]]) -> None:
        idle, used = await connect(), await connect()
        await _ask(idle, _get("/pages/one"))
        began = time.monotonic()
        closing = asyncio.ensure_future(idle[0].read())
        while not closing.done():
            assert (await _ask(used, _get("/pages/one")))[2] == b"one"
            await asyncio.sleep(0.05)
        assert time.monotonic() - began > 0.9
        assert (await _ask(used, _get("/pages/one")))[2] == b"one"
        silent = await connect()
        assert await silent[0].read() == b""

    _play(scene, idle_s=1)
