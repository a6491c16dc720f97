"""The streaming process: joins the feed and the server, and ends both."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from phiomia.platform.bus import Bus
from phiomia.platform.config import Config
from phiomia.platform.db import Database
from phiomia.platform.health import Obstacle
from phiomia.streaming.feed import Feed
from phiomia.streaming.hall import Hall, Limits
from phiomia.streaming.metrics import StreamingMetrics, publish
from phiomia.streaming.ports import Authenticator, Renderer
from phiomia.streaming.server import SENDING_SHARE, StreamingServer
from phiomia.streaming.succession import Succession

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
    generation: int = 0  # of which we are; streams are handed over to another one
    limits: Limits = field(default_factory=Limits)
    metrics: StreamingMetrics = field(default_factory=StreamingMetrics)
    # Answers questions about the process while it is open; it is given what finds out whether something is stuck.
    answering: Callable[[Obstacle], contextlib.AbstractAsyncContextManager[None]] = lambda _: contextlib.nullcontext()


async def run_streaming(
    context: StreamingContext, sockets: Sequence[socket.socket], ready: Callable[[], int | None], stop: asyncio.Event
) -> None:
    """Serves streams on the listening sockets until `stop` is set.

    Then the next process goes on with them; when there is none, everybody is sent away in slices. `ready` says that we
    could serve, and gives a descriptor that becomes readable when we may.
    """
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
    ready: Callable[[], int | None],
    stop: asyncio.Event,
) -> None:
    await feed.start()
    server = StreamingServer(hall, feed, context.authenticator)
    following = asyncio.create_task(feed.run())
    stopping = asyncio.create_task(stop.wait())
    try:
        succession = Succession(context.handed_over, context.generation, server) if context.handed_over else None
        await _wait_to_begin(ready(), stopping)
        server.listen(sockets)
        if succession is not None:
            succession.begin()
        await asyncio.wait({following, stopping}, return_when=asyncio.FIRST_COMPLETED)
        others_serve = await succession.end(following) if succession is not None else False
        limits = context.limits
        if others_serve and not following.done():
            # Whoever is sent away comes back at once; the others hear everything meanwhile.
            await server.close(1 / limits.leave_share / SENDING_SHARE, smallest=1)
        else:
            await server.close(limits.leave_s)
    finally:
        feed.close()
        stopping.cancel()
        following.cancel()
        await asyncio.wait({following, stopping})
    if not following.cancelled():
        following.result()


async def _wait_to_begin(told: int | None, stopping: asyncio.Task[bool]) -> None:
    """Returns when the supervisor lets us in, has gone, or tells us to end."""
    if told is None:
        return
    loop = asyncio.get_running_loop()
    begun = asyncio.Event()
    loop.add_reader(told, begun.set)
    waiting = asyncio.create_task(begun.wait())
    await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    loop.remove_reader(told)
    os.close(told)
