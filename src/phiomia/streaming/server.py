"""Accepts connections and makes streams of them."""

import asyncio
import errno
import logging
import math
import socket
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from phiomia.platform.db import TooSlow, Unavailable
from phiomia.streaming.admission import Admission
from phiomia.streaming.arrival import CORS, PREFLIGHT, Arrival
from phiomia.streaming.channels import SCOPES, Channel, ChannelError, check_access, parse_channel
from phiomia.streaming.client import StreamClient
from phiomia.streaming.feed import Feed
from phiomia.streaming.hall import Guest, Hall
from phiomia.streaming.ports import Authenticator, StreamViewer
from phiomia.streaming.request import ROOT, StreamRequest, is_below_root
from phiomia.streaming.sse import SseClient
from phiomia.streaming.state import ClientState
from phiomia.streaming.websocket import WebSocketClient
from phiomia.streaming.wire import Wire

ACCEPTED_AT_ONCE = 64
FULL_PAUSE_S = 0.5
SLICE_S = 0.05
SMALLEST_SLICE = 25
# The rest of the time is for the answers.
SENDING_SHARE = 0.7
SETTLE_S = 2.0
BATCH = 250
_FULL = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
log = logging.getLogger(__name__)


class Parcel(NamedTuple):
    """Streams on their way to another process, which have got every event up to `position`."""

    position: int
    states: list[ClientState]
    sockets: list[socket.socket]


