"""nginx in front of a server, as most servers have it: with connections of its own that stay open."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.server import find_free_port
from bench.traffic import Address

_START_SECONDS = 20
CONFIGURATION = """
{user}
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream phiomia {{ server 127.0.0.1:{to}; keepalive 64; }}
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        client_max_body_size 64m;
        location / {{
            proxy_pass http://phiomia;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_request_buffering off;
            # It would hide the loss of a GET by asking again.
            proxy_next_upstream off;
        }}
    }}
}}
"""


def find_nginx() -> str:
    """Where nginx is; empty when it isn't installed."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin") or ""


@contextmanager
def run_nginx(folder: Path, to: int) -> Iterator[Address]:
    """Passes on to a port of this machine; gives its own address."""
    folder.mkdir(parents=True)
    port = find_free_port()
    user = "user root;" if os.getuid() == 0 else ""
    configuration = folder / "nginx.conf"
    configuration.write_text(CONFIGURATION.format(folder=folder, to=to, port=port, user=user))
    with (folder / "stderr").open("wb") as log:
        process = subprocess.Popen([find_nginx(), "-p", str(folder), "-c", str(configuration)], stderr=log)
    try:
        _await_port(port, process)
        yield ("127.0.0.1", port)
    finally:
        process.terminate()
        process.wait()


def _await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("nginx does not start") from None
            time.sleep(0.05)
        else:
            return
