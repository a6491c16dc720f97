"""What attacks need: a server that must not be reached, and a look at all that could have changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from phiomia.federation.exchange import Exchange
from phiomia.platform.db import Query
from phiomia.platform.http import FetchOptions
from phiomia.platform.pinned_names import Place, resolver_of
from phiomia.platform.reachable import networks

from ..authority import authority
from ..fake_peer import ACTIVITY, Respond
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


def with_walls(here: Here, inside: Inside) -> Exchange:
    """The exchange of a server that reaches fake peers, but nothing at the address of `inside`."""
    options = FetchOptions(
        base_url=here.exchange.config.base_url,
        allow_private=networks(["127.0.0.1/32"]),
        ssl_context=authority().client_context(),
        resolver=resolver_of({INSIDE: Place("127.0.0.2", inside.port)}),
    )
    return Exchange(here.exchange.config, here.world.db, here.exchange.links, options)


def say(body: bytes = b"", status: int = 200, **headers: str) -> Respond:
    """Answers always the same."""
    told = {"Content-Type": ACTIVITY} | {name.replace("_", "-"): value for name, value in headers.items()}

    async def respond(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=body, status=status, headers=told)

    return respond
