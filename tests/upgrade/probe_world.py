"""What tests of the prober share: a prober at work, and a proxy that keeps a log of its own."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from phiomia.upgrade.probe import list_targets, start_probe, stop_probe
from phiomia.upgrade.prober.samples import Samples, read_samples
from server import RunningServer


def database_of(server: RunningServer) -> str:
    """The database of a server."""
    return server.database_url or f"sqlite:///{server.data}/phiomia.sqlite3"


class Probe:
    """A prober at work."""

    def __init__(self, path: Path, bind: str, public_url: str, domain: str, database_url: str) -> None:
        self.path = path
        start_probe(path, list_targets(bind, public_url, domain), database_url)

    @property
    def samples(self) -> Samples:
        """What it has seen so far."""
        return read_samples(self.path)

    def counted(self, kind: str) -> int:
        """How many notes of a kind there are."""
        return len(self.samples.of_kind(kind))


@contextlib.contextmanager
def probing(server: RunningServer, path: Path, public_url: str = "") -> Iterator[Probe]:
    """A prober that asks that server; it has ended when this does."""
    domain = public_url.partition("://")[2] or server.bind
    probe = Probe(path, server.bind, public_url, domain, database_of(server))
    try:
        yield probe
    finally:
        stop_probe(path)


def until(condition: Callable[[], bool], what: str, seconds: float = 40.0) -> None:
    """Waits for it."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"never came to pass: {what}"
        time.sleep(0.05)


class Seen(NamedTuple):
    """A request as the proxy saw it."""

    method: str
    path: str
    status: int
    ms: float


class LoggingProxy:
    """Passes connections on, one request each, and remembers them. Every `spoil`th page it answers itself, with 502."""

    def __init__(self, to: Callable[[], int], delay_s: float = 0.0, spoil: int = 0) -> None:
        self._to = to
        self._delay_s = delay_s
        self._spoil = spoil
        self._pages = 0
        self.seen: list[Seen] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.url = f"http://{self.address}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Takes no more."""
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        began = time.monotonic()
        with client, contextlib.suppress(OSError):
            head = client.recv(65536)
            method, path, _ = head.partition(b"\r\n")[0].decode().split(" ")
            status = self._answer(client, path, head)
            self.seen.append(Seen(method, path.partition("?")[0], status, (time.monotonic() - began) * 1000))

    def _answer(self, client: socket.socket, path: str, head: bytes) -> int:
        time.sleep(self._delay_s)
        self._pages += path == "/about"
        if self._spoil and path == "/about" and self._pages % self._spoil == 0:
            client.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return 502
        with socket.create_connection(("127.0.0.1", self._to())) as server:
            server.sendall(head)
            upward = threading.Thread(target=_pump, args=(client, server), daemon=True)
            upward.start()
            first = server.recv(65536)
            client.sendall(first)
            _pump(server, client)
            # A stream ends here when the client hangs up.
            upward.join(1.0)
        return int(first[9:12])


def _pump(source: socket.socket, to: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            to.sendall(data)
    with contextlib.suppress(OSError):
        to.shutdown(socket.SHUT_WR)
