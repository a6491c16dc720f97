"""The streaming process: joins the feed and the server, and ends both."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from phiomia.platform.bus import Bus
from phiomia.platform.config import Config
from phiomia.platform.db import Database
from phiomia.platform.passing import Taker
from phiomia.streaming.feed import Feed
from phiomia.streaming.hall import Hall, Limits
from phiomia.streaming.metrics import StreamingMetrics
from phiomia.streaming.ports import Authenticator, Renderer
from phiomia.streaming.server import StreamingServer


@dataclass
class StreamingContext:
    """What the role needs; the database is open and the bus started."""

    db: Database
    bus: Bus
    authenticator: Authenticator
    renderer: Renderer
    config: Config
    handed_over: Path | None = None  # folder in which the web gives connections away
    limits: Limits = field(default_factory=Limits)
    metrics: StreamingMetrics = field(default_factory=StreamingMetrics)


async def run_streaming(
    context: StreamingContext, sockets: Sequence[socket.socket], ready: Callable[[], None], stop: asyncio.Event
) -> None:
    """Serves streams on the listening sockets until `stop` is set, then sends everybody away in slices."""
    hall = Hall(context.metrics, context.limits)
    feed = Feed(context.db, context.bus, context.renderer, hall)
    await feed.start()
    server = StreamingServer(hall, feed, context.authenticator)
    following = asyncio.create_task(feed.run())
    stopping = asyncio.create_task(stop.wait())
    try:
        server.listen(sockets)
        taker = Taker(context.handed_over, server.adopt) if context.handed_over else None
        ready()
        await asyncio.wait({following, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if taker is not None:
            taker.close()
        await server.close(context.limits.leave_s)
    finally:
        feed.close()
        stopping.cancel()
        following.cancel()
        await asyncio.wait({following, stopping})
    if not following.cancelled():
        following.result()
