"""Follows the log: reads what is new, in its order, and hands it to those who listen."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from phiomia.platform.bus import Bus
from phiomia.platform.db import Database, TooSlow, Unavailable
from phiomia.platform.events import TOPIC, StreamEvent, read_stream, stream_bounds
from phiomia.streaming.client import Past, StreamClient
from phiomia.streaming.dispatch import Delivery, Render, plan
from phiomia.streaming.encoding import Frames
from phiomia.streaming.hall import Hall
from phiomia.streaming.log_events import TokenEvent, decode_body
from phiomia.streaming.ports import Renderer
from phiomia.streaming.subscriptions import Subscription, Subscriptions

TOKENS_TOPIC = "tokens"
PAGE = 500
BREATH = 250
RETRY_S = (0.1, 2.0)
T = TypeVar("T")
log = logging.getLogger(__name__)


class Feed:
    """The events of the log after `position`."""

    def __init__(self, db: Database, bus: Bus, renderer: Renderer, hall: Hall) -> None:
        self.position = 0
        # The last event that everybody has got; one behind `position` while an event is being sent.
        self.done = 0
        self._finishing = False
        self._looked_at = time.monotonic()
        self._db = db
        self._renderer = renderer
        self._hall = hall
        self._woken = asyncio.Event()
        self._unsubscribe = [
            bus.subscribe(TOPIC, lambda _: self._woken.set()),
            bus.subscribe(TOKENS_TOPIC, self._revoke),
            bus.on_gap(self._woken.set),
        ]

    async def start(self, after: int | None = None) -> None:
        """Begins after an event that another process has sent last, else with what comes next."""
        if after is None:
            after = await self._last()
        self.position = self.done = after

    @property
    def idle_s(self) -> float:
        """The seconds since the log was last read, or an event of it sent."""
        return time.monotonic() - self._looked_at

    def close(self) -> None:
        """Listens to the bus no more."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()

    async def run(self) -> None:
        """Dispatches events as they come, until cancelled or told to finish."""
        while not self._finishing:
            self._woken.clear()
            events = await self._read(self.position, PAGE)
            self._looked_at = time.monotonic()
            for event in events:
                if self._finishing:
                    return
                await self._dispatch(event)
                self._looked_at = time.monotonic()
            if len(events) < PAGE:
                await self._wait()

    def finish(self) -> None:
        """Sends the event that was begun to the end, and nothing after it: another process goes on."""
        self._finishing = True
        self._woken.set()

    async def catch_up(self, clients: Sequence[StreamClient], after: int) -> None:
        """Sends what clients missed after an event, then lets live events come: no gap, nothing twice."""
        for client in clients:
            if not client.is_behind:
                client.hold(after)
        if after > self.position and after > await self._last():
            # A number that was never given can't be resumed from.
            for client in clients:
                client.hold(0)
        for client in clients:
            for subscription in client.listening():
                self._hall.add(subscription)
        if after >= self.position or await self._replay(clients, after, self.position):
            for client in clients:
                client.release()

    async def _replay(self, clients: Sequence[StreamClient], after: int, until: int) -> bool:
        """Sends what was; gives whether it came to its end."""
        past = Subscriptions()
        for client in clients:
            for live in client.listening():
                past.add(Subscription(live.channel, Past(live, client)))
        while after < until and not all(client.wire.closed for client in clients):
            events = await self._read(after, min(PAGE, until - after))
            for event in events:
                if self._finishing:
                    return False
                if event.seq <= until:
                    await self._send_past(event, past, clients)
            if not events:
                break
            after = events[-1].seq
        return True

    async def _send_past(self, event: StreamEvent, past: Subscriptions, clients: Sequence[StreamClient]) -> None:
        self._hall.metrics.replayed_events += 1
        if event.kind == "token":
            self._revoke_among(clients, event)
        await self._render_and_send(event, self._plan(event, past))
        for client in clients:
            client.seen = max(client.seen, event.seq)
        if len(clients) == 1:
            # One that does not read waits alone; of many it would keep the others waiting.
            await clients[0].wire.drain()

    async def _dispatch(self, event: StreamEvent) -> None:
        render = self._plan(event, self._hall.subscriptions)
        # Set together with the audience, without waiting in between: who joins later finds this event in the log.
        self.position = event.seq
        self._hall.metrics.events += 1
        if event.kind == "token":
            self._hall.revoke(self._read_tokens(event))
        await self._render_and_send(event, render)
        self.done = event.seq

    def _plan(self, event: StreamEvent, listeners: Subscriptions) -> Render | None:
        try:
            return plan(event.kind, event.body, listeners)
        except Exception:
            self._fail(event)
            return None

    async def _render_and_send(self, event: StreamEvent, render: Render | None) -> None:
        if render is None:
            return
        try:
            deliveries = await self._render(render)
            await send_all(deliveries, Frames(event.seq))
        except Exception:
            # One event that can't be shown must not keep the others from everybody.
            self._fail(event)

    async def _render(self, render: Render) -> list[Delivery]:
        return await patiently(lambda: render(self._renderer))

    async def _read(self, after: int, limit: int) -> Sequence[StreamEvent]:
        async def read() -> Sequence[StreamEvent]:
            async with self._db.read() as session:
                return await read_stream(session, after, limit)

        return await patiently(read)

    async def _last(self) -> int:
        async def read() -> int:
            async with self._db.read() as session:
                return (await stream_bounds(session))[1]

        return await patiently(read)

    async def _wait(self) -> None:
        try:
            await asyncio.wait_for(self._woken.wait(), self._hall.limits.poll_s)
        except TimeoutError:
            return

    def _revoke(self, payload: bytes) -> None:
        self._hall.revoke(int(number) for number in payload.split(b",") if number.strip().isdigit())

    def _revoke_among(self, clients: Sequence[StreamClient], event: StreamEvent) -> None:
        # Others may have come with the token after it had become good again.
        revoked = set(self._read_tokens(event))
        for client in clients:
            if client.viewer.token_id in revoked and not client.wire.closed:
                client.revoke()

    def _read_tokens(self, event: StreamEvent) -> Sequence[int]:
        try:
            body = decode_body(event.kind, event.body)
        except ValueError:
            self._fail(event)
            return ()
        return body.ids if isinstance(body, TokenEvent) else ()

    def _fail(self, event: StreamEvent) -> None:
        self._hall.metrics.events_failed += 1
        log.exception("the event %s (%s) could not be sent", event.seq, event.kind)


async def patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Asks again until the database answers."""
    delay, longest = RETRY_S
    while True:
        try:
            return await ask()
        except (Unavailable, TooSlow) as error:
            log.warning("streaming waits for the database: %s", error)
            await asyncio.sleep(delay)
            delay = min(delay * 2, longest)


async def send_all(deliveries: Sequence[Delivery], frames: Frames) -> None:
    """Sends every delivery; lets others have the loop now and then."""
    for number, (subscription, message) in enumerate(deliveries, 1):
        if subscription.active:
            subscription.client.deliver(subscription, message, frames)
        if number % BREATH == 0:
            await asyncio.sleep(0)
