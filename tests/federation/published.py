"""A server that publishes, without a process around it: documents beside pages, on a database of its own.

    @publishing()
    async def test_something(site: Site) -> None:
        alice = await make_account(site.db, "alice")
        answer = await site.get("/users/alice")
        assert answer.document["preferredUsername"] == "alice"

runs on both databases. Keys of those who sign are looked up as in life; a test that lets somebody sign runs a FakePeer.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import falcon.testing

from phiomia.domain.peers.rules import DomainRules
from phiomia.domain.statuses.create import create_status
from phiomia.domain.statuses.draft import StatusDraft
from phiomia.entities.fragments import Fragments
from phiomia.entities.links import Links
from phiomia.federation.context import Federation
from phiomia.federation.documents.rendered import Shelves
from phiomia.federation.documents_of_others import Documents
from phiomia.federation.keys import Keys
from phiomia.federation.outside import Outside
from phiomia.federation.routes import mount_federation
from phiomia.platform.asgi import QuickApp
from phiomia.platform.bus import LocalBus
from phiomia.platform.db import Database, Query, open_database
from phiomia.platform.events import Services
from phiomia.platform.rates import Rates
from phiomia.platform.settings import Config, RateLimits
from phiomia.platform.settings import Federation as Settings
from phiomia.side_effects import SIDE_EFFECTS
from phiomia.web.context import WebContext
from phiomia.web.routes import mount as mount_pages
from plays import on_both_databases
from world import Account, make_account

from .fake_peer import FakeActor, peer_options

BASE = "https://phiomia.example"
ACTIVITY = "application/activity+json"


@dataclass(frozen=True)
class Answer:
    """What came back; `body` is unpacked."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        """The body as an object."""
        assert self.status == 200, (self.status, self.body)
        decoded: dict[str, Any] = json.loads(self.body)
        return decoded

    @property
    def type(self) -> str:
        """The media type alone."""
        return self.headers.get("content-type", "").partition(";")[0]


@dataclass
class Site:
    """The server."""

    config: Config
    db: Database
    links: Links
    federation: Federation
    conductor: Any

    async def get(self, address: str, accept: str = ACTIVITY, method: str = "GET", **headers: str) -> Answer:
        """Asks for a path, or for an id of this server's."""
        parts = urlsplit(address)
        sent = {name.replace("_", "-"): value for name, value in headers.items()} | (
            {"Accept": accept} if accept else {}
        )
        result = await self.conductor.simulate_request(
            method, parts.path, query_string=parts.query, headers=sent, host=urlsplit(BASE).netloc
        )
        packed = result.headers.get("content-encoding") == "gzip"
        return Answer(result.status_code, result.headers, gzip.decompress(result.content) if packed else result.content)

    async def get_as(self, actor: FakeActor, address: str, url: str = "", **more: Any) -> Answer:
        """Asks with somebody's signature, which may be one for another `url`."""
        address = address if address.startswith("https:") else f"{BASE}{address}"
        headers = {name.title(): value for name, value in actor.sign_get(url or address, **more).items()}
        headers.pop("Host", None)  # is sent in any case
        return await self.get(address, headers.pop("Accept"), **headers)

    async def post(self, author: Account, text: str = "Hello", **more: Any) -> int:
        """A status."""
        draft = StatusDraft(author.id, content=f"<p>{text}</p>", **more)
        return await self.db.write(lambda session: create_status(session, draft))

    async def execute(self, sql: str, **parameters: Any) -> None:
        """Runs hand-written SQL."""
        await self.db.write(lambda session: session.execute(Query.raw(sqlite=sql), **parameters))

    async def meet(self, actor: FakeActor) -> Account:
        """Makes somebody of another server known here."""
        domain = urlsplit(actor.base).netloc
        account = await make_account(self.db, actor.name, domain=domain)
        pem = actor.document["publicKey"]["publicKeyPem"]
        await self.execute(
            "UPDATE accounts SET rev = rev + 1, key_id = :key, public_key = :pem WHERE id = :id",
            key=actor.key_id,
            pem=pem,
            id=account.id,
        )
        return account

    def uri(self, username: str, status_id: int) -> str:
        """The id of a status."""
        return self.links.status_uri(username, status_id)


class _App(QuickApp):
    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:  # type: ignore[override]
        # Servers give a list of pairs, which can be read twice.
        if "headers" in scope:
            scope["headers"] = [tuple(pair) for pair in scope["headers"]]
        await super().__call__(scope, receive, send)


@asynccontextmanager
async def open_site(url: str, **settings: Any) -> AsyncIterator[Site]:
    """A site on a database that has its tables."""
    config = Config(public_url=BASE, rate_limits=RateLimits(enabled=False), **settings)
    db = open_database(url)
    await db.start()
    bus = LocalBus()
    await bus.start()
    db.services = Services(side_effects=SIDE_EFFECTS, bus=bus, config=config)
    links = Links(BASE, config.domain, lambda key: f"{BASE}/media/{key}")
    rules = DomainRules(db, allow_only=config.federation.mode == "allowlist", look_every_s=0)
    outside = Outside(config, db, peer_options(BASE))
    keys = Keys(db, Documents(outside, rules, frozenset({config.web_domain, config.domain}), None))
    federation = Federation(config, db, links, Shelves(100, 100), rules, keys)
    app = _App()
    pages = mount_federation(app, federation)
    mount_pages(pages, WebContext(config=config, db=db, rates=Rates(), fragments=Fragments(links)))
    try:
        yield Site(config, db, links, federation, falcon.testing.ASGIConductor(app))
    finally:
        await outside.close()
        await db.close()
        await bus.close()


def publishing(**settings: Any) -> Callable[[Callable[[Site], Awaitable[None]]], Callable[[str], None]]:
    """Makes a test of a coroutine that gets a Site; it runs on both databases."""

    def tell(play: Callable[[Site], Awaitable[None]]) -> Callable[[str], None]:
        async def run(url: str) -> None:
            async with open_site(url, **settings) as site:
                await play(site)

        return on_both_databases(play, run)

    return tell


SECURE = Settings(authorized_fetch="on")
