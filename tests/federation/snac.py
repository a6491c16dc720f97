"""snac, a small server in C that shares no line with ours, beside one of ours.

It looks names up and trusts like every program on the machine does. So it runs in a mount namespace with the authority
of the tests in place of the machine's, and reaches names through a proxy that knows their ports.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from missing import miss
from postgresql import find_free_port
from server import PATIENCE, Member, RunningServer

from .authority import authority
from .listening import Listening
from .peers import Peer, Relay, copy, settings_of

NAME = "delta.test"
_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


class Tunnel(Listening):
    """A proxy for CONNECT that leads each name to a port of this machine."""

    def __init__(self, ports: dict[str, int]) -> None:
        super().__init__()
        self._ports = ports

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        name = head.split()[1].decode().partition(":")[0]
        if name not in self._ports:
            writer.close()
            return
        back, out = await asyncio.open_connection("127.0.0.1", self._ports[name])
        writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        await asyncio.gather(copy(reader, out), copy(back, writer))


@dataclass
class Snac:
    """The other server."""

    folder: Path
    tunnel: Tunnel
    ours: Peer

    def join(self, name: str) -> str:
        """A new person; gives the id."""
        self.command("adduser", str(self.folder), name)
        return f"https://{NAME}/{name}"

    def does(self, what: str, name: str, *arguments: str) -> str:
        """What a command says that a person does."""
        return self.command(what, str(self.folder), name, *arguments)

    def note(self, name: str, text: str, kind: str = "note") -> str:
        """The id of a new post."""
        before = self._posts(name)
        self.does(kind, name, text)
        (new,) = self._posts(name) - before
        document = json.loads((self.folder / "user" / name / "public" / new).resolve().read_text())
        return str(document["id"])

    def knows(self, uri: str, text: str = "") -> bool:
        """Whether it keeps an object of that id, with that text in it."""
        return any(f'"id": "{uri}"' in kept and text in kept for kept in self._objects())

    def command(self, *arguments: str) -> str:
        """What `snac …` prints."""
        done = subprocess.run(
            [*_isolated(), "snac", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, f"snac {' '.join(arguments)}: {done.stderr[-2000:]}"
        return done.stdout

    @property
    def environment(self) -> dict[str, str]:
        """The variables of its processes."""
        proxy = f"http://127.0.0.1:{self.tunnel.port}"
        return {"PATH": os.environ["PATH"], "https_proxy": proxy, "HOME": str(self.folder.parent)}

    def _posts(self, name: str) -> set[str]:
        return {path.name for path in (self.folder / "user" / name / "public").glob("*.json")}

    def _objects(self) -> Iterator[str]:
        for path in (self.folder / "object").rglob("*.json"):
            with contextlib.suppress(FileNotFoundError):
                yield path.read_text()


@dataclass
class WithSnac:
    """One of ours, and the other one."""

    ours: Peer
    snac: Snac

    def befriend(self, member: Member, name: str) -> str:
        """Lets two follow each other; gives the id of the person at our server."""
        id_: str = self.ours.find(member, f"@{name}@{NAME}")["id"]
        self.ours.post(f"/api/v1/accounts/{id_}/follow", member)
        self._until(member, id_, "following")
        self.snac.does("follow", name, self.ours.actor(member))
        self._until(member, id_, "followed_by")
        return id_

    def _until(self, member: Member, id_: str, what: str) -> None:
        path = "/api/v1/accounts/relationships"
        self.ours.until(lambda: self.ours.get(path, member, **{"id[]": id_})[0][what] or None, what)


def require_snac() -> None:
    """Skips the test where snac can't run."""
    if shutil.which("snac") is None:
        miss("snac is not installed (on Debian: snac2, of the backports on 12)")
    if subprocess.run([*_isolated(), "true"], capture_output=True).returncode != 0:
        pytest.skip("this user may not make a mount namespace for snac")


@contextlib.contextmanager
def run_with_snac(folder: Path) -> Iterator[WithSnac]:
    """Our server as alpha.test, snac as delta.test."""
    with ExitStack() as cleanup:
        server, port = RunningServer(folder / "alpha"), find_free_port()
        near = cleanup.enter_context(Relay("alpha.test", server.port))
        far = cleanup.enter_context(Relay(NAME, port))
        tunnel = cleanup.enter_context(Tunnel({"alpha.test": near.port}))
        ours = Peer("alpha.test", server)
        snac = Snac(folder / "snac", tunnel, ours)
        _prepare(snac, port)
        log = cleanup.enter_context((folder / "snac.log").open("wb"))
        process = subprocess.Popen(
            [*_isolated(), "snac", "httpd", str(snac.folder)], env=snac.environment, stdout=log, stderr=log
        )
        cleanup.callback(process.wait)
        cleanup.callback(process.kill)
        server.settings |= settings_of("alpha.test", [f"{NAME}=127.0.0.1:{far.port}"])
        cleanup.enter_context(server)
        yield WithSnac(ours, snac)


def _prepare(snac: Snac, port: int) -> None:
    answers = f"127.0.0.1\n{port}\n{NAME}\n\n\n"
    subprocess.run(["snac", "init", str(snac.folder)], input=answers, text=True, check=True, capture_output=True)


def _isolated() -> list[str]:
    bind = f'mount --bind {authority().file} {_CERTIFICATES} && exec "$@"'
    return ["unshare", *([] if os.geteuid() == 0 else ["-r"]), "-m", "sh", "-c", bind, "sh"]
