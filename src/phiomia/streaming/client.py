"""What every open stream has in common: events that are kept back while older ones are caught up with.

A stream that comes back, or comes from another process, has got everything up to some event. What the log has after
that is sent first, and what happens meanwhile waits: no gap, nothing twice.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable

from phiomia.streaming.encoding import Frames, Message
from phiomia.streaming.hall import Hall
from phiomia.streaming.ports import StreamViewer
from phiomia.streaming.state import ClientState
from phiomia.streaming.subscriptions import Subscription
from phiomia.streaming.wire import Wire


class StreamClient(ABC):
    """An open stream."""

    kind = ""

    def __init__(self, wire: Wire, hall: Hall, viewer: StreamViewer) -> None:
        self.wire = wire
        self.hall = hall
        self.viewer = viewer
        self.seen = 0
        self._held: list[bytes] | None = None
        self._held_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_behind(self) -> bool:
        """Whether it has got nothing after `seen`; else it gets what happens."""
        return self._held is not None

    @abstractmethod
    def listening(self) -> Iterable[Subscription]:
        """What it listens to."""

    @abstractmethod
    def frame(self, subscription: Subscription, message: Message, frames: Frames) -> bytes:
        """A message as it goes over the wire."""

    @abstractmethod
    def received(self, data: bytes) -> None:
        """Bytes came from the client."""

    @abstractmethod
    def state(self) -> ClientState:
        """Everything another process needs to go on."""

    @abstractmethod
    def overflowed(self) -> None:
        """Drops a client that does not read."""

    @abstractmethod
    def revoke(self) -> None:
        """Ends the stream: its token is no longer good."""

    @abstractmethod
    def go_away(self) -> None:
        """Ends the stream: the process ends."""

    @abstractmethod
    def leave(self) -> None:
        """Listens to nothing more."""

    def deliver(self, subscription: Subscription, message: Message, frames: Frames) -> None:
        """Sends a message of a subscription, or keeps it while older ones are being caught up with."""
        if frames.seq <= self.seen:
            return
        self.hall.metrics.messages_sent += 1
        frame = self.frame(subscription, message, frames)
        if self._held is None:
            self.wire.write(frame)
            return
        self._held.append(frame)
        self._held_bytes += len(frame)
        if self._held_bytes > self.wire.limit:
            self.overflowed()

    def hold(self, seen: int) -> None:
        """From now on keeps live events back, and never sends those up to `seen`."""
        self.seen = seen
        self._held = []
        self._held_bytes = 0

    def release(self) -> None:
        """Sends what was kept back; from now on events go out as they come."""
        held, self._held = self._held or [], None
        for frame in held:
            self.wire.write(frame)

    def ended(self) -> None:
        """The client has gone."""
        self.leave()

    def abort(self) -> None:
        """Closes at once."""
        self.wire.abort()

    def detach(self) -> None:
        """Leaves the socket open for another process."""
        self.leave()
        self.wire.detach()

    @property
    def due_s(self) -> float | None:
        """The seconds until something is sent because nothing else was."""
        if self._timer is None:
            return None
        return max(0.0, self._timer.when() - asyncio.get_running_loop().time())


class Past:
    """A subscription's past: its messages are sent at once, whatever is kept back."""

    __slots__ = ("client", "live", "viewer")

    def __init__(self, live: Subscription, client: StreamClient) -> None:
        self.live = live
        self.client = client
        self.viewer = client.viewer

    def deliver(self, _: Subscription, message: Message, frames: Frames) -> None:
        """Sends a message, unless it was unsubscribed meanwhile."""
        if self.live.active:
            self.client.hall.metrics.messages_sent += 1
            self.client.wire.write(self.client.frame(self.live, message, frames))
