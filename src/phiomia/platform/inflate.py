"""Unpacking what a stranger packed, a bounded piece at a time."""

import zlib


class UnknownEncoding(ValueError):
    """The body is packed in a way nobody asked for."""


class Inflater:
    """Takes packed chunks and gives at most `cap` bytes in all; then `overflow` is set."""

    def __init__(self, encoding: str, cap: int) -> None:
        name = encoding.strip().lower()
        if name not in ("", "identity", "gzip", "x-gzip"):
            raise UnknownEncoding(f"unknown content encoding {encoding!r}")
        self._packed = name in ("gzip", "x-gzip")
        self._stream = _gunzip()
        self._left = cap
        self._started = False
        self.overflow = False

    @property
    def complete(self) -> bool:
        """Whether the packed data came to their end."""
        return not self._packed or not self._started or self._stream.eof

    def feed(self, chunk: bytes) -> bytes:
        """The plain bytes of a chunk; raises ValueError for damaged data."""
        return self._unpack(chunk) if self._packed else self._take(chunk)

    def _unpack(self, chunk: bytes) -> bytes:
        plain = bytearray()
        while chunk and not self.overflow:
            if self._stream.eof:
                # A gzip file may have several members.
                self._stream = _gunzip()
            self._started = True
            try:
                # One byte more than allowed shows that there is more.
                plain += self._take(self._stream.decompress(chunk, self._left + 1))
            except zlib.error as error:
                raise ValueError(f"damaged gzip: {error}") from error
            chunk = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
        return bytes(plain)

    def _take(self, plain: bytes) -> bytes:
        if len(plain) > self._left:
            self.overflow = True
            plain = plain[: self._left]
        self._left -= len(plain)
        return plain


def _gunzip() -> "zlib._Decompress":
    return zlib.decompressobj(wbits=31)
