"""`python -m bench.inbox`: what other servers cost: deliveries, posts with a mention, farewells, signed questions.

The real server with all its roles on a small seeded database; the other servers are signatures made beforehand. Their
keys are known here, so that nobody has to be asked. Processor time of all processes is judged.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import socket
import ssl
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bench import load
from bench.cpu import count_cpu_seconds
from bench.delivery import certify
from bench.figures import Figure
from bench.report import print_report, write_json
from bench.seed import Facts, seed
from bench.server import Server
from bench.watched import Watched
from phiomia.activitypub.signatures import cavage
from phiomia.activitypub.signatures.keys import load_private
from phiomia.domain.accounts.models import accounts
from phiomia.platform.clock import now_ms
from phiomia.platform.db import insert_into, open_database
from phiomia.platform.ids import new_id

BASE = "https://bench.example"
PUBLIC = "https://www.w3.org/ns/activitystreams#Public"
ACTIVITY = "application/activity+json"
SIGNERS = 40
_PATIENCE = 120.0
_OWN_STATUS = """
    SELECT a.username, s.id FROM statuses s JOIN accounts a ON a.id = s.account_id
    WHERE a.domain = '' AND s.visibility = 0 AND s.reblog_of_id IS NULL LIMIT 1
"""
_ACCOUNT = insert_into(
    accounts, "id", "username", "username_key", "domain", "uri", "inbox_url", "key_id", "public_key", "fetched_at",
    "key_fetched_at", "created_at",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 1 with --check when a budget is not kept."""
    parser = argparse.ArgumentParser(prog="python -m bench.inbox", description=__doc__)
    parser.add_argument("--number", type=int, default=1_000, help="of each kind of request (default 1000)")
    parser.add_argument("--database", default="", help="postgresql://… of an empty database (default: SQLite)")
    parser.add_argument("--json", type=Path, help="write the figures to a file, too")
    parser.add_argument("--check", action="store_true", help="fail when a budget is not kept")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="phiomia-bench-") as folder:
        url = options.database or f"sqlite:///{folder}/phiomia.sqlite3"
        with Watched(url) as watched:
            figures = _measure(Path(folder), watched, options.number)
    title = f"{options.number} of each on {url.partition(':')[0]}, load average {os.getloadavg()[0]:.1f}"
    print_report(figures, title)
    if options.json:
        write_json(figures, {"load": os.getloadavg()[0], "at": int(time.time())}, options.json)
    return 1 if options.check and any(figure.kept is False for figure in figures) else 0


class Signer:
    """Somebody elsewhere, with a key that is known here."""

    def __init__(self, number: int, private: str, public: str) -> None:
        self.uri = f"https://host-{number}.peers.test/users/someone"
        self.key_id, self.private, self.public = f"{self.uri}#main-key", private, public
        self._number = number

    def row(self) -> dict[str, Any]:
        """The account as it is stored."""
        now = now_ms()
        known = {"id": new_id(), "username": "someone", "username_key": "someone", "domain": urlsplit(self.uri).netloc}
        keys = {"key_id": self.key_id, "public_key": self.public, "fetched_at": now, "key_fetched_at": now}
        return known | keys | {"uri": self.uri, "inbox_url": f"{self.uri}/inbox", "created_at": now}

    def post(self, activity: Mapping[str, Any], path: str = "/inbox") -> bytes:
        """A delivery as it goes over the wire."""
        body = json.dumps({"@context": "https://www.w3.org/ns/activitystreams", **activity}).encode()
        key = load_private(self.private)
        headers = cavage.sign_request("POST", f"{BASE}{path}", self.key_id, key, time.time(), body)
        return _wire("POST", path, {**headers, "Content-Type": ACTIVITY, "Content-Length": str(len(body))}) + body

    def get(self, path: str) -> bytes:
        """A signed question."""
        headers = cavage.sign_request("GET", f"{BASE}{path}", self.key_id, load_private(self.private), time.time())
        return _wire("GET", path, {**headers, "Accept": ACTIVITY})

    def like(self, number: int) -> dict[str, Any]:
        """An activity that is accepted, and of which nothing comes."""
        about = f"{BASE}/users/nobody/statuses/1"
        return {"id": f"{self.uri}/likes/{number}", "type": "Like", "actor": self.uri, "object": about}

    def create(self, number: int, member: str) -> dict[str, Any]:
        """A public post that names a member."""
        me, uri = f"{BASE}/users/{member}", f"{self.uri}/statuses/{number}"
        note = {
            "id": uri, "type": "Note", "attributedTo": self.uri, "to": [PUBLIC], "cc": [me, f"{self.uri}/followers"],
            "content": f"<p>Hello <a href=\"{me}\" class=\"u-url mention\">@{member}</a>, this is number {number}.</p>",
            "published": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "tag": [{"type": "Mention", "href": me, "name": f"@{member}@bench.example"}],
        }  # fmt: skip
        return {
            "id": f"{uri}/activity",
            "type": "Create",
            "actor": self.uri,
            "object": note,
            "to": note["to"],
            "cc": note["cc"],
        }


