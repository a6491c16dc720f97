"""Our server's receiving end within the test: the inbox, a worker's turn, and fake peers to hear from.

@receiving
async def test_something(here: Here) -> None:
    peer = here.peer()
    alice = peer.add_actor("alice")
    assert (await here.deliver(alice.sign_post(INBOX, alice.activity("Like", "…")))).status == 202
    await here.work()
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import msgspec

from phiomia.federation.exchange import Exchange
from phiomia.federation.inbox.crowd import Crowd
from phiomia.federation.inbox.handlers import HANDLERS
from phiomia.federation.inbox.jobs import TakeActivity
from phiomia.federation.inbox.receive import Inbox, Receipt
from phiomia.federation.inbox.web import mount_inboxes
from phiomia.platform.asgi import QuickApp
from phiomia.platform.db import Query
from phiomia.platform.jobs.handlers import Discard, Retry
from phiomia.platform.settings import Config, Federation
from plays import on_both_databases
from world import BASE, World, open_world

from .fake_peer import FakePeer, Signed, peer_options

INBOX = f"{BASE}/inbox"
_RUN = {handler.job_type.TYPE: handler for handler in HANDLERS}
_WAITING = Query.raw(sqlite="SELECT id, type, args FROM jobs ORDER BY id")
_KNOWN = Query.raw(sqlite="SELECT uri FROM accounts WHERE domain <> '' ORDER BY id")
_MODULES = ("statuses", "search", "accounts", "polls", "collections", "featured_tags")
_DONE = Query.raw(sqlite="DELETE FROM jobs WHERE id = :id")


@dataclass(frozen=True)
class Answer:
    """What our inbox said."""

    status_code: int
    headers: dict[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return msgspec.json.decode(self.content)


async def call(app: Any, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """The answer of an application to a POST, with exactly these headers."""
    sent: list[dict[str, Any]] = []
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(event: dict[str, Any]) -> None:
        sent.append(event)

    await app(scope, receive, send)
    told = {name.decode().title(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], told, b"".join(event.get("body", b"") for event in sent[1:]))


@dataclass
class Here:
    """Our side."""

    world: World
    exchange: Exchange
    inbox: Inbox
    cleanup: ExitStack

    def peer(self) -> FakePeer:
        """Another server, until the test ends."""
        return self.cleanup.enter_context(FakePeer())

    @cached_property
    def _app(self) -> QuickApp:
        # To make one takes longer than most requests do.
        app = QuickApp()
        mount_inboxes(app, self.inbox, BASE)
        return app

    async def deliver(self, request: Signed, **headers: str | None) -> Answer:
        """What our inbox answers; a header that is None is left out."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent: dict[str, str] = {
            name: value for name, value in {**request.headers, **named}.items() if value is not None
        }
        sent.setdefault("Content-Length", str(len(request.body)))
        return await call(self._app, request.url.removeprefix(BASE), sent, request.body)

    async def waiting(self, kind: type[Any] = TakeActivity) -> list[Any]:
        """The jobs of a kind that wait."""
        async with self.world.db.read() as session:
            rows = await session.all(_WAITING)
        return [msgspec.json.decode(row[2], type=kind) for row in rows if row[1] == kind.TYPE]

    async def work(self) -> list[str]:
        """Lets the worker do all that it can do; gives what it was to try again, and why."""
        context, again = SimpleNamespace(exchange=self.exchange, db=self.world.db, inbox=self.exchange.inbox), []
        for _ in range(20):
            async with self.world.db.read() as session:
                rows = [row for row in await session.all(_WAITING) if row[1] in _RUN]
            if not rows:
                break
            for id_, kind, args in rows:
                handler = _RUN[kind]
                await self.world.db.write(lambda session, id_=id_: session.execute(_DONE, id=id_))
                try:
                    await handler.run(context, msgspec.json.decode(args, type=handler.job_type))
                except Retry as wish:
                    again.append(str(wish))
                except Discard:
                    pass
        return again

    async def accounts(self) -> list[str]:
        """The ids of all accounts of other servers."""
        async with self.world.db.read() as session:
            return list(await session.column(_KNOWN))


Play = Callable[[Here], Awaitable[None]]


def receiving(play: Play) -> Callable[[str], None]:
    """Makes a test of a coroutine that gets Here; it runs on both databases."""
    return receiving_with()(play)


def receiving_with(**federation: Any) -> Callable[[Play], Callable[[str], None]]:
    """The same with other settings of the section `federation`."""

    def make(play: Play) -> Callable[[str], None]:
        async def run(url: str) -> None:
            async with open_world(url, *_MODULES, effects=True) as world:
                config = Config(public_url=BASE, allow_private=["127.0.0.0/8"], federation=Federation(**federation))
                links = world.api.fragments.links
                own = frozenset({BASE.partition("://")[2]})
                exchange = Exchange(config, world.db, links, peer_options(BASE, own_hosts=own))
                exchange.rules._look_every_s = 0.0
                with ExitStack() as cleanup:
                    try:
                        inbox = Inbox(world.db, exchange.keys, exchange.rules, exchange.own, Crowd(world.db))
                        await play(Here(world, exchange, inbox, cleanup))
                    finally:
                        await exchange.close()

        return on_both_databases(play, run)

    return make


__all__ = ["INBOX", "Here", "Receipt", "receiving", "receiving_with"]
