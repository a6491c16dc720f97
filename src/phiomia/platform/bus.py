"""Wake-ups between processes: small messages under a topic, delivered soon or never.

The truth is in the database; a message only says that it is worth looking. What is published while the connection is
away is dropped, and `on_gap` tells those who keep something that a message would have corrected.
"""

import asyncio
import logging
import os
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from phiomia.platform.hub import HEAD, MAX_PAYLOAD, MAX_QUEUED, MAX_TOPIC, MESSAGE, SUBSCRIBE, UNSUBSCRIBE, pack, unpack

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.client import PubSub

Callback = Callable[[bytes], None]
FIRST_DELAY_S = 0.02
LONGEST_DELAY_S = 5.0
REDIS_QUEUE = 10_000
log = logging.getLogger(__name__)


class Bus(Protocol):
    """What every bus offers."""

    async def start(self) -> None:
        """Connects, and keeps connecting in the background; does not fail when the other side is away."""

    async def close(self) -> None:
        """Ends the connection."""

    def publish(self, topic: str, payload: bytes = b"") -> None:
        """Sends to every subscriber of the topic, here and elsewhere, exactly once; never waits."""

    def subscribe(self, topic: str, callback: Callback) -> Callable[[], None]:
        """Calls back with each payload; gives the function that ends it."""

    def on_gap(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Calls back after a time in which messages may have been lost; gives the function that ends it."""


class LocalBus:
    """The bus within one process, and the local half of the others."""

    def __init__(self) -> None:
        self.callbacks: dict[str, list[Callback]] = {}
        self.gap_callbacks: list[Callable[[], None]] = []
        self.loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        """Remembers the loop in which the callbacks run."""
        self.loop = asyncio.get_running_loop()

    async def close(self) -> None:
        """Forgets every subscriber."""
        self.callbacks.clear()
        self.gap_callbacks.clear()

    def publish(self, topic: str, payload: bytes = b"") -> None:
        """Calls the subscribers of this process soon, not from within the caller."""
        if len(payload) > MAX_PAYLOAD or len(topic) > MAX_TOPIC // 4:
            raise ValueError(f"a message to {topic[:80]!r} is too large for the bus: send an id instead")
        if topic in self.callbacks:
            self._loop().call_soon(self._deliver, topic, payload)

    def subscribe(self, topic: str, callback: Callback) -> Callable[[], None]:
        """Calls back with each payload; gives the function that ends it."""
        callbacks = self.callbacks.setdefault(topic, [])
        callbacks.append(callback)
        if len(callbacks) == 1:
            self._first_came(topic)
        ended = False

        def unsubscribe() -> None:
            nonlocal ended
            if not ended and callback in self.callbacks.get(topic, ()):
                ended = True
                self._remove(topic, callback)

        return unsubscribe

    def on_gap(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Calls back after a time in which messages may have been lost; gives the function that ends it."""
        self.gap_callbacks.append(callback)
        return lambda: self.gap_callbacks.remove(callback) if callback in self.gap_callbacks else None

    def _remove(self, topic: str, callback: Callback) -> None:
        callbacks = self.callbacks[topic]
        callbacks.remove(callback)
        if not callbacks:
            del self.callbacks[topic]
            self._last_went(topic)

    def _first_came(self, topic: str) -> None:
        """For the half that reaches other processes."""

    def _last_went(self, topic: str) -> None:
        """For the half that reaches other processes."""

    def _loop(self) -> asyncio.AbstractEventLoop:
        if self.loop is None:
            raise RuntimeError("the bus was not started")
        return self.loop

    def _deliver(self, topic: str, payload: bytes) -> None:
        for callback in tuple(self.callbacks.get(topic, ())):
            try:
                callback(payload)
            except Exception:
                # One broken subscriber must not keep the message from the others.
                log.exception("a subscriber of %s failed", topic)

    def _tell_gap(self) -> None:
        for callback in tuple(self.gap_callbacks):
            try:
                callback()
            except Exception:
                log.exception("a subscriber failed after a gap")


class ReconnectingBus(LocalBus, ABC):
    """The part that remote buses share: connect, serve until it breaks, wait, again."""

    def __init__(self) -> None:
        super().__init__()
        self.task: asyncio.Task[None] | None = None
        self.connected = asyncio.Event()
        self.started = False
        self.problem = "no answer"

    async def start(self) -> None:
        """Connects; when the other side is away, goes on trying in the background."""
        await super().start()
        self.task = asyncio.create_task(self._run())
        try:
            await asyncio.wait_for(self.connected.wait(), 1.0)
        except TimeoutError:
            log.warning("the bus is not reachable yet, trying on: %s", self.problem)
        self.started = True

    async def close(self) -> None:
        """Ends the connection."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait([self.task])
        self.connected.clear()
        self.started = False
        await super().close()

    async def _run(self) -> None:
        delay = FIRST_DELAY_S
        while True:
            try:
                await self._serve()
                self.problem = "closed by the other side"
            except Exception as error:
                self.problem = str(error) or repr(error)
            if self.connected.is_set():
                log.warning("the bus is away: %s", self.problem)
                self.connected.clear()
                delay = FIRST_DELAY_S
            await asyncio.sleep(delay)
            delay = min(LONGEST_DELAY_S, delay * 2)

    def _now_connected(self) -> None:
        self.connected.set()
        # Whoever reads between `start` and a late first connection may have missed something as well.
        if self.started:
            self._tell_gap()

    @abstractmethod
    async def _serve(self) -> None:
        """Connects, calls `_now_connected` and returns when the connection has ended."""


class HubBus(ReconnectingBus):
    """The bus between the children of one supervisor, over its unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        self.transport: asyncio.Transport | None = None

    def publish(self, topic: str, payload: bytes = b"") -> None:
        """Delivers here and sends to the hub; drops what a hub that does not read cannot take."""
        super().publish(topic, payload)
        self._send(pack(MESSAGE, topic.encode(), payload))

    async def _serve(self) -> None:
        loop = self._loop()
        connection = _HubConnection(self._receive)
        transport, _ = await loop.create_unix_connection(lambda: connection, self.path)
        self.transport = transport
        try:
            for topic in self.callbacks:
                self._send(pack(SUBSCRIBE, topic.encode()))
            self._now_connected()
            await connection.ended.wait()
        finally:
            self.transport = None
            transport.close()

    def _receive(self, topic: str, payload: bytes) -> None:
        self._deliver(topic, payload)

    def _send(self, frame: bytes) -> None:
        transport = self.transport
        # Between the hub's end and the moment it is noticed here, the transport is closed but still known.
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size() < MAX_QUEUED:
            transport.write(frame)

    def _first_came(self, topic: str) -> None:
        self._send(pack(SUBSCRIBE, topic.encode()))

    def _last_went(self, topic: str) -> None:
        self._send(pack(UNSUBSCRIBE, topic.encode()))


class _HubConnection(asyncio.Protocol):
    def __init__(self, receive: Callable[[str, bytes], None]) -> None:
        self.receive = receive
        self.buffer = bytearray()
        self.ended = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        for kind, topic, frame in unpack(self.buffer):
            if kind == MESSAGE:
                self.receive(topic.decode(), frame[HEAD.size + len(topic) :])

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set()


class RedisBus(ReconnectingBus):
    """The bus across machines, over the publish/subscribe of Redis or Valkey."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url.replace("valkey", "redis", 1) if url.startswith("valkey") else url
        # Publish/subscribe knows no databases: the number in the address keeps two instances apart.
        self.prefix = f"phiomia:{urlsplit(url).path.strip('/') or '0'}:"
        self.origin = os.urandom(8)
        self.outgoing: deque[tuple[str, bytes]] = deque(maxlen=REDIS_QUEUE)
        self.has_work = asyncio.Event()
        self.changes: deque[str] = deque()

    def publish(self, topic: str, payload: bytes = b"") -> None:
        """Delivers here and leaves the message to the sender; drops it while the server is away."""
        super().publish(topic, payload)
        if self.connected.is_set():
            self.outgoing.append((self.prefix + topic, self.origin + payload))
            self.has_work.set()

    async def _serve(self) -> None:
        from redis.asyncio import Redis

        client = Redis.from_url(self.url, socket_keepalive=True, health_check_interval=15)
        try:
            async with client.pubsub(ignore_subscribe_messages=True) as pubsub:
                self.outgoing.clear()
                self.changes.clear()
                # Reading needs at least one subscription; nothing is ever published to this one.
                await pubsub.subscribe(self.prefix, *(self.prefix + topic for topic in self.callbacks))
                self._now_connected()
                await _first_to_end(self._read(pubsub), self._write(client, pubsub))
        finally:
            await client.aclose()

    async def _read(self, pubsub: "PubSub") -> None:
        while True:
            message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=None)
            if message is not None and message["type"] == "message":
                data: bytes = message["data"]
                if not data.startswith(self.origin):
                    self._deliver(message["channel"].decode().removeprefix(self.prefix), data[len(self.origin) :])

    async def _write(self, client: "Redis", pubsub: "PubSub") -> None:
        while True:
            await self.has_work.wait()
            self.has_work.clear()
            while self.changes:
                topic = self.changes.popleft()
                if topic in self.callbacks:
                    await pubsub.subscribe(self.prefix + topic)
                else:
                    await pubsub.unsubscribe(self.prefix + topic)
            if self.outgoing:
                pipeline = client.pipeline(transaction=False)
                while self.outgoing:
                    pipeline.publish(*self.outgoing.popleft())
                await pipeline.execute()

    def _first_came(self, topic: str) -> None:
        self.changes.append(topic)
        self.has_work.set()

    def _last_went(self, topic: str) -> None:
        self._first_came(topic)


async def _first_to_end(*work: Awaitable[None]) -> None:
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def open_bus(url: str) -> Bus:
    """The bus for `local:`, `unix:/path`, `redis://…` or `valkey://…`."""
    scheme, _, rest = url.partition(":")
    if scheme == "local":
        return LocalBus()
    if scheme == "unix":
        return HubBus(rest)
    if scheme in ("redis", "rediss", "valkey", "valkeys"):
        return RedisBus(url)
    raise ValueError(f"unknown kind of bus: {url!r} (local:, unix:/path, redis://, valkey://)")
