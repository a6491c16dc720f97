"""Where tests keep what is thrown away: in memory if there is room, where making databases takes half the time.

A PostgreSQL database is some 850 files, and on a disk SQLite waits for each of its writes.
"""

from __future__ import annotations

import os
import sys

_MEMORY = "/dev/shm"
_DISK = "/tmp"
_ROOM = 4 * 1024**3


def find_scratch() -> str:
    """A folder with a short name, where everybody may make others and start programs out of them."""
    if not os.path.ismount(_MEMORY) or not os.access(_MEMORY, os.W_OK | os.X_OK):
        return _DISK
    about = os.statvfs(_MEMORY)
    enough = about.f_bavail * about.f_frsize >= _ROOM and not about.f_flag & os.ST_NOEXEC
    return _MEMORY if enough else _DISK


if __name__ == "__main__":
    sys.stdout.write(f"{find_scratch()}\n")
