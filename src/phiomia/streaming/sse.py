"""A client of server-sent events: one channel, and a number on every event to return by."""

import asyncio
import os
import random

from phiomia.streaming.channels import Channel
from phiomia.streaming.encoding import LAST_CHUNK, SSE_COMMENT_HELLO, SSE_HEARTBEAT, Frames, Message, chunk
from phiomia.streaming.hall import Hall
from phiomia.streaming.ports import StreamViewer
from phiomia.streaming.state import ClientState
from phiomia.streaming.subscriptions import Subscription
from phiomia.streaming.wire import Wire

RETRY_MS = (1_000, 5_000)


class SseClient:
    """An open event stream."""

    kind = "sse"

    def __init__(self, wire: Wire, hall: Hall, viewer: StreamViewer, channel: Channel, *, chunked: bool) -> None:
        self.wire = wire
        self.hall = hall
        self.viewer = viewer
        self.chunked = chunked
        self.seen = 0
        self.subscription = Subscription(channel, self)
        self._held: list[bytes] | None = None
        self._held_bytes = 0
        self._heartbeat: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Joins the hall; events come once the subscription is added."""
        self.wire.owner = self
        self.hall.enter(self)
        self._beat_later()
        self.wire.read_on()

    def greet(self) -> None:
        """Sends the first bytes."""
        self._write(SSE_COMMENT_HELLO)

    def deliver(self, subscription: Subscription, message: Message, frames: Frames) -> None:
        """Sends an event, or keeps it while older ones are being caught up with."""
        if frames.seq <= self.seen:
            return
        self.hall.metrics.messages_sent += 1
        frame = frames.sse(message, chunked=self.chunked)
        if self._held is None or subscription is not self.subscription:
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

    def release(self) -> None:
        """Sends what was kept back; from now on events go out as they come."""
        held, self._held = self._held or [], None
        for frame in held:
            self.wire.write(frame)

    def received(self, data: bytes) -> None:
        """A client of an event stream has nothing to say."""

    def ended(self) -> None:
        """The client has gone."""
        self._leave()

    def overflowed(self) -> None:
        """Drops a client that does not read."""
        self.hall.metrics.dropped_slow += 1
        self._leave()
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

    def abort(self) -> None:
        """Closes at once."""
        self.wire.abort()

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
        )

    def detach(self) -> None:
        """Leaves the socket open for another process."""
        self._leave()
        self.wire.detach()

    @classmethod
    def resume(cls, wire: Wire, hall: Hall, state: ClientState) -> "SseClient":
        """The client of another process, open and subscribed."""
        client = cls(wire, hall, state.viewer(), state.listened()[0], chunked=state.chunked)
        client.seen = state.seen
        client.open()
        hall.add(client.subscription)
        wire.write(state.unsent)
        return client

    def _write(self, text: bytes) -> None:
        self.wire.write(chunk(text) if self.chunked else text)

    def _beat_later(self) -> None:
        self._heartbeat = asyncio.get_running_loop().call_later(self.hall.limits.heartbeat_s, self._beat)

    def _beat(self) -> None:
        self._beat_later()
        # While older events are on their way the connection is not idle.
        if self._held is None:
            self._write(SSE_HEARTBEAT)

    def _end(self) -> None:
        self._leave()
        if self.chunked:
            self.wire.write(LAST_CHUNK)
        self.wire.finish()

    def _leave(self) -> None:
        if self._heartbeat is not None:
            self._heartbeat.cancel()
        self.hall.remove(self.subscription)
        self.hall.leave(self)
