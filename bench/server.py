"""The real server in processes of its own: started on a free port, stopped again, with the processes of each role."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.load import Address

_ROOT = Path(__file__).parent.parent
_START_SECONDS = 60


class Server:
    """`phiomia serve` on a data directory."""

    def __init__(self, data: Path, database_url: str = "", *, settings: Mapping[str, str] | None = None) -> None:
        self.data = data
        self.port = find_free_port()
        self._settings = {
            "PHIOMIA_DATA": str(data),
            "PHIOMIA_BIND": f"127.0.0.1:{self.port}",
            "PHIOMIA_DATABASE_URL": database_url,
            "PHIOMIA_RATE_LIMITS": "off",
            "PHIOMIA_WEB_WORKERS": "2",
            "PHIOMIA_LOG_LEVEL": "warning",
            **(settings or {}),
        }
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> Address:
        """Where it listens."""
        return ("127.0.0.1", self.port)

    @property
    def pid(self) -> int:
        """The supervisor."""
        assert self.process is not None
        return self.process.pid

    def start(self) -> None:
        """Starts it and waits until every role serves."""
        # Without PYTHON*: whoever forbids bytecode would measure the compiler.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PHIOMIA_", "PYTHON"))}
        environment = inherited | {name: value for name, value in self._settings.items() if value}
        self.data.mkdir(parents=True, exist_ok=True)
        with (self.data / "bench.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "phiomia", "serve"], env=environment, cwd=_ROOT, stdout=log, stderr=log
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._serves():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"the server does not start; see {self.data / 'bench.log'}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stops it."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def restart(self) -> None:
        """Stops it and starts it anew, with empty caches."""
        self.stop()
        self.start()

    def role(self, name: str) -> list[int]:
        """The processes of a role."""
        return [child["pid"] for child in self._children() if child["role"] == name]

    def _serves(self) -> bool:
        children = self._children()
        # After a slow start somebody who only says 503 may still take connections.
        if not children or any(child["state"] != "ready" or child["role"].startswith("stand-in") for child in children):
            return False
        try:
            socket.create_connection(self.address, timeout=1).close()
        except OSError:
            return False
        return True

    def _children(self) -> list[dict[str, Any]]:
        try:
            status = json.loads((self.data / "run" / "status.json").read_text())
        except (FileNotFoundError, ValueError):
            return []
        ours = self.process is not None and status["pid"] == self.process.pid
        return list(status["children"]) if ours else []


@contextmanager
def run_hello() -> Iterator[tuple[Address, int]]:
    """The least that could answer: uvicorn with an application of one line; its address and process."""
    port = find_free_port()
    command = [sys.executable, "-m", "uvicorn", "bench.hello:app", "--port", str(port), "--log-level", "error"]
    process = subprocess.Popen([*command, "--http", "httptools", "--loop", "uvloop"], cwd=_ROOT)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("the baseline does not start") from None
                time.sleep(0.05)
        yield ("127.0.0.1", port), process.pid
    finally:
        process.terminate()
        process.wait()


def find_free_port() -> int:
    """A TCP port on loopback that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
