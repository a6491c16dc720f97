"""Two whole servers that know each other by name, over TLS, as on the internet but on loopback.

    def test_something(peers: Peers) -> None:
        alice, bob = peers.alpha.sign_up("alice"), peers.beta.sign_up("bob")
        peers.beta.post("/api/v1/statuses", bob, status="Hello")

Each is `phiomia serve` behind a relay that ends TLS with a certificate of the authority in `authority.py`; the names
are found by the setting `pinned_hosts`.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pytest
import requests

from phiomia.platform.db import Query, open_database
from server import PATIENCE, Member, RunningServer

from .authority import authority
from .listening import Listening

T = TypeVar("T")
_CHUNK = 64 * 1024
# What each thing needs at most from one server to the other.
SECONDS_TO_ARRIVE = 5.0
_PRESSURE = Path("/proc/pressure/cpu")


class Relay(Listening):
    """Ends TLS for a name and passes everything on to a port."""

    def __init__(self, name: str, port: int = 0) -> None:
        super().__init__(authority().server_context(name))
        self.target = port
        self.is_away = False

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_away:
            writer.transport.abort()
            return
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(copy(reader, to_server), copy(from_server, writer))


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Passes on what comes until nothing more does."""
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()


class Wait(NamedTuple):
    """How long a test had to wait for what, and for how much of that somebody on this machine waited for a processor.

    What others compute meanwhile says nothing of the way between two servers, but neither does it excuse everything:
    who has to wait for a second try waits for fifteen seconds.
    """

    seconds: float
    what: str
    starved_s: float
    after_outage: bool = False

    @property
    def own_s(self) -> float:
        """The time in which everybody who had something to do could do it, and at least a third of all of it."""
        return max(self.seconds - self.starved_s, self.seconds / 3)


def read_starved_s() -> float:
    """For how many seconds, since the machine was started, somebody has waited for a processor; 0 if it is not told."""
    try:
        found = re.search(r"^some .*total=(\d+)", _PRESSURE.read_text(encoding="ascii"))
    except OSError:
        return 0.0
    return int(found[1]) / 1e6 if found else 0.0


