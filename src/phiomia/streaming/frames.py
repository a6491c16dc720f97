"""Cuts what a WebSocket client sends into whole frames.

The protocol gets only whole ones, so what it has not understood yet is here, as bytes that can be handed on.
"""

CONTROL, FINAL = 0x08, 0x80


class TooLargeError(Exception):
    """A message is larger than anything a client has to say."""


class WholeFrames:
    """The bytes that came, until they are whole frames."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._partial = bytearray()
        self._message = bytearray()

    @property
    def unread(self) -> bytes:
        """The frames of a message that has not ended, and the beginning of the next frame."""
        return bytes(self._message + self._partial)

    def take(self, data: bytes) -> bytes:
        """The frames that are whole now. Raises TooLargeError."""
        buffer = self._partial
        buffer += data
        end = 0
        while (size := frame_size(buffer, end)) is not None:
            if size + len(self._message) > self._limit:
                raise TooLargeError
            if end + size > len(buffer):
                break
            self._remember(buffer, end, size)
            end += size
        whole = bytes(buffer[:end])
        del buffer[:end]
        return whole

    def _remember(self, buffer: bytearray, start: int, size: int) -> None:
        head = buffer[start]
        if head & CONTROL:
            return
        if head & FINAL:
            self._message.clear()
        else:
            self._message += buffer[start : start + size]


def frame_size(buffer: bytearray, start: int) -> int | None:
    """The size of the frame at `start` with its head; None while too little of the head is there."""
    if len(buffer) < start + 2:
        return None
    length = buffer[start + 1] & 0x7F
    head = 2 + (4 if buffer[start + 1] & 0x80 else 0)
    extended = {126: 2, 127: 8}.get(length, 0)
    if len(buffer) < start + 2 + extended:
        return None
    if extended:
        length = int.from_bytes(buffer[start + 2 : start + 2 + extended], "big")
    return head + extended + length