class StreamingServer:
    """The listening sockets, and every connection on its way to be a stream."""

    def __init__(self, hall: Hall, feed: Feed, authenticator: Authenticator) -> None:
        self.hall = hall
        self.feed = feed
        self.authenticator = authenticator
        self._loop = asyncio.get_running_loop()
        self._listeners: list[socket.socket] = []
        self._wires: dict[Wire, None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._admission = Admission(hall.limits.handshakes_per_s, hall.limits.handshake_s, self._loop.time)
        self._waiting: dict[Arrival, asyncio.TimerHandle] = {}

    def listen(self, listeners: Iterable[socket.socket]) -> None:
        """Accepts from sockets that listen already."""
        for listener in listeners:
            listener.setblocking(False)
            self._listeners.append(listener)
            self._loop.add_reader(listener, self._accept, listener)

    def stop_listening(self) -> None:
        """Accepts no more; the next process may be listening on the same sockets."""
        for listener in self._listeners:
            self._loop.remove_reader(listener)
            listener.close()
        self._listeners.clear()

    async def settle(self) -> None:
        """Waits a little for those who are being welcomed or catch up; what is not done then another process begins."""
        self._forget_waiting()
        if self._tasks:
            _done, waiting = await asyncio.wait(self._tasks, timeout=SETTLE_S)
            for task in waiting:
                task.cancel()
            if waiting:
                await asyncio.wait(waiting)

    def pack(self) -> Iterator[Parcel]:
        """Every stream, and every connection that was not answered yet, as parcels of which each is ours no more."""
        while True:
            first = next(iter(self.hall.guests), None)
            if first is None:
                arrivals = [one for wire in self._wires if (one := _unanswered(wire)) is not None]
                if not arrivals:
                    return
                yield _make_parcel(self.feed.done, arrivals[:BATCH])
            elif first.is_behind:
                yield _make_parcel(first.seen, [first])
            else:
                level = (guest for guest in self.hall.guests if not guest.is_behind)
                yield _make_parcel(self.feed.done, list(islice(level, BATCH)))

    def take(self, parcel: Parcel) -> None:
        """Goes on with the streams of another process."""
        clients = self._resume_all(parcel)
        if clients:
            self._start(self.feed.catch_up(clients, parcel.position))

    def dismiss(self, parcel: Parcel) -> None:
        """Sends away whom another process left behind too long ago."""
        log.warning("%s streams waited for too long and are closed", len(parcel.states))
        self._start(self._send_away(self._resume_all(parcel)))

    def _resume_all(self, parcel: Parcel) -> list[StreamClient]:
        clients: list[StreamClient] = []
        for sock, state in zip(parcel.sockets, parcel.states, strict=True):
            try:
                if state.kind == "arrival":
                    self.adopt(sock, state.unread)
                else:
                    clients.append(self._resume(sock, state, parcel.position))
            except Exception:
                log.exception("a stream could not be taken over")
                sock.close()
        self.hall.metrics.taken += len(parcel.states)
        return clients

    def _resume(self, sock: socket.socket, state: ClientState, position: int) -> StreamClient:
        wire = self._take(sock)
        if state.kind == "sse":
            return SseClient.resume(wire, self.hall, state, position)
        return WebSocketClient.resume(wire, self.hall, state, position, self.authenticator)

    async def _send_away(self, clients: Sequence[Guest]) -> None:
        size = math.ceil(len(clients) * self.hall.limits.leave_share * SLICE_S)
        for start in range(0, len(clients), size):
            for client in clients[start : start + size]:
                client.go_away()
            await asyncio.sleep(SLICE_S)

    async def close(self, limit_s: float, smallest: int = SMALLEST_SLICE) -> None:
        """Sends everybody away in slices, so that they do not all return at once; done when the limit has passed."""
        self.stop_listening()
        self._forget_waiting()
        for wire in [wire for wire in self._wires if isinstance(wire.owner, Arrival) and not wire.finishing]:
            wire.abort()
        deadline = self._loop.time() + limit_s
        slices = max(1, int(limit_s * SENDING_SHARE / SLICE_S))
        while self._wires and self._loop.time() < deadline:
            guests = list(self.hall.guests)
            for guest in guests[: max(smallest, math.ceil(len(guests) / slices))]:
                guest.go_away()
            slices = max(1, slices - 1)
            await asyncio.sleep(SLICE_S)
        for wire in list(self._wires):
            wire.abort()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _take(self, sock: socket.socket) -> Wire:
        wire = Wire(sock, self.hall.limits.queued, lambda gone: self._wires.pop(gone, None))
        self._wires[wire] = None
        return wire

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                sock, _address = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _FULL:
                    raise
                self._pause_accepting(listener, error)
                return
            self.hall.metrics.accepted += 1
            Arrival(self._take(sock), self._arrived, self.hall.limits.head_s)

    def adopt(self, sock: socket.socket, data: bytes) -> None:
        """Welcomes a connection that another process accepted and read `data` from."""
        self.hall.metrics.accepted += 1
        arrival = Arrival(self._take(sock), self._arrived, self.hall.limits.head_s)
        if data:
            arrival.received(data)

    def _pause_accepting(self, listener: socket.socket, error: OSError) -> None:
        log.warning("no connection can be accepted: %s", error.strerror)
        self._loop.remove_reader(listener)
        self._loop.call_later(FULL_PAUSE_S, self._accept_on, listener)

    def _accept_on(self, listener: socket.socket) -> None:
        if listener in self._listeners:
            self._loop.add_reader(listener, self._accept, listener)

    def _arrived(self, arrival: Arrival, request: StreamRequest) -> None:
        if request.method == "OPTIONS":
            arrival.answer(204, PREFLIGHT)
        elif request.method != "GET":
            arrival.refuse(405, "Streams are read with GET.")
        elif request.path == ROOT + "/health":
            arrival.answer(200, [*CORS, ("content-type", "text/plain")], b"OK")
        else:
            self._admit(arrival, request)

    def _admit(self, arrival: Arrival, request: StreamRequest) -> None:
        delay_s = self._admission.reserve()
        if delay_s is None:
            self.hall.metrics.turned_away += 1
            self._refuse(arrival, request, ChannelError(503, "Too many apps connect right now."))
        elif delay_s == 0:
            self._start(self._welcome(arrival, request))
        else:
            self.hall.metrics.delayed += 1
            self._waiting[arrival] = self._loop.call_later(delay_s, self._welcome_later, arrival, request)

    def _welcome_later(self, arrival: Arrival, request: StreamRequest) -> None:
        del self._waiting[arrival]
        if not arrival.is_gone:
            self._start(self._welcome(arrival, request))

    def _forget_waiting(self) -> None:
        """Another process welcomes them, or nobody."""
        for timer in self._waiting.values():
            timer.cancel()
        self._waiting.clear()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _welcome(self, arrival: Arrival, request: StreamRequest) -> None:
        try:
            if request.is_websocket:
                await self._open_websocket(arrival, request)
            else:
                await self._open_event_stream(arrival, request)
        except ChannelError as error:
            self._refuse(arrival, request, error)
        except (Unavailable, TooSlow) as error:
            log.warning("a stream could not be opened: %s", error)
            self._refuse(arrival, request, ChannelError(503, "The server can't reach its database right now."))
        except Exception:
            log.exception("a stream could not be opened")
            self._refuse(arrival, request, ChannelError(500, "Something went wrong on the server."))

    def _refuse(self, arrival: Arrival, request: StreamRequest, error: ChannelError) -> None:
        self.hall.metrics.refused += 1
        if arrival.wire.owner is not arrival:
            # The answer has begun; all that is left is to end it.
            arrival.wire.abort()
        elif request.is_websocket:
            arrival.refuse_websocket(error.status, error.message)
        else:
            arrival.refuse(error.status, error.message)

    async def _open_websocket(self, arrival: Arrival, request: StreamRequest) -> None:
        if not is_below_root(request.path):
            raise ChannelError(400, "There is no such stream.")
        since = self.hall.revocations
        viewer = await self._authenticate(request)
        self._check_still_good(arrival, viewer, since)
        offered = request.subprotocols
        if not arrival.begin_websocket(offered[0] if offered else None):
            return
        client = WebSocketClient(arrival.wire, self.hall, viewer, self.authenticator)
        client.open()
        if request.query.get("stream"):
            client.command({"type": "subscribe", **request.query})
        client.received(arrival.trailing)

    async def _open_event_stream(self, arrival: Arrival, request: StreamRequest) -> None:
        name = request.channel_name
        if name is None:
            raise ChannelError(400, "There is no such stream.")
        since = self.hall.revocations
        viewer = await self._authenticate(request)
        channel = parse_channel(name, request.query)
        await check_access(channel, viewer, self.authenticator)
        self._check_still_good(arrival, viewer, since)
        await self._send_events(arrival, request, viewer, channel)

    async def _send_events(
        self, arrival: Arrival, request: StreamRequest, viewer: StreamViewer, channel: Channel
    ) -> None:
        arrival.begin_event_stream(chunked=request.is_http11)
        client = SseClient(arrival.wire, self.hall, viewer, channel, chunked=request.is_http11)
        client.open()
        client.greet()
        if request.last_event_id is None:
            self.hall.add(client.subscription)
        else:
            await self.feed.catch_up([client], request.last_event_id)

    async def _authenticate(self, request: StreamRequest) -> StreamViewer:
        token = request.token
        if token is None:
            raise ChannelError(401, "An access token is needed.")
        viewer = await self.authenticator.viewer(token)
        if viewer is None:
            raise ChannelError(401, "The access token is not valid.")
        if not viewer.scopes & SCOPES:
            raise ChannelError(401, "The scopes of the access token do not cover any stream.")
        return viewer

    def _check_still_good(self, arrival: Arrival, viewer: StreamViewer, since: int) -> None:
        if self.hall.is_revoked(viewer.token_id, since):
            raise ChannelError(401, "The access token is not valid.")
        if arrival.is_gone:
            raise ChannelError(400, "The client has gone.")


def _unanswered(wire: Wire) -> Arrival | None:
    return wire.owner if isinstance(wire.owner, Arrival) and not wire.finishing else None


def _make_parcel(position: int, clients: Sequence[Guest | Arrival]) -> Parcel:
    """One step without waiting: nothing is read or sent between the state and the end of our part."""
    states = [client.state() for client in clients]
    sockets = [client.wire.sock for client in clients]
    for client in clients:
        client.detach()
    return Parcel(position, states, sockets)
