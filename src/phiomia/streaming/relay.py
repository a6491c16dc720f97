"""Carries streams from a web process to the streaming role, for servers that have one port only.

An ASGI application for everything below /api/v1/streaming. Each stream gets a connection of its own to the role.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple

import h11
import msgspec
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
RawHeaders = list[tuple[bytes, bytes]]

READ_SIZE = 64 * 1024
CONNECT_S = 5.0
RESTART = 1012
SLICE = 25
UNAVAILABLE = "Streaming is not available at the moment."
# Those that belong to one connection only; the handshake of the second connection makes its own.
_OF_CONNECTION = {b"connection", b"keep-alive", b"transfer-encoding", b"te", b"trailer", b"upgrade"}
# What is passed on are GETs, whose body is nobody's business.
_OF_BODY = _OF_CONNECTION | {b"content-length", b"expect"}
_OF_HANDSHAKE = {
    b"host",
    b"sec-websocket-extensions",
    b"sec-websocket-key",
    b"sec-websocket-protocol",
    b"sec-websocket-version",
}
log = logging.getLogger(__name__)


class StreamingProxy:
    """Passes streams on to `target`: the path of a unix socket or `host:port`."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._open: dict[asyncio.Task[Any], asyncio.Event] = {}
        self._leaving = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request or WebSocket."""
        outer = _Outer(scope, receive, send)
        is_websocket = scope["type"] == "websocket"
        try:
            if self._leaving:
                raise ConnectionError("this process is ending")
            inner = _Inner(*await self._connect(), asyncio.Event())
        except (OSError, TimeoutError) as error:
            log.warning("a stream can't be passed on: %s", error)
            await (_refuse_websocket if is_websocket else _refuse_http)(outer)
            return
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = inner.leave
        try:
            await (_carry_websocket if is_websocket else _carry_http)(outer, inner)
        finally:
            del self._open[task]
            inner.writer.close()

    async def drain(self, seconds: float) -> None:
        """Ends every stream within the time, in slices: WebSockets with 1012, event streams with their last byte."""
        self._leaving = True
        left = list(self._open.items())
        for number, (_task, leave) in enumerate(left, 1):
            leave.set()
            if number % SLICE == 0:
                await asyncio.sleep(seconds * SLICE / len(left))
        if left:
            await asyncio.wait([task for task, _leave in left], timeout=1.0)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, colon, port = self._target.rpartition(":")
        if colon and port.isdigit():
            opening = asyncio.open_connection(host.strip("[]"), int(port), limit=READ_SIZE)
        else:
            opening = asyncio.open_unix_connection(self._target, limit=READ_SIZE)
        return await asyncio.wait_for(opening, CONNECT_S)


class _Outer(NamedTuple):
    """The client's side, as ASGI has it."""

    scope: Scope
    receive: Receive
    send: Send


class _Inner(NamedTuple):
    """The role's side; `leave` is set when both have to end."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    leave: asyncio.Event


async def _refuse_http(outer: _Outer) -> None:
    body = msgspec.json.encode({"error": UNAVAILABLE})
    headers = [(b"content-type", b"application/json; charset=utf-8"), (b"retry-after", b"5")]
    headers += [(b"access-control-allow-origin", b"*"), (b"content-length", str(len(body)).encode())]
    await outer.send({"type": "http.response.start", "status": 503, "headers": headers})
    await outer.send({"type": "http.response.body", "body": body})


async def _refuse_websocket(outer: _Outer) -> None:
    await outer.receive()
    await _deny(outer, 503, [(b"x-error-message", UNAVAILABLE.encode())])


async def _deny(outer: _Outer, status: int, headers: RawHeaders) -> None:
    await outer.send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await outer.send({"type": "websocket.http.response.body", "body": b""})


def _target_of(scope: Scope) -> str:
    query = scope["query_string"].decode("latin-1")
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").partition("?")[0]
    return f"{path}?{query}" if query else path


async def _first_to_end(*work: Awaitable[Any]) -> None:
    """Runs all until one ends; what it raised is raised here."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


async def _carry_http(outer: _Outer, inner: _Inner) -> None:
    http = h11.Connection(h11.CLIENT)
    headers = [(name, value) for name, value in outer.scope["headers"] if name not in _OF_BODY]
    request = h11.Request(method=outer.scope["method"], target=_target_of(outer.scope), headers=headers)
    inner.writer.write((http.send(request) or b"") + (http.send(h11.EndOfMessage()) or b""))
    begun = asyncio.Event()
    await _first_to_end(_answer(http, inner.reader, outer.send, begun), _client_gone(outer.receive), inner.leave.wait())
    if begun.is_set():
        await outer.send({"type": "http.response.body", "body": b"", "more_body": False})
    else:
        await _refuse_http(outer)


