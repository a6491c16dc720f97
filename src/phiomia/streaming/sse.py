"""A client of server-sent events: one channel, and a number on every event to return by."""

import asyncio
import os
import random
from collections.abc import Iterable

from phiomia.streaming.channels import Channel
from phiomia.streaming.client import StreamClient
from phiomia.streaming.encoding import LAST_CHUNK, SSE_COMMENT_HELLO, SSE_HEARTBEAT, Frames, Message, chunk
from phiomia.streaming.hall import Hall
from phiomia.streaming.ports import StreamViewer
from phiomia.streaming.state import ClientState
from phiomia.streaming.subscriptions import Subscription
from phiomia.streaming.wire import Wire

RETRY_MS = (1_000, 5_000)


class SseClient(StreamClient):
    """An open event stream."""

    kind = "sse"

    def __init__(self, wire: Wire, hall: Hall, viewer: StreamViewer, channel: Channel, *, chunked: bool) -> None:
        super().__init__(wire, hall, viewer)
        self.chunked = chunked
        self.subscription = Subscription(channel, self)

    def open(self, due_s: float | None = None) -> None:
        """Joins the hall; events come once the subscription is added."""
        self.wire.owner = self
        self.hall.enter(self)
        self._beat_later(self.hall.limits.heartbeat_s if due_s is None else due_s)
        self.wire.read_on()

    def greet(self) -> None:
        """Sends the first bytes."""
        self._write(SSE_COMMENT_HELLO)

    def listening(self) -> Iterable[Subscription]:
        """Its channel, until it has gone."""
        return (self.subscription,) if self.subscription.active else ()

    def frame(self, subscription: Subscription, message: Message, frames: Frames) -> bytes:
        """An event of the stream."""
        return frames.sse(message, chunked=self.chunked)

    def received(self, data: bytes) -> None:
        """A client of an event stream has nothing to say."""

    def overflowed(self) -> None:
        """Drops a client that does not read."""
        self.hall.metrics.dropped_slow += 1
        self.leave()
        self.wire.forget_queue()
        self.wire.finish()

    def revoke(self) -> None:
        """Ends the stream: its token is no longer good."""
        self.hall.metrics.revoked += 1
        self._end()

    def go_away(self) -> None:
        """Ends the stream and says when to return, not everybody at once."""
        self._write(b"retry: %d\n\n" % random.randint(*RETRY_MS))
        self._end()

    def state(self) -> ClientState:
        """Everything another process needs to go on."""
        viewer, channel = self.viewer, self.subscription.channel
        return ClientState(
            kind="sse",
            inode=os.fstat(self.wire.sock.fileno()).st_ino,
            account_id=viewer.account_id,
            token_id=viewer.token_id,
            scopes=sorted(viewer.scopes),
            languages=viewer.languages,
            channels=[(channel.name, channel.argument)],
            unsent=self.wire.unsent,
            chunked=self.chunked,
            seen=self.seen,
            due_s=self.due_s,
        )

    @classmethod
    def resume(cls, wire: Wire, hall: Hall, state: ClientState, position: int) -> "SseClient":
        """The client of another process, open; it is to catch up with what came after `position`."""
        client = cls(wire, hall, state.viewer(), state.listened()[0], chunked=state.chunked)
        client.hold(position)
        client.open(state.due_s)
        wire.go_on(state.unsent)
        return client

    def leave(self) -> None:
        """Listens to nothing more."""
        if self._timer is not None:
            self._timer.cancel()
        self.hall.remove(self.subscription)
        self.hall.leave(self)

    def _write(self, text: bytes) -> None:
        self.wire.write(chunk(text) if self.chunked else text)

    def _beat_later(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._beat)

    def _beat(self) -> None:
        self._beat_later(self.hall.limits.heartbeat_s)
        # While older events are on their way the connection is not idle.
        if not self.is_behind:
            self._write(SSE_HEARTBEAT)

    def _end(self) -> None:
        self.leave()
        if self.chunked:
            self.wire.write(LAST_CHUNK)
        self.wire.finish()
