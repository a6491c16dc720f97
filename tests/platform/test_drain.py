"""The web server's own edges: heads, slow senders, the probe, the ways out."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable

import pytest

from phiomia.platform import drain
from phiomia.platform.drain import serve_web


async def app(scope, receive, send):
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message["body"]
        if not message["more_body"]:
            break
    if scope["path"] == "/long":
        await asyncio.sleep(0.5)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    if scope["path"] == "/started":
        await asyncio.sleep(0.3)
    await send({"type": "http.response.body", "body": body})


def serve(scenario: Callable[[int], Awaitable[None]], **limits: float) -> float:
    """Runs the scenario against a server in this process; gives the seconds the server lived on afterwards."""

    async def main() -> float:
        listener = socket.create_server(("127.0.0.1", 0))
        ready = asyncio.Event()
        port = listener.getsockname()[1]
        server = asyncio.create_task(serve_web(app, [listener], ready.set, **limits))
        await ready.wait()
        await scenario(port)
        begun = time.monotonic()
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(server, 10)
        return time.monotonic() - begun

    return asyncio.run(main())


async def send(port: int, data: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    await writer.drain()
    return reader, writer


def test_head_beyond_the_limit_is_refused_and_a_large_body_is_not() -> None:
    async def scenario(port: int) -> None:
        reader, _ = await send(port, b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"a" * 70_000)
        assert (await reader.readline()).startswith(b"HTTP/1.1 431")
        head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 300000\r\n\r\n"
        reader, writer = await send(port, head + b"b" * 300_000)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        assert await reader.readexactly(300_000) == b"b" * 300_000
        writer.close()

    serve(scenario)


def test_body_that_does_not_get_on_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain, "PROGRESS_EVERY_S", 0.2)

    async def scenario(port: int) -> None:
        begun = time.monotonic()
        head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 20000\r\n\r\n"
        fast, fast_writer = await send(port, head)
        slow, slow_writer = await send(port, head)
        idle, idle_writer = await send(port, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        for _ in range(4):
            fast_writer.write(b"x" * 5000)
            await asyncio.sleep(0.12)
            slow_writer.write(b"x")
        told = await asyncio.wait_for(slow.read(), 2)
        assert told.startswith(b"HTTP/1.1 408") and b"took too long" in told, "and the connection is closed"
        assert (await fast.readline()).startswith(b"HTTP/1.1 200")
        assert time.monotonic() - begun < 20
        # A connection between two requests owes us nothing.
        idle_writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        await idle.readuntil(b"\r\n\r\n")
        assert (await idle.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        for writer in (fast_writer, slow_writer, idle_writer):
            writer.close()

    serve(scenario)


def test_head_that_does_not_get_on_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain, "PROGRESS_EVERY_S", 0.2)

    async def scenario(port: int) -> None:
        reader, _ = await send(port, b"GET / HTTP/1.1\r\nhost: ")
        assert (await asyncio.wait_for(reader.read(), 2)).startswith(b"HTTP/1.1 408")

    serve(scenario)


def test_answer_in_flight_is_finished_and_the_next_says_close() -> None:
    found: list[bytes] = []

    async def scenario(port: int) -> None:
        async def later() -> None:
            reader, writer = await send(port, b"GET /started HTTP/1.1\r\nhost: x\r\n\r\n")
            found.append(await reader.readuntil(b"\r\n\r\n"))
            await asyncio.sleep(0.5)
            writer.write(b"POST /long HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nok")
            found.append(await reader.readuntil(b"\r\n\r\n"))
            found.append(await reader.read())

        tasks.append(asyncio.create_task(later()))
        await asyncio.sleep(0.1)

    tasks: list[asyncio.Task[None]] = []
    serve(scenario, drain_idle_s=3)
    assert b"connection" not in found[0]
    assert b"connection: close" in found[1]
    assert found[2] == b"ok"


def test_request_beyond_the_limit_is_cut() -> None:
    async def scenario(port: int) -> None:
        connections.append(await send(port, b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n"))
        await asyncio.sleep(0.1)

    connections: list[object] = []
    assert 0.3 < serve(scenario, drain_idle_s=0.1, drain_s=0.4) < 1.5


def test_server_without_connections_ends_at_once() -> None:
    async def scenario(port: int) -> None:
        await asyncio.sleep(0)

    assert serve(scenario) < 0.6


def test_failing_probe_accepts_nothing() -> None:
    async def main() -> None:
        async def probe() -> None:
            raise RuntimeError("no database")

        with socket.create_server(("127.0.0.1", 0)) as listener:
            await serve_web(app, [listener], lambda: pytest.fail("ready"), probe=probe)

    with pytest.raises(RuntimeError, match="no database"):
        asyncio.run(main())