@dataclass
class Peer:
    """One of the two servers."""

    name: str
    server: RunningServer
    waits: list[Wait] = field(default_factory=list)
    was_away: bool = False

    def sign_up(self, name: str) -> Member:
        """A new member."""
        return self.server.sign_up(name)

    def handle(self, member: Member) -> str:
        """How others write the member's name."""
        return f"@{member.username}@{self.name}"

    def actor(self, member: Member) -> str:
        """The member's id in the network."""
        return f"https://{self.name}/users/{member.username}"

    def get(self, path: str, who: Member | None = None, **query: Any) -> Any:
        """The JSON of a GET."""
        return self._ask("GET", path, who, params=query)

    def post(self, path: str, who: Member | None = None, **form: Any) -> Any:
        """The JSON of a POST with a JSON body."""
        return self._ask("POST", path, who, json=form)

    def put(self, path: str, who: Member | None = None, **form: Any) -> Any:
        """The JSON of a PUT with a JSON body."""
        return self._ask("PUT", path, who, json=form)

    def patch(self, path: str, who: Member, **form: Any) -> Any:
        """The JSON of a PATCH with a JSON body."""
        return self._ask("PATCH", path, who, json=form)

    def delete(self, path: str, who: Member) -> Any:
        """The JSON of a DELETE."""
        return self._ask("DELETE", path, who)

    def upload(self, who: Member, file: Path, description: str) -> str:
        """The id of a picture, ready to be attached."""
        with file.open("rb") as data:
            files, form = {"file": (file.name, data, "image/png")}, {"description": description}
            media = self._ask("POST", "/api/v2/media", who, files=files, data=form)
        self.until(lambda: self._is_ready(who, media["id"]), "the picture is decoded")
        return str(media["id"])

    def _is_ready(self, who: Member, media_id: str) -> bool:
        address = f"{self.server.url}/api/v1/media/{media_id}"
        return requests.get(address, headers=who.headers, timeout=PATIENCE).status_code == 200

    def find(self, who: Member, what: str, kind: str = "accounts") -> dict[str, Any]:
        """What a search for a handle or an address brings, asked elsewhere if it is not known here."""
        found = self.until(
            lambda: self.get("/api/v2/search", who, q=what, resolve="true", type=kind)[kind], f"{what} is found"
        )
        first: dict[str, Any] = found[0]
        return first

    def home(self, who: Member) -> list[dict[str, Any]]:
        """The home timeline."""
        statuses: list[dict[str, Any]] = self.get("/api/v1/timelines/home", who)
        return statuses

    def at_home(self, who: Member, uri: str) -> dict[str, Any]:
        """The status of that id, once it is in the home timeline."""
        return self.until(lambda: next((s for s in self.home(who) if s["uri"] == uri), None), f"{uri} is at home")

    def notified(self, who: Member, kind: str) -> dict[str, Any]:
        """The first notification of a kind, once there is one."""
        return self.until(
            lambda: next((n for n in self.get("/api/v1/notifications", who) if n["type"] == kind), None),
            f"a notification of {kind}",
        )

    def until(self, condition: Callable[[], T | None], what: str) -> T:
        """What the condition gives once it holds."""
        begun, starved = time.monotonic(), read_starved_s()
        met = self.server.until(condition, f"{what} ({self.name})")
        assert met is not None
        took = time.monotonic() - begun
        self.waits.append(Wait(took, what, read_starved_s() - starved))
        return met

    def execute(self, sql: str, **parameters: Any) -> None:
        """Changes the server's database behind its back."""
        url = self.server.database_url or f"sqlite:///{self.server.data / 'phiomia.sqlite3'}"
        asyncio.run(_execute(url, sql, parameters))

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Stops the server for a while."""
        self.was_away = True
        self.server.stop()
        try:
            yield
        finally:
            self.server.start()

    def let_retries_be_due(self) -> None:
        """As if the time had come for what waits because the other server did not answer."""
        self.execute("UPDATE peers SET retry_at = 0 WHERE retry_at IS NOT NULL")
        self.execute("UPDATE jobs SET run_at = 0 WHERE type = 'outbox.deliver'")

    def _ask(self, method: str, path: str, who: Member | None, **more: Any) -> Any:
        headers = who.headers if who is not None else {}
        answer = requests.request(method, f"{self.server.url}{path}", headers=headers, timeout=PATIENCE, **more)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()


@dataclass
class Peers:
    """Both servers."""

    alpha: Peer
    beta: Peer

    def befriend(self, one: Member, other: Member) -> tuple[str, str]:
        """Lets a member of alpha and one of beta follow each other; gives the id of each at the other's server."""
        there = self.follow(self.alpha, one, self.beta, other)
        here = self.follow(self.beta, other, self.alpha, one)
        return there, here

    def follow(self, near: Peer, who: Member, far: Peer, whom: Member) -> str:
        """Lets one member follow another elsewhere; gives the other's id at the follower's server."""
        id_: str = near.find(who, far.handle(whom))["id"]
        near.post(f"/api/v1/accounts/{id_}/follow", who)
        near.until(
            lambda: near.get("/api/v1/accounts/relationships", who, **{"id[]": id_})[0]["following"] or None,
            "the follow is accepted",
        )
        return id_

    def check_speed(self) -> None:
        """Prints how long things were on their way; fails if one of them was for too long, or usually they are."""
        check_waits(self.alpha.waits + self.beta.waits)

    def check_logs(self) -> None:
        """Fails if one of them logged an error."""
        self.alpha.server.check_log()
        self.beta.server.check_log()


def check_waits(waits: Sequence[Wait]) -> None:
    """Prints how long things were on their way; fails if one of them was for too long, or usually they are."""
    if not waits:
        return
    slowest = sorted(waits, reverse=True)
    median = statistics.median(wait.seconds for wait in waits)
    print(f"\n{len(waits)} things arrived, half of them within {median:.2f} s; the slowest:")
    for wait in slowest[:5]:
        print(f"  {wait.seconds:6.2f} s  {wait.what} (processors were short for {wait.starved_s:.2f} s of that)")
    assert median <= SECONDS_TO_ARRIVE, slowest[:10]
    # What was tried while the other was away may wait for its next try.
    late = [wait for wait in slowest if wait.own_s > SECONDS_TO_ARRIVE and not wait.after_outage]
    assert not late, late


