"""Another server, made of what a test says: actors with keys, documents, and an inbox that keeps what it gets.

    with FakePeer() as peer:
        alice = peer.add_actor("alice")
        note = alice.note("<p>Hello</p>")
        request = alice.sign_post(f"{url}/inbox", alice.create(note))
        requests.post(request.url, data=request.body, headers=request.headers)
        assert peer.received("/inbox") == []

It listens on loopback with TLS in a thread of its own, so that tests may be coroutines or not. Its certificate is of
the authority in `authority.py`: give a server `SSL_CERT_FILE=str(authority().file)` and
`PHIOMIA_ALLOW_PRIVATE=127.0.0.0/8`, or a Fetcher `peer_options(…)`.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import json
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from phiomia.activitypub.signatures import cavage, rfc9421
from phiomia.activitypub.signatures.keys import load_private
from phiomia.platform.http import FetchOptions
from phiomia.platform.reachable import networks

from .authority import authority

ACTIVITY = "application/activity+json"
CONTEXT = ["https://www.w3.org/ns/activitystreams", "https://w3id.org/security/v1"]
PUBLIC = "https://www.w3.org/ns/activitystreams#Public"
_SCHEMES = {"cavage": cavage.sign_request, "rfc9421": rfc9421.sign_request}
_numbers = itertools.count(1)

Respond = Callable[[web.Request], Awaitable[web.StreamResponse]]


@functools.cache
def key_pair(number: int = 0) -> tuple[str, str]:
    """A private and a public key as PEM; one pair for each number in a run, since finding primes takes long."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


def peer_options(base_url: str, **more: Any) -> FetchOptions:
    """What a Fetcher in the test's own process needs to reach fake peers."""
    return FetchOptions(
        base_url=base_url,
        allow_private=networks(["127.0.0.0/8"]),
        ssl_context=authority().client_context(),
        **more,
    )


