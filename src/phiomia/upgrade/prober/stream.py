"""One WebSocket as an app has it, read from a thread of its own."""

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)

from phiomia.upgrade.prober.ask import PATIENCE_S, tls

TICK_S = 0.25
_READ = 64 * 1024


class Refused(Exception):
    """The server answered with another status than 101."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


class Dropped(Exception):
    """The connection has ended though nobody of us ended it."""


class Listener:
    """An open stream."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        parts = urlsplit(url)
        self._sock = _connect(parts.scheme, parts.hostname or "", parts.port)
        self._protocol = WSConnection(ConnectionType.CLIENT)
        self._text = ""
        more = [(name.encode(), value.encode()) for name, value in headers.items() if name != "Host"]
        try:
            target = f"{parts.path}?{parts.query}"
            self._send(Request(host=headers.get("Host", parts.netloc), target=target, extra_headers=more))
            self._wait_accepted()
        except BaseException:
            self._sock.close()
            raise
        self._sock.settimeout(TICK_S)

    def read(self) -> list[str]:
        """The messages that came within a moment. Raises Dropped."""
        try:
            data = self._sock.recv(_READ)
        except (TimeoutError, ssl.SSLWantReadError):
            return []
        except OSError as error:
            raise Dropped(str(error)) from error
        if not data:
            raise Dropped("the server hung up")
        return list(self._take(data))

    def close(self) -> None:
        """Says good-bye."""
        with contextlib.suppress(OSError):
            self._send(CloseConnection(code=1000))
        self._sock.close()

    def _take(self, data: bytes) -> Iterator[str]:
        self._protocol.receive_data(data)
        for event in self._protocol.events():
            if isinstance(event, TextMessage):
                self._text += event.data
                if event.message_finished:
                    yield self._text
                    self._text = ""
            elif isinstance(event, Ping):
                self._send(event.response())
            elif isinstance(event, CloseConnection):
                raise Dropped(f"closed with {event.code} {event.reason or ''}".strip())

    def _wait_accepted(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            data = self._sock.recv(_READ)
            if not data:
                raise Dropped("the server hung up")
            self._protocol.receive_data(data)
            for event in self._protocol.events():
                if isinstance(event, RejectConnection):
                    raise Refused(event.status_code)
                if isinstance(event, AcceptConnection):
                    return
                if not isinstance(event, RejectData):
                    raise Dropped(f"an answer that is none: {event!r}")
        raise TimeoutError("no answer to the handshake")

    def _send(self, event: Event) -> None:
        self._sock.sendall(self._protocol.send(event))


def _connect(scheme: str, host: str, port: int | None) -> socket.socket:
    sock = socket.create_connection((host, port or (443 if scheme == "https" else 80)), timeout=PATIENCE_S)
    return tls().wrap_socket(sock, server_hostname=host) if scheme == "https" else sock