async def _answer(http: h11.Connection, reader: asyncio.StreamReader, send: Send, begun: asyncio.Event) -> None:
    async for event in _http_events(http, reader):
        if isinstance(event, h11.Response):
            headers = [(name, value) for name, value in event.headers if name not in _OF_CONNECTION]
            begun.set()
            await send({"type": "http.response.start", "status": event.status_code, "headers": headers})
        elif isinstance(event, h11.Data):
            await send({"type": "http.response.body", "body": bytes(event.data), "more_body": True})


async def _http_events(http: h11.Connection, reader: asyncio.StreamReader) -> AsyncIterator[h11.Event]:
    while True:
        try:
            event = http.next_event()
        except h11.RemoteProtocolError:
            return  # the role went in the middle of a chunk
        if event is h11.NEED_DATA:
            try:
                http.receive_data(await reader.read(READ_SIZE))
            except OSError:
                return
        elif isinstance(event, h11.Response | h11.Data):
            yield event
        else:
            return


async def _client_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class _Talk:
    """The WebSocket to the role, and how the client's will end."""

    def __init__(self, inner: _Inner) -> None:
        self.protocol = WSConnection(ConnectionType.CLIENT)
        self.reader = inner.reader
        self.writer = inner.writer
        self.is_open = False
        self.is_over = False
        self.code = RESTART
        self.reason = ""

    def say(self, event: Event) -> None:
        """Sends, unless the connection has ended."""
        try:
            self.writer.write(self.protocol.send(event))
        except LocalProtocolError:
            return

    async def events(self) -> AsyncIterator[Event]:
        """What the role says, until it has nothing more to say."""
        while True:
            try:
                data = await self.reader.read(READ_SIZE)
                self.protocol.receive_data(data or None)
            except (RemoteProtocolError, LocalProtocolError, OSError):
                return
            for event in self.protocol.events():
                yield event
            if not data:
                return


async def _carry_websocket(outer: _Outer, inner: _Inner) -> None:
    await outer.receive()
    talk = _Talk(inner)
    dropped = _OF_CONNECTION | _OF_HANDSHAKE
    headers = [(name, value) for name, value in outer.scope["headers"] if name not in dropped]
    subprotocols = list(outer.scope.get("subprotocols") or ())
    talk.say(Request("streaming", _target_of(outer.scope), extra_headers=headers, subprotocols=subprotocols))
    await _first_to_end(_to_client(talk, outer), _to_role(talk, outer), inner.leave.wait())
    if talk.is_over:
        return
    if talk.is_open:
        await outer.send({"type": "websocket.close", "code": talk.code, "reason": talk.reason})
    else:
        await _deny(outer, 503, [(b"x-error-message", UNAVAILABLE.encode())])


async def _to_client(talk: _Talk, outer: _Outer) -> None:
    texts: list[str] = []
    async for event in talk.events():
        if isinstance(event, AcceptConnection):
            talk.is_open = True
            await outer.send({"type": "websocket.accept", "subprotocol": event.subprotocol})
        elif isinstance(event, RejectConnection):
            headers = [(name, value) for name, value in event.headers if name not in _OF_CONNECTION]
            talk.is_over = True
            await _deny(outer, event.status_code, headers)
            return
        elif isinstance(event, TextMessage):
            texts.append(event.data)
            if event.message_finished:
                await outer.send({"type": "websocket.send", "text": "".join(texts)})
                texts.clear()
        elif isinstance(event, Ping):
            talk.say(event.response())
        elif isinstance(event, CloseConnection):
            _note_close(talk, event)
            return


def _note_close(talk: _Talk, event: CloseConnection) -> None:
    talk.say(event.response())
    # A connection that broke off has no code that may be sent on: the role has gone.
    talk.code = event.code if event.code not in (1005, 1006, 1015) else RESTART
    talk.reason = event.reason or ""


async def _to_role(talk: _Talk, outer: _Outer) -> None:
    while True:
        message = await outer.receive()
        if message["type"] == "websocket.disconnect":
            talk.is_over = True
            talk.say(CloseConnection(1000))
            return
        text, data = message.get("text"), message.get("bytes")
        talk.say(TextMessage(text) if text is not None else BytesMessage(data or b""))
        await talk.writer.drain()