def _wire(method: str, path: str, headers: Mapping[str, str]) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "User-Agent: bench", "", ""]).encode()


def _make_signers() -> list[Signer]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain).decode()
    shown = serialization.PublicFormat.SubjectPublicKeyInfo
    public = key.public_key().public_bytes(serialization.Encoding.PEM, shown).decode()
    return [Signer(number, private, public) for number in range(SIGNERS)]


async def _prepare(url: str, signers: Sequence[Signer]) -> Facts:
    facts = await seed(url, 2_000)
    db = open_database(url)
    await db.start()
    await db.write(lambda session: session.execute_many(_ACCOUNT, [one.row() for one in signers]))
    await db.close()
    return facts


def _measure(folder: Path, watched: Watched, number: int) -> list[Figure]:
    data, signers = folder / "data", _make_signers()
    asyncio.run(_prepare(watched.url, signers))
    member, status = watched.first(_OWN_STATUS)
    page = f"/users/{member}/statuses/{status}"
    with _open_silent(folder) as (silent, peer):
        pins = [f"{urlsplit(one.uri).netloc}=127.0.0.1:{silent}" for one in signers]
        pins += [f"bad-{n}.peers.test=127.0.0.1:{silent}" for n in range(4)] + [f"new.peers.test=127.0.0.1:{peer.port}"]
        settings = {"PHIOMIA_PUBLIC_URL": BASE, "PHIOMIA_ALLOW_PRIVATE": "127.0.0.0/8",
                    "PHIOMIA_PINNED_HOSTS": ",".join(pins), "SSL_CERT_FILE": str(peer.certificate)}  # fmt: skip
        server = Server(data, watched.url, settings=settings)
        server.start()
        try:
            _warm_up(server, signers, member, page, watched)
            figures = [
                _measure_accepting(server, signers, number),
                *_measure_mentions(server, signers, member, number // 2, watched),
                _measure_farewells(server, signers, 2 * number),
                _measure_questions(server, signers, page, 3 * number, "signed GETs of one object"),
                _measure_bad_peer(server, signers, member, number // 2, watched),
                _measure_first_follow(server, peer, member, signers[0]),
            ]
        finally:
            server.stop()
        server = Server(data, watched.url, settings=settings | {"PHIOMIA_FEDERATION_AUTHORIZED_FETCH": "on"})
        server.start()
        try:
            figures.append(_measure_questions(server, signers, page, 3 * number, "the same, signatures checked"))
        finally:
            server.stop()
    return figures


def _warm_up(server: Server, signers: Sequence[Signer], member: str, page: str, watched: Watched) -> None:
    _send(server, [one.post(one.like(-n)) for n, one in enumerate(signers)] * 2, 202)
    _send(server, [one.post(one.create(-n, member)) for n, one in enumerate(signers, 1)], 202)
    _until(lambda: _count(watched) >= SIGNERS, "what was sent to warm up is here")
    _send(server, [signers[0].get(page)] * 40, 200)


def _send(server: Server, requests: Sequence[bytes], status: int) -> load.Passed:
    passed = load.run(server.address, requests, seconds=_PATIENCE, most=len(requests))
    wrong = [one for one in passed.refused if not one.startswith(f"HTTP/1.1 {status}".encode())]
    if wrong:
        raise RuntimeError(f"{len(wrong)} were not answered with {status}: {wrong[0]!r}")
    return passed


def _measure_accepting(server: Server, signers: Sequence[Signer], number: int) -> Figure:
    requests = [signers[n % SIGNERS].post(signers[n % SIGNERS].like(n + 1)) for n in range(number)]
    web = server.role("web")
    before = count_cpu_seconds(web)
    passed = _send(server, requests, 202)
    spent = count_cpu_seconds(web) - before
    more = {"CPU ms": round(spent / number * 1000, 2), "p99_ms": round(passed.latency_ms(0.99), 1)}
    return Figure("inbox", "accepted, key known", number / spent, "1/CPU s", 500.0, better="more", more=more)


def _measure_mentions(
    server: Server, signers: Sequence[Signer], member: str, number: int, watched: Watched
) -> list[Figure]:
    time.sleep(2.0)  # what came before is carried out meanwhile
    known = _count(watched)
    requests = [signers[n % SIGNERS].post(signers[n % SIGNERS].create(n + 1, member)) for n in range(number)]
    before = count_cpu_seconds([server.pid])
    _send(server, requests, 202)
    _until(lambda: _count(watched) >= known + number, "every post is here")
    time.sleep(1.0)
    spent = (count_cpu_seconds([server.pid]) - before) / number * 1000
    waits = []
    line = load.Line(server.address)
    for n in range(20):
        known = _count(watched)
        sent = signers[n].post(signers[n].create(10**6 + n, member))
        begun = time.perf_counter()
        line.send(sent)
        while not line.receive():
            pass
        _until(lambda known=known: _count(watched) > known, "a post is here", 0.002)
        waits.append((time.perf_counter() - begun) * 1000)
    return [
        Figure("inbox", "Create with a mention, every role", spent, "CPU ms", 8.0),
        Figure("inbox", "Create, sent to seen", statistics.median(waits), "ms", more={"most": round(max(waits), 1)}),
    ]


def _measure_farewells(server: Server, signers: Sequence[Signer], number: int) -> Figure:
    requests = []
    for n in range(number):
        gone = f"https://host-{n % SIGNERS}.peers.test/users/unknown-{n}"
        sent = {"id": f"{gone}#delete", "type": "Delete", "actor": gone, "object": gone, "to": [PUBLIC]}
        requests.append(signers[n % SIGNERS].post(sent))
    before = count_cpu_seconds([server.pid])
    passed = _send(server, requests, 202)
    spent = count_cpu_seconds([server.pid]) - before
    more = {"seconds": round(passed.seconds, 1), "CPU ms each": round(spent / number * 1000, 2)}
    return Figure("inbox", f"{number} Deletes of strangers", spent * 2_000 / number, "CPU s / 2000", 1.0, more=more)


def _measure_questions(server: Server, signers: Sequence[Signer], page: str, number: int, name: str) -> Figure:
    requests = [one.get(page) for one in signers]
    _send(server, requests * 2, 200)
    web = server.role("web")
    before = count_cpu_seconds(web)
    passed = load.run(server.address, requests, seconds=_PATIENCE, most=number)
    if passed.refused:
        raise RuntimeError(f"refused: {passed.refused[0]!r}")
    spent = (count_cpu_seconds(web) - before) / number * 1000
    return Figure("documents", name, spent, "CPU ms", 0.5, more={"1/s": round(passed.per_second)})


def _measure_bad_peer(server: Server, signers: Sequence[Signer], member: str, number: int, watched: Watched) -> Figure:
    """How much longer posts take while another server lets us wait for answers to everything it has sent."""
    took = []
    for turn in range(3):
        if turn == 2:
            _defer_hanging(watched.url, number)
        known = _count(watched)
        requests = [
            signers[n % SIGNERS].post(signers[n % SIGNERS].create(2 * 10**6 + turn * 10**6 + n, member))
            for n in range(number)
        ]
        begun = time.perf_counter()
        _send(server, requests, 202)
        _until(lambda known=known: _count(watched) >= known + number, "every post is here", 0.01)
        took.append(time.perf_counter() - begun)
    return Figure("inbox", "the same beside a server that hangs", took[2] / statistics.mean(took[:2]), "x", 1.5)


def _defer_hanging(url: str, number: int) -> None:
    """Follows by people whose servers take connections and say nothing, as the inbox would have accepted them."""
    from phiomia.federation.inbox.jobs import TakeActivity
    from phiomia.platform.jobs import defer

    async def write() -> None:
        db = open_database(url)
        await db.start()
        try:
            for n in range(number):
                host = f"bad-{n % 4}.peers.test"
                uri = f"https://{host}/users/{n}"
                sent = {"id": f"{uri}/1", "type": "Follow", "actor": uri, "object": f"{BASE}/users/nobody"}
                job = TakeActivity(json.dumps(sent), uri, received_at=now_ms())
                await db.write(lambda session, job=job, host=host: defer(session, job, host=host))
        finally:
            await db.close()

    asyncio.run(write())
    time.sleep(1.0)


class Peer:
    """A server that nobody has heard of: an actor with a key, and an inbox that notes when something came."""

    def __init__(self, certificate: Path) -> None:
        self.certificate = certificate
        self.actor: dict[str, Any] = {}
        self.heard: list[float] = []
        self.port = 0
        self._started = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True).start()
        self._started.wait(30)

    async def _serve(self) -> None:
        from aiohttp import web

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate)
        runner = web.ServerRunner(web.Server(self._answer))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        self.port = runner.addresses[0][1]
        self._started.set()
        await asyncio.Event().wait()

    async def _answer(self, request: Any) -> Any:
        from aiohttp import web

        if request.method == "POST":
            await request.read()
            self.heard.append(time.perf_counter())
            return web.Response(status=202)
        if request.path == "/.well-known/webfinger":
            link = {"rel": "self", "type": ACTIVITY, "href": self.actor["id"]}
            found = {"subject": "acct:new@new.peers.test", "links": [link]}
            return web.json_response(found, content_type="application/jrd+json")
        return web.json_response(self.actor, content_type=ACTIVITY)