@dataclass(frozen=True)
class Signed:
    """A request ready to be sent."""

    url: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Received:
    """A request that the peer got."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def activity(self) -> dict[str, Any]:
        """The body as an object."""
        decoded: dict[str, Any] = json.loads(self.body)
        return decoded


@dataclass
class FakeActor:
    """Somebody on the peer. `document` may be changed freely; so may `private_key`, to sign with a wrong one."""

    base: str
    name: str
    document: dict[str, Any]
    private_key: str
    key_id: str

    @property
    def uri(self) -> str:
        """The actor's id."""
        uri: str = self.document["id"]
        return uri

    @property
    def handle(self) -> str:
        """The handle, without a leading @."""
        return f"{self.name}@{urlsplit(self.base).netloc}"

    def rotate(self, number: int) -> None:
        """Gives the actor another pair of keys, under the same id."""
        self.private_key, self.document["publicKey"]["publicKeyPem"] = key_pair(number)

    def sign_post(
        self, url: str, activity: Mapping[str, Any] | bytes, *, scheme: str = "cavage", now: float | None = None
    ) -> Signed:
        """A delivery as it goes over the wire."""
        body = activity if isinstance(activity, bytes) else json.dumps(activity).encode()
        moment = time.time() if now is None else now
        headers = _SCHEMES[scheme]("POST", url, self.key_id, load_private(self.private_key), moment, body)
        return Signed(url, {"Content-Type": ACTIVITY, **headers}, body)

    def sign_get(self, url: str, *, scheme: str = "cavage", now: float | None = None) -> dict[str, str]:
        """The headers of a signed GET."""
        moment = time.time() if now is None else now
        signed = _SCHEMES[scheme]("GET", url, self.key_id, load_private(self.private_key), moment, None)
        return {"Accept": ACTIVITY, **signed}

    def activity(self, kind: str, object_: Any, **more: Any) -> dict[str, Any]:
        """Any activity of this actor."""
        id_ = f"{self.uri}/activities/{next(_numbers)}"
        return {"@context": CONTEXT, "id": id_, "type": kind, "actor": self.uri, "object": object_, **more}

    def note(self, content: str = "<p>Hello</p>", **more: Any) -> dict[str, Any]:
        """A public note of this actor; nobody can fetch it unless the test puts it among the peer's documents."""
        return {
            "id": f"{self.uri}/statuses/{next(_numbers)}",
            "type": "Note",
            "attributedTo": self.uri,
            "content": content,
            "published": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "to": [PUBLIC],
            "cc": [f"{self.uri}/followers"],
            **more,
        }

    def create(self, note: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        """The Create of a note."""
        return self.activity("Create", dict(note), to=note.get("to", []), cc=note.get("cc", []), **more)


@dataclass
class FakePeer:
    """One server on https://127.0.0.1:port. `documents` maps paths to what is answered: an object, or a responder."""

    host: str = "127.0.0.1"
    documents: dict[str, dict[str, Any] | Respond] = field(default_factory=dict)
    actors: dict[str, FakeActor] = field(default_factory=dict)
    requests: list[Received] = field(default_factory=list)
    inbox_status: int = 202
    inbox_headers: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> FakePeer:
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        assert started.wait(30), "the fake peer does not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)

    @property
    def url(self) -> str:
        """The base of all ids."""
        return f"https://{self.domain}"

    @property
    def domain(self) -> str:
        """What stands behind @ in handles."""
        return f"{self.host}:{self.port}"

    def add_actor(self, name: str, /, *, key: int = 0, **more: Any) -> FakeActor:
        """Somebody new, with WebFinger; `more` becomes part of the document."""
        uri = f"{self.url}/users/{name}"
        private, public = key_pair(key)
        document = {
            "@context": CONTEXT,
            "id": uri,
            "type": "Person",
            "preferredUsername": name,
            "name": name.capitalize(),
            "summary": f"<p>I am {name}</p>",
            "inbox": f"{uri}/inbox",
            "outbox": f"{uri}/outbox",
            "followers": f"{uri}/followers",
            "following": f"{uri}/following",
            "url": f"{self.url}/@{name}",
            "endpoints": {"sharedInbox": f"{self.url}/inbox"},
            "publicKey": {"id": f"{uri}#main-key", "owner": uri, "publicKeyPem": public},
            **more,
        }
        actor = FakeActor(self.url, name, document, private, f"{uri}#main-key")
        self.actors[name] = actor
        self.put(document)
        return actor

    def put(self, document: dict[str, Any]) -> str:
        """Lets a document be fetched at its id; gives the id."""
        uri: str = document["id"]
        parts = urlsplit(uri)
        self.documents[parts.path + (f"?{parts.query}" if parts.query else "")] = document
        return uri

    def received(self, path: str | None = None) -> list[dict[str, Any]]:
        """The activities that came, to one path or to any inbox."""
        return [one.activity for one in self.requests if one.method == "POST" and path in (None, one.path)]

    def asked(self, path: str) -> int:
        """How often a path was asked for."""
        return sum(one.method == "GET" and one.path == path for one in self.requests)

    def _run(self, started: threading.Event) -> None:
        asyncio.run(self._serve(started))

    async def _serve(self, started: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        runner = web.ServerRunner(web.Server(self._answer), shutdown_timeout=0.1)
        await runner.setup()
        context = authority().server_context(self.host)
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        self.port = runner.addresses[0][1]
        started.set()
        await self._stop.wait()
        await runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path_qs
        self.requests.append(Received(request.method, path, dict(request.headers), await request.read()))
        if request.path == "/.well-known/webfinger":
            return self._answer_webfinger(parse_qs(request.query_string).get("resource", [""])[0])
        if request.method == "POST":
            return web.Response(status=self.inbox_status, headers=self.inbox_headers)
        found = self.documents.get(path)
        if found is None:
            return web.Response(status=404)
        if callable(found):
            with contextlib.suppress(ConnectionError):
                return await found(request)  # type: ignore[arg-type]
        return web.Response(body=json.dumps(found).encode(), headers={"Content-Type": ACTIVITY})

    def _answer_webfinger(self, resource: str) -> web.Response:
        actor = self.actors.get(resource.removeprefix("acct:").partition("@")[0])
        if actor is None:
            return web.Response(status=404)
        links = [{"rel": "self", "type": ACTIVITY, "href": actor.uri}]
        body = json.dumps({"subject": f"acct:{actor.handle}", "aliases": [], "links": links}).encode()
        return web.Response(body=body, headers={"Content-Type": "application/jrd+json"})
