"""What attacks need: a server that must not be reached, and a look at all that could have changed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import aiohttp
import uvicorn
from aiohttp import web

from phiomia.federation.exchange import Exchange
from phiomia.federation.inbox.web import mount_inboxes
from phiomia.platform.asgi import QuickApp
from phiomia.platform.db import Query
from phiomia.platform.http import FetchOptions
from phiomia.platform.pinned_names import Place, resolver_of
from phiomia.platform.reachable import networks
from world import BASE

from ..authority import authority
from ..fake_peer import ACTIVITY, Respond, Signed
from ..receiving import Here

INSIDE = "inside.example"
_TABLES = ("statuses", "accounts", "follows", "follow_requests", "favourites", "blocks", "pins", "poll_votes", "quotes",
           "notifications", "status_mentions", "reports", "custom_emojis", "featured_tags")  # fmt: skip
_ALL = {name: Query.raw(sqlite=f"SELECT * FROM {name} ORDER BY 1, 2") for name in _TABLES}


async def look(here: Here) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that an activity could change."""
    async with here.world.db.read() as session:
        return {name: [tuple(row) for row in await session.all(query)] for name, query in _ALL.items()}


@dataclass
class Inside:
    """A listener on an address of ours that nobody outside may make us connect to."""

    port: int = 0
    connections: int = 0


@asynccontextmanager
async def open_inside() -> AsyncIterator[Inside]:
    """A listener that counts who connects."""
    inside = Inside()

    async def count(_reader: Any, writer: asyncio.StreamWriter) -> None:
        inside.connections += 1
        writer.close()

    server = await asyncio.start_server(count, "127.0.0.2", 0)
    inside.port = server.sockets[0].getsockname()[1]
    async with server:
        yield inside


def with_walls(here: Here, inside: Inside, **more: Any) -> Exchange:
    """The exchange of a server that reaches fake peers, but nothing at the address of `inside`."""
    options = FetchOptions(
        base_url=here.exchange.config.base_url,
        allow_private=networks(["127.0.0.1/32"]),
        ssl_context=authority().client_context(),
        resolver=resolver_of({INSIDE: Place("127.0.0.2", inside.port)}),
        **more,
    )
    return Exchange(here.exchange.config, here.world.db, here.exchange.links, options)


@contextmanager
def hear(*modules: Any) -> Iterator[list[dict[str, Any]]]:
    """The lines that modules log, of every level."""
    lines: list[dict[str, Any]] = []

    def note(event: str, **values: Any) -> None:
        lines.append({"event": event, **values})

    kept = [module.log for module in modules]
    for module in modules:
        module.log = SimpleNamespace(debug=note, info=note, warning=note, error=note)
    try:
        yield lines
    finally:
        for module, log in zip(modules, kept, strict=True):
            module.log = log


Post = Callable[[Signed], Awaitable[int]]


@asynccontextmanager
async def open_inbox(here: Here) -> AsyncIterator[Post]:
    """Our inboxes on a port of this machine; sends what is signed there, and gives the status of the answer."""
    app = QuickApp()
    mount_inboxes(app, here.inbox, BASE)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, ws="none"))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    place = f"http://127.0.0.1:{listener.getsockname()[1]}"

    async def post(request: Signed) -> int:
        url = place + request.url.removeprefix(BASE)
        async with session.post(url, data=request.body, headers=request.headers) as answer:
            return answer.status

    try:
        async with aiohttp.ClientSession() as session:
            yield post
    finally:
        server.should_exit = True
        await task


def say(body: bytes = b"", status: int = 200, **headers: str) -> Respond:
    """Answers always the same."""
    told = {"Content-Type": ACTIVITY} | {name.replace("_", "-"): value for name, value in headers.items()}

    async def respond(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=body, status=status, headers=told)

    return respond