def _measure_first_follow(server: Server, peer: Peer, member: str, known: Signer) -> Figure:
    """From the Follow of somebody unknown to the Accept at their server: key, actor and WebFinger are fetched."""
    new = Signer(0, known.private, known.public)
    new.uri, new.key_id = "https://new.peers.test/users/new", "https://new.peers.test/users/new#main-key"
    peer.actor = {
        "@context": "https://www.w3.org/ns/activitystreams", "id": new.uri, "type": "Person",
        "preferredUsername": "new", "inbox": f"{new.uri}/inbox",
        "publicKey": {"id": new.key_id, "owner": new.uri, "publicKeyPem": new.public},
    }  # fmt: skip
    sent = {"id": f"{new.uri}/follows/1", "type": "Follow", "actor": new.uri, "object": f"{BASE}/users/{member}"}
    begun = time.perf_counter()
    _send(server, [new.post(sent)], 202)
    answered = time.perf_counter()
    _until(lambda: bool(peer.heard), "the follow is accepted", 0.005)
    more = {"answered after": round((answered - begun) * 1000)}
    return Figure("inbox", "first follow of a stranger to its Accept", (peer.heard[0] - begun) * 1000, "ms", more=more)


@contextlib.contextmanager
def _open_silent(folder: Path) -> Iterator[tuple[int, Peer]]:
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as silent:
        yield silent.getsockname()[1], Peer(certify(folder))


def _count(watched: Watched) -> int:
    return int(watched.first("SELECT count(*) FROM statuses WHERE uri LIKE 'https://host-%'")[0])


def _until(condition: Callable[[], bool], what: str, pause: float = 0.05) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"never came to pass: {what}")
        time.sleep(pause)


if __name__ == "__main__":
    sys.exit(main())
