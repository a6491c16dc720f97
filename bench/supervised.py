"""A supervisor on releases that change: the toy's, or the application's as its operator starts it."""

from __future__ import annotations

import json
import os
import random
import signal
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.releases import SOURCE
from bench.server import find_free_port
from bench.traffic import Request, Site
from phiomia.platform.notify import read_status
from phiomia.platform.topology import PYTHON, Child, Settings

_START_SECONDS = 90
_START = (
    "import json, sys; from phiomia.platform import handover, topology; "
    "handover.replace_process(topology.load_settings(json.loads(sys.argv[1])))"
)
TOY_SLOW_S = 0.5
TOY = Site(
    gets=(Request("/"),),
    post=Request("/", b"x" * 1500),
    slow=Request("/slow"),
    slow_s=TOY_SLOW_S,
    upload=Request("/", b"u" * 200_000),
    mark=lambda answer: answer.lower().partition(b"x-runs: ")[2].partition(b"\r\n")[0].decode(),
)
_BOUNDARY = "bench-bench-bench"


def describe_application(token: str) -> Site:
    """What to ask Phiomia for, with the token of somebody who may upload."""
    form = b"client_name=Bench&redirect_uris=urn:ietf:wg:oauth:2.0:oob&scopes=read"
    instance = Request("/api/v2/instance")
    return Site(
        gets=(instance, Request("/api/v1/instance"), Request("/api/v1/timelines/public")),
        post=Request("/api/v1/apps", form, "application/x-www-form-urlencoded"),
        slow=instance,
        upload=Request(
            "/api/v2/media", _upload(), f"multipart/form-data; boundary={_BOUNDARY}", token, (b"200", b"202")
        ),
        mark=lambda answer: answer.partition(b"Phiomia ")[2].partition(b")")[0].decode() or "-",
    )


def _upload() -> bytes:
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n'
    return f"{head}Content-Type: image/png\r\n\r\n".encode() + _picture() + f"\r\n--{_BOUNDARY}--\r\n".encode()


def _picture(side: int = 96) -> bytes:
    """A PNG of noise, which no compression makes small."""
    rows = b"".join(b"\0" + random.Random(row).randbytes(3 * side) for row in range(side))
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


class Supervised:
    """A supervisor that runs."""

    def __init__(self, folder: Path, command: Sequence[str], environment: Mapping[str, str], run: Path) -> None:
        self.command = command
        self.environment = environment
        self.run = run
        self.log = folder / "stderr"
        with self.log.open("ab") as stderr:
            self.process = subprocess.Popen(command, cwd=folder, env=environment, stdout=stderr, stderr=stderr)

    @property
    def status(self) -> dict[str, Any]:
        """What it says of itself."""
        return read_status(str(self.run / "status.json"))

    @property
    def port(self) -> int:
        """Where its web listens."""
        return int(self.status["listen"]["web"][0].rpartition(":")[2])

    def make_member(self) -> str:
        """The token of a new member of the application."""
        self._command("accounts", "create", "bench", "--email", "bench@bench.example", "--confirmed")
        return self._command("tokens", "create", "bench", "--scopes", "read write").strip()

    def _command(self, *arguments: str) -> str:
        environment = {**self.environment, "PHIOMIA_PASSWORD": "correct horse battery"}
        command = [self.command[0], "-P", "-m", "phiomia", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return done.stdout

    def await_start(self) -> None:
        """Waits until it serves. Raises RuntimeError."""
        deadline = time.monotonic() + _START_SECONDS
        while not self._serves():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"it does not start:\n{self.log.read_text()[-4000:]}")
            time.sleep(0.05)

    def _serves(self) -> bool:
        try:
            status = self.status
        except FileNotFoundError:
            return False
        return bool(status["pid"] == self.process.pid and status["state"] == "running")


@contextmanager
def run_toy(folder: Path, *, processes: int = 2, environment: Mapping[str, str] | None = None) -> Iterator[Supervised]:
    """The toy that `current` in the folder points to."""
    child = Child(
        "web",
        (PYTHON, "-P", "-m", "toy_release", "web"),
        env={"TOY_SLOW": str(TOY_SLOW_S)},
        processes=processes,
        listen="web",
        stop_signal=signal.SIGINT,
    )
    with run_children(folder, (child,), {"web": ("127.0.0.1:0",)}, environment) as running:
        yield running


@contextmanager
def run_children(
    folder: Path,
    children: tuple[Child, ...],
    listen: Mapping[str, tuple[str, ...]] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Supervised]:
    """These children of the release that `current` in the folder points to."""
    run = folder / "run"
    settings = Settings(dict(listen or {}), children, str(run / "bus.sock"), str(run / "status.json"))
    command = [sys.executable, "-c", _START, json.dumps(settings.save())]
    with _run(folder, command, {"PYTHONPATH": str(SOURCE), **(environment or {})}, run) as running:
        yield running


@contextmanager
def run_application(folder: Path, *, database_url: str = "") -> Iterator[Supervised]:
    """The application that `current` in the folder points to."""
    data = folder / "data"
    environment = {
        "PHIOMIA_DATA": str(data),
        "PHIOMIA_BIND": f"127.0.0.1:{find_free_port()}",
        "PHIOMIA_RATE_LIMITS": "off",
        "PHIOMIA_LOG_LEVEL": "warning",
    }
    if database_url:
        environment["PHIOMIA_DATABASE_URL"] = database_url
    command = [str(folder / "current" / "venv" / "bin" / "python"), "-P", "-m", "phiomia", "serve"]
    with _run(folder, command, environment, data / "run") as running:
        yield running


@contextmanager
def _run(folder: Path, command: list[str], environment: Mapping[str, str], run: Path) -> Iterator[Supervised]:
    run.mkdir(parents=True, exist_ok=True)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PHIOMIA_", "PYTHON"))}
    running = Supervised(folder, command, {**inherited, **environment, "PHIOMIA_CURRENT": str(folder / "current")}, run)
    process = running.process
    try:
        running.await_start()
        yield running
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
