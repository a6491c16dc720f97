"""A connection before it is a stream: its request head, and the answer when there is no stream to be had."""

import asyncio
import os
import random
from collections.abc import Callable

import h11
import msgspec
from wsproto.connection import ConnectionType
from wsproto.events import AcceptConnection
from wsproto.handshake import H11Handshake
from wsproto.utilities import RemoteProtocolError

from phiomia.streaming.request import StreamRequest, read_request
from phiomia.streaming.state import ClientState
from phiomia.streaming.wire import Wire

MAX_HEAD = 16 * 1024
RETRY_SECONDS = (3, 15)

Headers = list[tuple[str, str]]
CORS: Headers = [("access-control-allow-origin", "*")]
ALLOWED: Headers = [("allow", "GET, OPTIONS")]
PREFLIGHT: Headers = [
    *CORS,
    *ALLOWED,
    ("access-control-allow-methods", "GET"),
    ("access-control-allow-headers", "Authorization, Last-Event-ID, Cache-Control"),
    ("access-control-max-age", "86400"),
]
EVENT_STREAM: Headers = [
    *CORS,
    ("content-type", "text/event-stream"),
    ("cache-control", "private, no-store"),
    ("x-accel-buffering", "no"),
]


class Arrival:
    """Reads one request head within limits of size and time, then waits for what becomes of it."""

    def __init__(self, wire: Wire, arrived: Callable[["Arrival", StreamRequest], None], head_s: float) -> None:
        self.wire = wire
        self.is_gone = False
        self.heard = b""
        self._arrived = arrived
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        self._head: h11.Request | None = None
        self._late = asyncio.get_running_loop().call_later(head_s, self._give_up)
        wire.owner = self
        wire.read_on()

    @property
    def trailing(self) -> bytes:
        """What came behind the head."""
        return self._http.trailing_data[0]

    def received(self, data: bytes) -> None:
        """Parses until the head is complete."""
        self.heard += data
        try:
            self._http.receive_data(data)
            event = self._http.next_event()
        except h11.RemoteProtocolError as error:
            self.refuse(error.error_status_hint, "This is not a request that can be understood.")
            return
        if isinstance(event, h11.Request):
            self._late.cancel()
            self.wire.pause()
            self._head = event
            self._arrived(self, read_request(event))

    def ended(self) -> None:
        """The client has gone."""
        self.is_gone = True
        self._late.cancel()

    def state(self) -> ClientState:
        """What another process needs to begin with this connection anew; as long as nothing was answered."""
        return ClientState(
            kind="arrival",
            inode=os.fstat(self.wire.sock.fileno()).st_ino,
            account_id=0,
            token_id=0,
            scopes=[],
            languages=None,
            channels=[],
            unread=self.heard,
        )

    def detach(self) -> None:
        """Leaves the socket open for another process."""
        self.is_gone = True
        self._late.cancel()
        self.wire.detach()

    def overflowed(self) -> None:
        """A client that sends but does not read gets no answer."""
        self.wire.abort()

    def answer(self, status: int, headers: Headers, body: bytes = b"") -> None:
        """Answers and closes."""
        self._late.cancel()
        framing = [("content-length", str(len(body)))] if body or status != 204 else []
        self.wire.write(self._response(status, [*headers, *framing, ("connection", "close")]) + body)
        self.wire.finish()

    def refuse(self, status: int, message: str) -> None:
        """Answers with an error in JSON."""
        body = msgspec.json.encode({"error": message})
        headers = [*CORS, *_hint(status), ("content-type", "application/json; charset=utf-8")]
        self.answer(status, headers, body)

    def refuse_websocket(self, status: int, message: str) -> None:
        """Answers an upgrade with an error: no body, the words in a header."""
        self.answer(status, [*_hint(status), ("x-error-message", message)])

    def begin_event_stream(self, *, chunked: bool) -> None:
        """Sends the head of an event stream."""
        framing = [("transfer-encoding", "chunked")] if chunked else [("connection", "close")]
        self.wire.write(self._response(200, [*EVENT_STREAM, *framing]))

    def begin_websocket(self, subprotocol: str | None) -> bool:
        """Agrees to the upgrade; refuses it and gives False when the handshake is wrong."""
        assert self._head is not None
        handshake = H11Handshake(ConnectionType.SERVER)
        try:
            handshake.initiate_upgrade_connection(list(self._head.headers), self._head.target)
        except (RemoteProtocolError, h11.LocalProtocolError, UnicodeError):
            self.answer(426, [("sec-websocket-version", "13"), ("x-error-message", "The handshake is not valid.")])
            return False
        self.wire.write(handshake.send(AcceptConnection(subprotocol=subprotocol)))
        return True

    def _give_up(self) -> None:
        self.refuse(408, "The request took too long.")

    def _response(self, status: int, headers: Headers) -> bytes:
        # A parser that has given up on the request can't write the answer to it: a fresh one can.
        http = h11.Connection(h11.SERVER)
        if self._head is not None:
            http = self._http
        return http.send(h11.Response(status_code=status, headers=headers)) or b""


def _hint(status: int) -> Headers:
    if status == 405:
        return ALLOWED
    # Not everybody at once.
    return [("retry-after", str(random.randint(*RETRY_SECONDS)))] if status == 503 else []
