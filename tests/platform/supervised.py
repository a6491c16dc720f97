"""A supervisor with real processes, for tests: releases, a load of requests, and what is asked of it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from phiomia.platform import control
from phiomia.platform.notify import read_status
from phiomia.platform.topology import PYTHON, Child, Settings

HERE = Path(__file__).parent
SOURCE = HERE.parents[1] / "src"
TEMPLATE = (PYTHON, "-P", "-m", "toy_release", "template")


def make_release(root: Path, mark: str) -> Path:
    """A release directory with its own virtual environment, which uses the packages of this one."""
    release = root / f"release-{mark}-{time.monotonic_ns()}"
    venv = release / "venv"
    packages = venv / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    packages.mkdir(parents=True)
    (venv / "bin").mkdir()
    (venv / "bin" / "python").symlink_to(os.path.realpath(sys.executable))
    (venv / "pyvenv.cfg").write_text(f"home = {os.path.dirname(os.path.realpath(sys.executable))}\n")
    (packages / "paths.pth").write_text(f"{SOURCE}\n{HERE}\n{sysconfig.get_paths()['purelib']}\n")
    (venv / "mark").write_text(mark)
    return release


def switch(root: Path, release: Path) -> None:
    """Points `current` to the release."""
    (root / "next").symlink_to(release)
    os.replace(root / "next", root / "current")


class Running:
    """A supervisor under test."""

    def __init__(self, root: Path, process: subprocess.Popen[bytes]) -> None:
        self.root = root
        self.process = process
        self.status_path = str(root / "run" / "status.json")

    @property
    def status(self) -> dict[str, Any]:
        return read_status(self.status_path)

    @property
    def port(self) -> int:
        return int(self.status["listen"]["web"][0].rpartition(":")[2])

    def pids(self, role: str) -> set[int]:
        return {
            child["pid"] for child in self.status["children"] if child["role"] == role and child["state"] == "ready"
        }

    def output(self) -> str:
        return (self.root / "stderr").read_text()

    def until(self, condition: Callable[[], Any], limit_s: float = 20.0) -> None:
        deadline = time.monotonic() + limit_s
        while not condition():
            assert time.monotonic() < deadline, f"{self.status}\n{self.output()}"
            time.sleep(0.02)


@contextmanager
def supervised(root: Path, mark: str = "one", drain_idle: str = "65", **changes: Any) -> Iterator[Running]:
    """Runs a supervisor with two web processes and one on the bus."""
    (root / "run").mkdir(exist_ok=True)
    switch(root, make_release(root, mark))
    settings = Settings(
        listen={"web": ("127.0.0.1:0",)},
        children=(
            Child("echo", (PYTHON, "-P", "-m", "toy_release", "echo")),
            Child(
                "web",
                (PYTHON, "-P", "-m", "toy_release", "web"),
                env={"PHIOMIA_DRAIN_IDLE": drain_idle},
                processes=2,
                listen="web",
                stop_signal=signal.SIGINT,
            ),
        ),
        bus_path=str(root / "run" / "bus.sock"),
        status_path=str(root / "run" / "status.json"),
        settle_s=0.0,
    )._replace(**changes)
    start = "import json, sys; from phiomia.platform import handover, topology; "
    start += "handover.replace_process(topology.load_settings(json.loads(sys.argv[1])))"
    with open(root / "stderr", "ab") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-c", start, json.dumps(settings.save())],
            env={**os.environ, "PHIOMIA_CURRENT": str(root / "current"), "PYTHONPATH": str(SOURCE)},
            stderr=stderr,
        )
    running = Running(root, process)
    try:
        yield running
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def serving(root: Path, **arguments: Any) -> Iterator[Running]:
    """The same, once it serves."""
    with supervised(root, **arguments) as running:
        running.until(lambda: os.path.exists(running.status_path) and running.status["state"] == "running")
        yield running


class Load:
    """Clients that go on asking, and what became of it; each waits up to seven pauses between its requests."""

    def __init__(self, port: int, pause_s: float = 0.01) -> None:
        self.port = port
        self.pause_s = pause_s
        self.answered = 0
        self.failures: list[str] = []
        self.marks: set[str] = set()
        self.stopping = False
        self.slowest = 0.0

    async def __aenter__(self) -> "Load":
        clients = [self._client(number, keep_alive=number % 3 != 0) for number in range(18)]
        self.tasks = [asyncio.create_task(client) for client in clients]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stopping = True
        await asyncio.wait_for(asyncio.gather(*self.tasks), 20)

    async def _client(self, number: int, keep_alive: bool) -> None:
        connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        turn = number
        while not self.stopping:
            turn += 1
            path = "/slow" if number % 6 == 5 else "/"
            body = b"x" * (turn % 5000) if turn % 3 == 0 else b""
            used = connection is not None
            begun = time.monotonic()
            try:
                if connection is None:
                    connection = await asyncio.open_connection("127.0.0.1", self.port)
                answer, stays = await ask(connection, "POST" if body else "GET", path, body)
                assert answer.endswith(f"{'POST' if body else 'GET'} {len(body)}"), answer
                self.marks.add(answer.split()[0])
                self.answered += 1
            except (OSError, EOFError, AssertionError) as error:
                self.failures.append(f"{'reused' if used else 'fresh'} {error!r}")
                stays = False
            self.slowest = max(self.slowest, time.monotonic() - begun)
            if not (stays and keep_alive) and connection is not None:
                connection[1].close()
                connection = None
            await asyncio.sleep(self.pause_s * (turn % 8))


async def ask(
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], method: str, path: str, body: bytes
) -> tuple[str, bool]:
    """One request on a connection: the answer, and whether the connection stays."""
    reader, writer = connection
    writer.write(f"{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    assert head.startswith("http/1.1 200"), head
    length = int(head.partition("content-length: ")[2].split()[0])
    return (await reader.readexactly(length)).decode(), "connection: close" not in head


def reload_and_wait(path: str, limit_s: float) -> dict[str, Any]:
    """What the supervisor says after a reload, which its operator asked for."""
    outcome = control.reload(Path(path).parent, timeout_s=limit_s)
    status = read_status(path)
    assert outcome == (status["reason"] == "", status["reason"])
    return status


async def reload(running: Running) -> dict[str, Any]:
    """A reload, waited for without stopping the load."""
    return await asyncio.to_thread(reload_and_wait, running.status_path, 30.0)


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
