"""The streaming process: joins the feed and the server, and ends both."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from phiomia.platform.bus import Bus
from phiomia.platform.config import Config
from phiomia.platform.db import Database
from phiomia.platform.health import Obstacle
from phiomia.platform.passing import Taker
from phiomia.streaming.feed import Feed
from phiomia.streaming.hall import Hall, Limits
from phiomia.streaming.metrics import StreamingMetrics, publish
from phiomia.streaming.ports import Authenticator, Renderer
from phiomia.streaming.server import StreamingServer

# The log is read every second when nothing wakes us.
STUCK_AFTER_S = 15.0


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
    # Answers questions about the process while it is open; it is given what finds out whether something is stuck.
    answering: Callable[[Obstacle], contextlib.AbstractAsyncContextManager[None]] = lambda _: contextlib.nullcontext()


async def run_streaming(
    context: StreamingContext, sockets: Sequence[socket.socket], ready: Callable[[], None], stop: asyncio.Event
) -> None:
    """Serves streams on the listening sockets until `stop` is set, then sends everybody away in slices."""
    hall = Hall(context.metrics, context.limits, context.authenticator.forget)
    feed = Feed(context.db, context.bus, context.renderer, hall)
    publish(context.metrics)
    async with context.answering(lambda: _find_stuck(feed)):
        await _serve(context, hall, feed, sockets, ready, stop)


def _find_stuck(feed: Feed) -> str:
    return f"the log was not read for {feed.idle_s:.0f} s" if feed.idle_s > STUCK_AFTER_S else ""


async def _serve(
    context: StreamingContext,
    hall: Hall,
    feed: Feed,
    sockets: Sequence[socket.socket],
    ready: Callable[[], None],
    stop: asyncio.Event,
) -> None:
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
