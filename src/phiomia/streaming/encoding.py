"""Bytes for the wire. Each distinct one is made once for an event and then shared by every socket."""

from typing import NamedTuple

import msgspec

SSE_COMMENT_HELLO = b":)\n"
SSE_HEARTBEAT = b":thump\n\n"
LAST_CHUNK = b"0\r\n\r\n"


def text_frame(text: bytes) -> bytes:
    """A WebSocket text frame from the server: unmasked, so the same bytes serve every client."""
    size = len(text)
    if size < 126:
        return bytes((0x81, size)) + text
    if size < 1 << 16:
        return b"\x81\x7e" + size.to_bytes(2, "big") + text
    return b"\x81\x7f" + size.to_bytes(8, "big") + text


def chunk(data: bytes) -> bytes:
    """A chunk of an HTTP/1.1 body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def with_filtered(status: bytes, filtered: bytes) -> bytes:
    """The JSON of a status without a viewer, with what the viewer's filters say of it."""
    return b'%b,"filtered":%b}' % (status[:-1], filtered)


class Message(NamedTuple):
    """What one client is told of an event; only the last of several says that the event is complete."""

    name: str
    payload: bytes | None
    is_last: bool = True


class Frames:
    """The frames of the log event `seq`."""

    __slots__ = ("_made", "_texts", "seq")

    def __init__(self, seq: int) -> None:
        self.seq = seq
        self._made: dict[tuple[bytes | bool, Message], bytes] = {}
        self._texts: dict[bytes, bytes] = {}

    def websocket(self, stream: bytes, message: Message) -> bytes:
        """A text frame; `stream` is the JSON of the channel's names."""
        frame = self._made.get((stream, message))
        if frame is None:
            frame = self._made[stream, message] = text_frame(self._websocket_text(stream, message))
        return frame

    def sse(self, message: Message, *, chunked: bool) -> bytes:
        """An event of an event stream with its sequence number, as a chunk if need be."""
        frame = self._made.get((chunked, message))
        if frame is None:
            text = self._sse_text(message)
            frame = self._made[chunked, message] = chunk(text) if chunked else text
        return frame

    def _websocket_text(self, stream: bytes, message: Message) -> bytes:
        name, payload = message.name.encode(), message.payload
        if payload is None:
            return b'{"stream":%b,"event":"%b"}' % (stream, name)
        text = self._texts.get(payload)
        if text is None:
            text = self._texts[payload] = msgspec.json.encode(payload.decode())
        return b'{"stream":%b,"event":"%b","payload":%b}' % (stream, name, text)

    def _sse_text(self, message: Message) -> bytes:
        # An event without a data line is never dispatched by a browser; the word is the documented one.
        data = b"undefined" if message.payload is None else message.payload
        # A client that returns after half of an event must get the whole of it again.
        number = b"id: %d\n" % self.seq if message.is_last else b""
        return b"event: %b\n%bdata: %b\n\n" % (message.name.encode(), number, data)
