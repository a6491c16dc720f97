"""Counting how often somebody asks, shared by the web processes of one machine.

A memory-mapped table of fixed windows: an entry is (key hash, window, count). Two processes that write
the same entry at the same moment may lose a count, and two keys may share one: for limits that is good
enough, and it costs a microsecond.
"""

import mmap
import os
import struct
import time
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

_ENTRY = struct.Struct("<QII")
_SLOTS = 1 << 16
_SIZE = _ENTRY.size * _SLOTS


class Allowance(NamedTuple):
    """What is left of a limit. `reset` is a moment in seconds since the epoch."""

    limit: int
    remaining: int
    reset: int
    exceeded: bool


class Rates:
    """The table of counts; without a file it belongs to this process alone."""

    def __init__(self, file: Path | None = None) -> None:
        if file is None:
            self._table = mmap.mmap(-1, _SIZE)
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(handle, _SIZE)
            self._table = mmap.mmap(handle, _SIZE)
        finally:
            os.close(handle)

    def count(self, rule: str, who: str | int, limit: int, seconds: int) -> Allowance:
        """Counts one request of `who` under `rule`; tells what is left of `limit` in `seconds`."""
        window = int(time.time()) // seconds
        digest = int.from_bytes(blake2b(f"{rule}\0{who}".encode(), digest_size=8).digest(), "little") | 1
        place = (digest % _SLOTS) * _ENTRY.size
        key, at, used = _ENTRY.unpack_from(self._table, place)
        used = used + 1 if key == digest and at == window & 0xFFFFFFFF else 1
        _ENTRY.pack_into(self._table, place, digest, window & 0xFFFFFFFF, min(used, 0xFFFFFFFF))
        return Allowance(limit, max(0, limit - used), (window + 1) * seconds, used > limit)
