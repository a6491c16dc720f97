"""A WebSocket client: any number of channels over one connection."""

import asyncio
import logging
import os
from collections import deque
from collections.abc import Iterable
from typing import Any

import msgspec
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage

from phiomia.platform.db import TooSlow, Unavailable
from phiomia.streaming.channels import Channel, ChannelError, check_access, parse_channel
from phiomia.streaming.client import StreamClient
from phiomia.streaming.encoding import Frames, Message, text_frame
from phiomia.streaming.frames import TooLargeError, WholeFrames
from phiomia.streaming.hall import Hall
from phiomia.streaming.ports import Authenticator, StreamViewer
from phiomia.streaming.state import ClientState
from phiomia.streaming.subscriptions import Subscription
from phiomia.streaming.wire import Wire

NOT_TEXT, POLICY, TOO_LARGE, RESTART = 1003, 1008, 1009, 1012
MAX_COMMANDS = 100
log = logging.getLogger(__name__)


class WebSocketClient(StreamClient):
    """An open WebSocket."""

    kind = "websocket"

    def __init__(self, wire: Wire, hall: Hall, viewer: StreamViewer, authenticator: Authenticator) -> None:
        super().__init__(wire, hall, viewer)
        self.subscriptions: dict[tuple[str, str], Subscription] = {}
        self._authenticator = authenticator
        self._protocol = Connection(ConnectionType.SERVER)
        self._frames = WholeFrames(hall.limits.message)
        self._texts: list[str] = []
        self._commands: deque[dict[str, Any]] = deque()
        self._working: asyncio.Task[None] | None = None
        self._awaits_pong = False

    def open(self, due_s: float | None = None) -> None:
        """Joins the hall."""
        self.wire.owner = self
        self.hall.enter(self)
        self._later(self.hall.limits.ping_s if due_s is None else due_s, self._ping)
        self.wire.read_on()

    def command(self, command: dict[str, Any]) -> None:
        """Does what a message asks, after those before it."""
        self._commands.append(command)
        if len(self._commands) >= MAX_COMMANDS:
            self.wire.pause()
        if self._working is None:
            self._working = asyncio.create_task(self._work())

    def listening(self) -> Iterable[Subscription]:
        """Its channels."""
        return self.subscriptions.values()

    def frame(self, subscription: Subscription, message: Message, frames: Frames) -> bytes:
        """A message of one of its channels."""
        return frames.websocket(subscription.stream, message)

    def received(self, data: bytes) -> None:
        """Feeds whole frames to the protocol and does what they say."""
        try:
            whole = self._frames.take(data)
        except TooLargeError:
            self.close(TOO_LARGE, "The message is too large.")
            return
        if whole and self._protocol.state in (ConnectionState.OPEN, ConnectionState.LOCAL_CLOSING):
            self._protocol.receive_data(whole)
            for event in self._protocol.events():
                self._handle(event)

    def overflowed(self) -> None:
        """Drops a client that does not read."""
        self.hall.metrics.dropped_slow += 1
        self.wire.forget_queue()
        self.close(POLICY, "Too many unread messages.")

    def revoke(self) -> None:
        """Ends the stream: its token is no longer good."""
        self.hall.metrics.revoked += 1
        self.close(POLICY, "The access token was revoked.")

    def go_away(self) -> None:
        """Ends the stream: the process ends."""
        self.close(RESTART, "The server restarts.")

    def close(self, code: int, reason: str) -> None:
        """Says goodbye and waits a little for the answer."""
        if self._protocol.state is not ConnectionState.OPEN:
            return
        self.leave()
        self.wire.write(self._protocol.send(CloseConnection(code, reason)))
        self.wire.read_on()
        self._later(self.hall.limits.close_s, self.wire.abort)

    def state(self) -> ClientState:
        """Everything another process needs to go on."""
        viewer = self.viewer
        channels = [subscription.channel for subscription in self.subscriptions.values()]
        return ClientState(
            kind="websocket",
            inode=os.fstat(self.wire.sock.fileno()).st_ino,
            account_id=viewer.account_id,
            token_id=viewer.token_id,
            scopes=sorted(viewer.scopes),
            languages=viewer.languages,
            channels=[(channel.name, channel.argument) for channel in channels],
            unread=self._frames.unread,
            unsent=self.wire.unsent,
            awaits_pong=self._awaits_pong,
            commands=list(self._commands),
            due_s=self.due_s,
        )

    @classmethod
    def resume(
        cls, wire: Wire, hall: Hall, state: ClientState, position: int, authenticator: Authenticator
    ) -> "WebSocketClient":
        """The client of another process, open; it is to catch up with what came after `position`."""
        client = cls(wire, hall, state.viewer(), authenticator)
        client._awaits_pong = state.awaits_pong
        client.hold(position)
        client.open(state.due_s)
        for channel in state.listened():
            client.subscriptions[channel.identity] = Subscription(channel, client)
        wire.go_on(state.unsent)
        for command in state.commands:
            client.command(command)
        client.received(state.unread)
        return client

    def _handle(self, event: Event) -> None:
        if isinstance(event, CloseConnection):
            self._answer_close(event)
        elif isinstance(event, Pong):
            self._awaits_pong = False
        elif self._protocol.state is not ConnectionState.OPEN:
            return
        elif isinstance(event, Ping):
            self.wire.write(self._protocol.send(event.response()))
        elif isinstance(event, BytesMessage):
            self.close(NOT_TEXT, "Only text is understood.")
        elif isinstance(event, TextMessage):
            self._texts.append(event.data)
            if event.message_finished:
                text = "".join(self._texts)
                self._texts.clear()
                self._read_command(text)

    def _answer_close(self, event: CloseConnection) -> None:
        self.leave()
        # A broken frame is reported as a close as well, while the protocol is still open.
        if self._protocol.state in (ConnectionState.OPEN, ConnectionState.REMOTE_CLOSING):
            self.wire.write(self._protocol.send(event.response()))
        self.wire.finish()

    def _read_command(self, text: str) -> None:
        try:
            command = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeError):
            return
        if isinstance(command, dict) and command.get("type") in ("subscribe", "unsubscribe"):
            self.command(command)

    async def _work(self) -> None:
        try:
            while self._commands and self._protocol.state is ConnectionState.OPEN:
                # It stays in its place until it is done: it may be another process that does it.
                await self._obey(self._commands[0])
                if self._commands:
                    self._commands.popleft()
                if len(self._commands) < MAX_COMMANDS:
                    self.wire.read_on()
        finally:
            self._working = None

    async def _obey(self, command: dict[str, Any]) -> None:
        parameters = {name: str(_first(command[name])) for name in ("tag", "list") if command.get(name) is not None}
        name = _first(command.get("stream"))
        try:
            channel = parse_channel(name if isinstance(name, str) else None, parameters)
            if command["type"] == "subscribe":
                await self._subscribe(channel)
            else:
                self._unsubscribe(channel)
        except ChannelError as error:
            self._complain(error)
        except (Unavailable, TooSlow) as error:
            log.warning("a message of a streaming client has to be put off: %s", error)
            self._complain(ChannelError(503, "The server can't reach its database right now."))
        except Exception:
            log.exception("a message of a streaming client failed")
            self._complain(ChannelError(500, "Something went wrong on the server."))

    async def _subscribe(self, channel: Channel) -> None:
        if channel.identity in self.subscriptions:
            return
        if len(self.subscriptions) >= self.hall.limits.subscriptions:
            raise ChannelError(400, "Too many streams over one connection.")
        await check_access(channel, self.viewer, self._authenticator)
        if self._protocol.state is ConnectionState.OPEN and not self.wire.closed:
            self._join(channel)

    def _join(self, channel: Channel) -> None:
        subscription = self.subscriptions[channel.identity] = Subscription(channel, self)
        self.hall.add(subscription)

    def _unsubscribe(self, channel: Channel) -> None:
        subscription = self.subscriptions.pop(channel.identity, None)
        if subscription is not None:
            self.hall.remove(subscription)

    def _complain(self, error: ChannelError) -> None:
        self.wire.write(text_frame(msgspec.json.encode({"error": error.message, "status": error.status})))

    def _ping(self) -> None:
        if self._awaits_pong:
            self.hall.metrics.dropped_dead += 1
            self.wire.abort()
            return
        self._awaits_pong = True
        self.wire.write(self._protocol.send(Ping()))
        self._later(self.hall.limits.ping_s, self._ping)

    def _later(self, seconds: float, call: Any) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, call)

    def leave(self) -> None:
        """Listens to nothing more."""
        if self._timer is not None:
            self._timer.cancel()
        self._commands.clear()
        for subscription in self.subscriptions.values():
            self.hall.remove(subscription)
        self.subscriptions.clear()
        self.hall.leave(self)


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else value
