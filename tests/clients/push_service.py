"""A push service with a certificate: what a subscription's endpoint gets, readable with the subscriber's keys."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from api.test_push import Device


@dataclass
class PushService:
    """What came, by the last part of the endpoint."""

    url: str
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    def read(self, name: str, device: Device) -> list[dict[str, Any]]:
        """The messages of an endpoint, decrypted."""
        return [device.read(headers, body) for where, headers, body in list(self.got) if where == f"/push/{name}"]


@contextmanager
def run_push_service(context: ssl.SSLContext) -> Iterator[PushService]:
    """Listens with HTTPS on a free port of this machine."""
    service = PushService("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            service.got.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(201)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    service.url = f"https://127.0.0.1:{server.server_address[1]}/push"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
