"""A private PostgreSQL cluster for the tests, started in well under two seconds and thrown away.

As a program it runs a command beside such a cluster, whose URL the command finds in PHIOMIA_TEST_POSTGRESQL:

    python tests/postgresql.py .venv/bin/python -m pytest
    python tests/postgresql.py --find      # only says which PostgreSQL would be used
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from scratch import find_scratch

URL_VARIABLE = "PHIOMIA_TEST_POSTGRESQL"
BIN_VARIABLE = "PHIOMIA_TEST_POSTGRESQL_BIN"

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "shared_buffers": "64MB",
    "timezone": "UTC",
}


class NotInstalled(Exception):
    """No PostgreSQL server programs on this machine."""


def find_programs() -> Path:
    """The directory of the newest installed initdb and postgres; PHIOMIA_TEST_POSTGRESQL_BIN overrides the search."""
    chosen = os.environ.get(BIN_VARIABLE)
    candidates = [Path(chosen)] if chosen else [*_debian_versions(), *_on_path()]
    for candidate in candidates:
        if (candidate / "initdb").exists() and (candidate / "postgres").exists():
            return candidate
    raise NotInstalled("PostgreSQL is not installed (on Debian: apt install postgresql)")


def _debian_versions() -> list[Path]:
    versions = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if path.parent.name.isdigit()]
    return sorted(versions, key=lambda path: int(path.parent.name), reverse=True)


def _on_path() -> list[Path]:
    initdb = shutil.which("initdb")
    return [Path(initdb).resolve().parent] if initdb else []


@contextmanager
def run_cluster() -> Iterator[str]:
    """The URL of an empty cluster's maintenance database, which lives as long as the context."""
    programs = find_programs()
    # Not under TMPDIR or pytest's directory: the user postgres must get in, and socket paths end at 107 bytes.
    home = Path(tempfile.mkdtemp(prefix="phiomia-postgresql-", dir=find_scratch()))
    server: subprocess.Popen[bytes] | None = None
    try:
        password = _create_cluster(programs, home)
        server, port = _start(programs, home)
        yield f"postgresql://phiomia:{password}@127.0.0.1:{port}/postgres"
    finally:
        if server is not None:
            _stop(server)
        shutil.rmtree(home, ignore_errors=True)


def _identity() -> dict[str, Any]:
    """Popen's arguments that make a child the user postgres if we are root, whom PostgreSQL refuses to serve."""
    if os.geteuid() != 0:
        return {}
    owner = pwd.getpwnam("postgres")
    return {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}


def _create_cluster(programs: Path, home: Path) -> str:
    password = secrets.token_urlsafe(16)
    password_file = home / "password"
    password_file.write_text(password)
    identity = _identity()
    if identity:
        for path in (home, password_file):
            os.chown(path, identity["user"], identity["group"])
    # MD5, on loopback only: SCRAM takes 7 ms of the server for each of the many short connections of tests, and a plain
    # password as much, since it is compared with what SCRAM has kept of it.
    command = [str(programs / "initdb"), f"--pgdata={home / 'data'}", "--username=phiomia", f"--pwfile={password_file}"]
    options = ["--auth=md5", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]
    done = subprocess.run([*command, *options], cwd=home, capture_output=True, text=True, **identity)
    if done.returncode:
        raise RuntimeError(f"initdb failed: {done.stderr}")
    return password


def _start(programs: Path, home: Path) -> tuple[subprocess.Popen[bytes], int]:
    log = home / "log"
    for _attempt in range(5):
        port = find_free_port()
        settings = _SETTINGS | {"port": str(port), "unix_socket_directories": str(home)}
        command = [str(programs / "postgres"), "-D", str(home / "data")]
        command += [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
        with log.open("wb") as output:
            # A session of its own, or Ctrl-C would stop it under the tests that are still cleaning up.
            server = subprocess.Popen(
                command,
                cwd=home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=partial(_die_with_parent, signal.SIGQUIT),
                **_identity(),
            )
        if _wait_until_ready(server, home / "data" / "postmaster.pid"):
            return server, port
        _stop(server)
    raise RuntimeError(f"PostgreSQL does not start: {log.read_text(errors='replace')}")


def _die_with_parent(number: int) -> None:
    # PR_SET_PDEATHSIG: nothing goes on running even if the parent is killed. Only Linux has it.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, number)


def _wait_until_ready(server: subprocess.Popen[bytes], pid_file: Path, seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while server.poll() is None and time.monotonic() < deadline:
        # The eighth line is the server's own word on its state; pg_ctl waits for it too.
        if pid_file.exists() and pid_file.read_text().splitlines()[7:8] == ["ready   "]:
            return True
        time.sleep(0.01)
    return False


def _stop(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is None:
        server.send_signal(signal.SIGQUIT)
        server.wait(30)


def find_free_port() -> int:
    """A TCP port on loopback that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """Creates and drops databases on one cluster, over one connection that stays open."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._runner = asyncio.Runner()
        self._connection: Any = None

    def create(self, name: str, template: str = "template0") -> str:
        """The URL of a new database, a copy of `template`, to which nobody may be connected."""
        self._runner.run(self._create(_checked(name), _checked(template)))
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))

    def drop(self, name: str) -> None:
        """Removes the database and whoever is still connected to it."""
        self._runner.run(self._drop(_checked(name)))

    def close(self) -> None:
        """Ends the connection."""
        if self._connection is not None:
            self._runner.run(self._connection.close())
        self._runner.close()

    async def _create(self, name: str, template: str) -> None:
        connection = await self._connect()
        # For 850 files in memory, copying them takes 34 ms and writing the copy through the log 100 ms.
        strategy = "STRATEGY file_copy" if connection.get_server_version().major >= 15 else ""
        await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" {strategy}')

    async def _drop(self, name: str) -> None:
        connection = await self._connect()
        await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    async def _connect(self) -> Any:
        import asyncpg  # Not at the top: `--find` must work before anything is installed.

        if self._connection is None:
            self._connection = await asyncpg.connect(self.url)
        return self._connection


def _checked(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9_]{1,63}", name):
        raise ValueError(f"not a plain database name: {name!r}")
    return name


def main(arguments: list[str]) -> int:
    """The exit status of the command given, which runs beside a cluster."""
    try:
        programs = find_programs()
    except NotInstalled as problem:
        print(f"{sys.argv[0]}: {problem}", file=sys.stderr)
        if arguments == ["--find"] or os.environ.get("CI", "") not in {"", "0", "false"}:
            return 1
        return _run_command(arguments, os.environ)
    if arguments == ["--find"]:
        print(programs)
        return 0
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))
    with run_cluster() as url:
        return _run_command(arguments, os.environ | {URL_VARIABLE: url})


def _run_command(command: list[str], environment: Any) -> int:
    children: list[subprocess.Popen[bytes]] = []

    def interrupt(number: int, _frame: FrameType | None) -> None:
        # The terminal sends Ctrl-C to the child as well; any other signal is passed on as one, for an orderly end.
        if number != signal.SIGINT:
            for child in children:
                child.send_signal(signal.SIGINT)

    # Before the child starts: it inherits what is ignored, and a shell's background jobs are born ignoring Ctrl-C.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    children.append(subprocess.Popen(command, env=environment, preexec_fn=partial(_die_with_parent, signal.SIGINT)))
    status = children[0].wait()
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
