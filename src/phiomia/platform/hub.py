"""The hub of the local bus: passes small messages between the children. Standard library only.

A frame is `u32 length, u8 kind, u16 topic length, topic, payload`, where length counts what follows it. A client
subscribes and unsubscribes; what it publishes goes to every other subscriber of the topic.
"""

import base64
import selectors
import socket
import struct
from collections.abc import Iterator
from typing import Any

SUBSCRIBE, UNSUBSCRIBE, MESSAGE = 1, 2, 3
HEAD = struct.Struct("!IBH")
LENGTH_SIZE = 4
MAX_PAYLOAD = 64 * 1024
MAX_TOPIC = 1024
MAX_FRAME = HEAD.size - LENGTH_SIZE + MAX_TOPIC + MAX_PAYLOAD
MAX_QUEUED = 4 * 1024 * 1024
READ_SIZE = 256 * 1024


class BrokenFrameError(Exception):
    """The other side does not speak our frames."""


def pack(kind: int, topic: bytes, payload: bytes = b"") -> bytes:
    """One frame."""
    return HEAD.pack(HEAD.size - LENGTH_SIZE + len(topic) + len(payload), kind, len(topic)) + topic + payload


def unpack(buffer: bytearray) -> Iterator[tuple[int, bytes, bytes]]:
    """Takes the whole frames out of the buffer: kind, topic and the frame itself."""
    start = 0
    try:
        while len(buffer) - start >= HEAD.size:
            length, kind, topic_length = HEAD.unpack_from(buffer, start)
            if not HEAD.size - LENGTH_SIZE + topic_length <= length <= MAX_FRAME:
                raise BrokenFrameError(f"a frame of {length} bytes")
            end = start + LENGTH_SIZE + length
            if len(buffer) < end:
                break
            frame = bytes(buffer[start:end])
            start = end
            yield kind, frame[HEAD.size : HEAD.size + topic_length], frame
    finally:
        del buffer[:start]


class Client:
    """One connected process."""

    __slots__ = ("queued", "received", "sock", "topics", "waits_for_write")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.topics: set[bytes] = set()
        self.received = bytearray()
        self.queued = bytearray()
        self.waits_for_write = False


class Hub:
    """Serves the bus from the supervisor's loop; never waits for a client."""

    def __init__(self, selector: selectors.BaseSelector, listener: socket.socket) -> None:
        self.selector = selector
        self.listener = listener
        self.clients: set[Client] = set()
        self.subscribers: dict[bytes, set[Client]] = {}
        selector.register(listener, selectors.EVENT_READ, self._accept)

    def close(self) -> None:
        """Ends every connection."""
        self.stop_listening()
        for client in list(self.clients):
            self._drop(client)

    def stop_listening(self) -> None:
        """Takes no new connections."""
        if self.listener.fileno() >= 0:
            self.selector.unregister(self.listener)
            self.listener.close()

    def save(self) -> dict[str, Any]:
        """Everything the next generation needs to go on with the same connections."""
        clients = [
            {
                "fd": client.sock.fileno(),
                "topics": [_to_text(topic) for topic in client.topics],
                "received": _to_text(client.received),
                "queued": _to_text(client.queued),
            }
            for client in self.clients
        ]
        return {"listener": self.listener.fileno(), "clients": clients}

    def descriptors(self) -> list[int]:
        """The descriptors that an exec must leave open."""
        return [self.listener.fileno(), *(client.sock.fileno() for client in self.clients)]

    def restore(self, saved: list[dict[str, Any]]) -> None:
        """Takes over the connections of the previous generation."""
        for entry in saved:
            client = self._add(socket.socket(fileno=entry["fd"]))
            for topic in entry["topics"]:
                self._subscribe(client, _to_bytes(topic))
            client.received += _to_bytes(entry["received"])
            client.queued += _to_bytes(entry["queued"])
            self._flush(client)

    def _accept(self, _mask: int) -> None:
        try:
            sock, _ = self.listener.accept()
        except OSError:
            # Gone again before we came; the client tries once more.
            return
        self._add(sock)

    def _add(self, sock: socket.socket) -> Client:
        sock.setblocking(False)
        sock.set_inheritable(False)
        client = Client(sock)
        self.clients.add(client)
        self.selector.register(sock, selectors.EVENT_READ, lambda mask: self._serve(client, mask))
        return client

    def _serve(self, client: Client, mask: int) -> None:
        if mask & selectors.EVENT_WRITE:
            self._flush(client)
        if mask & selectors.EVENT_READ and client in self.clients:
            self._read(client)

    def _read(self, client: Client) -> None:
        try:
            data = client.sock.recv(READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(client)
            return
        client.received += data
        touched: set[Client] = set()
        try:
            for kind, topic, frame in unpack(client.received):
                self._handle(client, kind, topic, frame, touched)
        except BrokenFrameError:
            self._drop(client)
        for receiver in touched:
            self._flush(receiver)

    def _handle(self, client: Client, kind: int, topic: bytes, frame: bytes, touched: set[Client]) -> None:
        if kind == MESSAGE:
            for receiver in self.subscribers.get(topic, ()):
                if receiver is not client:
                    receiver.queued += frame
                    touched.add(receiver)
        elif kind == SUBSCRIBE:
            self._subscribe(client, topic)
        elif kind == UNSUBSCRIBE:
            self._unsubscribe(client, topic)

    def _subscribe(self, client: Client, topic: bytes) -> None:
        client.topics.add(topic)
        self.subscribers.setdefault(topic, set()).add(client)

    def _unsubscribe(self, client: Client, topic: bytes) -> None:
        client.topics.discard(topic)
        receivers = self.subscribers.get(topic)
        if receivers is not None:
            receivers.discard(client)
            if not receivers:
                del self.subscribers[topic]

    def _flush(self, client: Client) -> None:
        if client not in self.clients:
            return
        try:
            while client.queued:
                sent = client.sock.send(client.queued)
                del client.queued[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self._drop(client)
            return
        if len(client.queued) > MAX_QUEUED:
            self._drop(client)
            return
        if bool(client.queued) != client.waits_for_write:
            client.waits_for_write = bool(client.queued)
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.waits_for_write else 0)
            self.selector.modify(client.sock, events, self.selector.get_key(client.sock).data)

    def _drop(self, client: Client) -> None:
        if client not in self.clients:
            return
        self.clients.discard(client)
        for topic in list(client.topics):
            self._unsubscribe(client, topic)
        self.selector.unregister(client.sock)
        client.sock.close()


def _to_text(data: bytes | bytearray) -> str:
    return base64.b64encode(data).decode()


def _to_bytes(text: str) -> bytes:
    return base64.b64decode(text)
