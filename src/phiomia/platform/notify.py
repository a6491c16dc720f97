"""Says how we are: to systemd, to the supervisor, to whoever waits for a reload. Standard library only."""

import json
import os
import socket
from collections.abc import Mapping
from typing import Any

Status = dict[str, Any]


def notify_systemd(**fields: str | int) -> None:
    """Sends `FIELD=value` lines to the service manager; does nothing when there is none."""
    _tell_systemd(fields, [])


def keep_descriptor(fd: int, name: str) -> None:
    """Lets the service manager keep a descriptor until it starts us anew."""
    _tell_systemd({"FDSTORE": 1, "FDNAME": name}, [fd])


def _tell_systemd(fields: Mapping[str, str | int], descriptors: list[int]) -> None:
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    message = "\n".join(f"{name}={value}" for name, value in fields.items())
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.connect("\0" + path[1:] if path.startswith("@") else path)
        if descriptors:
            socket.send_fds(sock, [message.encode()], descriptors)
        else:
            sock.sendall(message.encode())


def tell_ready() -> None:
    """Tells the supervisor that this child serves; does nothing in a process without one."""
    fd = offer_service()
    if fd is not None:
        os.close(fd)


def offer_service() -> int | None:
    """Tells the supervisor that this child could serve; gives what becomes readable when it may, or None: at once."""
    fd = os.environ.pop("PHIOMIA_READY_FD", None)
    if fd is None:
        return None
    os.write(int(fd), b"READY\n")
    return int(fd)


def write_status(path: str, status: Status) -> None:
    """Replaces the status file in one step, so that a reader never sees half of it."""
    if not path:
        return
    temporary = f"{path}.{os.getpid()}"
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(status, file)
    os.replace(temporary, path)


def read_status(path: str) -> Status:
    """What the supervisor wrote last."""
    with open(path, encoding="utf-8") as file:
        status: Status = json.load(file)
    return status
