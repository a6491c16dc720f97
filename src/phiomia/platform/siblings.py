"""Sockets on which the processes of one server hand each other connections."""

import os
import socket
from pathlib import Path


def listen_to_siblings(path: Path, waiting: int) -> socket.socket:
    """A socket at that path, which ends in our process id and a suffix; those that dead processes left go.

    `waiting`: how many may be on their way to us.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    for left in path.parent.glob(f"*{path.suffix}"):
        if not os.path.exists(f"/proc/{left.stem.rpartition('-')[2]}"):
            left.unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(waiting)
    return listener