async def _execute(url: str, sql: str, parameters: dict[str, Any]) -> None:
    database = open_database(url)
    await database.start()
    try:
        await database.write(lambda session: session.execute(Query.raw(sqlite=sql), **parameters))
    finally:
        await database.close()


def settings_of(name: str, pins: list[str]) -> dict[str, str]:
    """What lets a server speak with those of the pins, each `NAME=127.0.0.1:PORT`."""
    return {
        "PHIOMIA_PUBLIC_URL": f"https://{name}",
        "PHIOMIA_PINNED_HOSTS": ",".join(pins),
        "PHIOMIA_ALLOW_PRIVATE": "127.0.0.0/8",
        "PHIOMIA_WEB_WORKERS": "1",
        "SSL_CERT_FILE": str(authority().file),
    }


@contextlib.contextmanager
def run_peers(folder: Path, urls: tuple[str, str] = ("", "")) -> Iterator[Peers]:
    """Two servers that know each other as alpha.test and beta.test."""
    with ExitStack() as cleanup:
        servers = [RunningServer(folder / name, url) for name, url in zip(("alpha", "beta"), urls, strict=True)]
        names = ["alpha.test", "beta.test"]
        pins = []
        for name, server in zip(names, servers, strict=True):
            relay = cleanup.enter_context(Relay(name, server.port))
            pins.append(f"{name}=127.0.0.1:{relay.port}")
        for name, server in zip(names, servers, strict=True):
            server.settings |= settings_of(name, pins)
            cleanup.enter_context(server)
        alpha, beta = (Peer(name, server) for name, server in zip(names, servers, strict=True))
        yield Peers(alpha, beta)


class PeersOnDatabases:
    """Two servers on each database, started when the first test asks for them; members have names of their own."""

    def __init__(self, make_database: Callable[[str, Path, ExitStack], str], folder: Path, cleanup: ExitStack) -> None:
        self._make_database = make_database
        self._folder = folder
        self._cleanup = cleanup
        self._running: dict[str, Peers] = {}
        self._tried: set[str] = set()

    def get(self, dialect: str) -> Peers:
        """The two on that database."""
        if dialect not in self._running:
            if dialect in self._tried:
                pytest.fail(f"the two servers on {dialect} did not start", pytrace=False)
            self._tried.add(dialect)
            urls = ("", "")
            if dialect == "postgresql":
                urls = (self._create(dialect), self._create(dialect))
            peers = self._cleanup.enter_context(run_peers(self._folder / dialect, urls))
            self._cleanup.callback(peers.check_speed)
            self._running[dialect] = peers
        return self._running[dialect]

    def _create(self, dialect: str) -> str:
        return self._make_database(dialect, self._folder, self._cleanup)


@pytest.fixture(scope="session")
def running_peers(databases: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PeersOnDatabases]:
    """The two servers, for all tests of this process."""
    with ExitStack() as cleanup:
        yield PeersOnDatabases(databases.as_started, tmp_path_factory.mktemp("peers"), cleanup)


@pytest.fixture
def peers(running_peers: PeersOnDatabases, dialect: str) -> Iterator[Peers]:
    """The two servers, on SQLite and on PostgreSQL in turn; they must not log errors while the test runs."""
    peers = running_peers.get(dialect)
    both = (peers.alpha, peers.beta)
    begun = [len(peer.waits) for peer in both]
    for peer in both:
        peer.was_away = False
    peers.check_logs()
    yield peers
    peers.check_logs()
    if any(peer.was_away for peer in both):
        for peer, start in zip(both, begun, strict=True):
            peer.waits[start:] = [wait._replace(after_outage=True) for wait in peer.waits[start:]]
