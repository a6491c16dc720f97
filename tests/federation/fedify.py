"""A server on Fedify beside one of ours: it reads strictly, as JSON-LD, and checks whatever it is sent.

Its people do what the test says; what it has received it tells. The program is tests/node/fedify_peer.mjs.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from server import PATIENCE, Member, RunningServer

from .authority import authority
from .peers import Peer, Relay, settings_of

PROGRAM = Path(__file__).parents[1] / "node" / "fedify_peer.mjs"
NAME = "gamma.test"
START_SECONDS = 60.0


@dataclass
class Person:
    """Somebody of the other server."""

    name: str
    server: Fedify

    @property
    def uri(self) -> str:
        """The id."""
        return f"https://{NAME}/users/{self.name}"

    @property
    def handle(self) -> str:
        """How others write the name."""
        return f"@{self.name}@{NAME}"

    def does(self, what: str, **more: Any) -> Any:
        """What comes of letting the person do something."""
        return self.server.order(what, who=self.name, **more)

    def receives(self, kind: str, **wanted: str) -> dict[str, Any]:
        """The first activity of a kind that the server got, once it is there."""
        return self.server.received(kind, **wanted)


@dataclass
class Fedify:
    """The other server."""

    relay: Relay
    near: Peer
    log: Path

    def order(self, what: str, **more: Any) -> Any:
        """Lets the program do something."""
        answer = requests.post(self._control, json={"do": what, **more}, timeout=PATIENCE)
        assert answer.ok, f"{what}: {answer.text}\n{self.log.read_text()[-3000:]}"
        return answer.json()["result"]

    def join(self, name: str) -> Person:
        """A new person."""
        self.order("join", who=name)
        return Person(name, self)

    def list_received(self) -> list[dict[str, Any]]:
        """Every activity that passed its checks."""
        received: list[dict[str, Any]] = requests.get(self._control, timeout=PATIENCE).json()["received"]
        return received

    def received(self, kind: str, **wanted: str) -> dict[str, Any]:
        """The first activity with these properties, once it is there."""

        def look() -> dict[str, Any] | None:
            fitting = (one for one in self.list_received() if one["type"] == kind)
            return next((one for one in fitting if all(one.get(key) == value for key, value in wanted.items())), None)

        return self.near.until(look, f"{kind} {wanted} comes to {NAME}: {self.log.read_text()[-1500:]}")

    @property
    def _control(self) -> str:
        return f"http://127.0.0.1:{self.relay.target}/control"


@dataclass
class Strangers:
    """One of ours, and the other one."""

    ours: Peer
    theirs: Fedify

    def befriend(self, member: Member, person: Person) -> str:
        """Lets two follow each other; gives the id of the person at our server."""
        id_: str = self.ours.find(member, person.handle)["id"]
        self.ours.post(f"/api/v1/accounts/{id_}/follow", member)
        self.until_related(member, id_, "following")
        person.does("follow", uri=self.ours.handle(member))
        self.until_related(member, id_, "followed_by")
        person.receives("Accept", actor=self.ours.actor(member))
        return id_

    def relationship(self, member: Member, id_: str) -> dict[str, Any]:
        """How the member stands to somebody."""
        found: dict[str, Any] = self.ours.get("/api/v1/accounts/relationships", member, **{"id[]": id_})[0]
        return found

    def until_related(self, member: Member, id_: str, what: str, is_so: bool = True) -> None:
        """Waits for a relationship."""
        self.ours.until(lambda: self.relationship(member, id_)[what] is is_so or None, f"{what} is {is_so}")

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        """What the condition gives once it holds."""
        return self.ours.until(condition, what)


@contextlib.contextmanager
def run_strangers(folder: Path) -> Iterator[Strangers]:
    """Our server as alpha.test, theirs as gamma.test."""
    with ExitStack() as cleanup:
        server = RunningServer(folder / "alpha")
        near = cleanup.enter_context(Relay("alpha.test", server.port))
        far = cleanup.enter_context(Relay(NAME))
        log = folder / "fedify.log"
        far.target = _start(log, near.port, cleanup)
        server.settings |= settings_of("alpha.test", [f"{NAME}=127.0.0.1:{far.port}"])
        cleanup.enter_context(server)
        ours = Peer("alpha.test", server)
        yield Strangers(ours, Fedify(far, ours, log))


def _start(log: Path, port: int, cleanup: ExitStack) -> int:
    """The port of the program, once it listens."""
    given = {"name": NAME, "who": "system", "pins": {"alpha.test": port}}
    process = subprocess.Popen(
        ["node", str(PROGRAM), json.dumps(given)],
        stdout=subprocess.PIPE,
        stderr=cleanup.enter_context(log.open("wb")),
        env=os.environ | {"NODE_EXTRA_CA_CERTS": str(authority().file)},
    )
    cleanup.callback(process.wait)
    cleanup.callback(process.kill)
    assert process.stdout is not None
    cleanup.callback(process.stdout.close)
    ready, _, _ = select.select([process.stdout], [], [], START_SECONDS)
    line = process.stdout.readline() if ready else b""
    if not line:
        text = log.read_text()
        if "SyntaxError" in text or "is not a function" in text:
            pytest.skip("Fedify needs a newer Node.js than the one here")
        pytest.fail(f"the program does not start:\n{text[-3000:]}", pytrace=False)
    return int(json.loads(line)["port"])
