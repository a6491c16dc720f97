"""Says how we are: to systemd, to the supervisor, to whoever waits for a reload. Standard library only."""

import json
import os
import signal
import socket
import time
from typing import Any

Status = dict[str, Any]


def notify_systemd(**fields: str | int) -> None:
    """Sends `FIELD=value` lines to the service manager; does nothing when there is none."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    message = "\n".join(f"{name}={value}" for name, value in fields.items())
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.connect("\0" + path[1:] if path.startswith("@") else path)
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


def reload_and_wait(path: str, limit_s: float = 120.0) -> Status:
    """Asks the supervisor for a reload and gives its status afterwards; `reason` is empty when it succeeded."""
    before = read_status(path)
    # Attempts are counted at their start. One that runs now may have looked before the switch: the next one counts.
    target = before["attempt"] + 1
    os.kill(before["pid"], signal.SIGHUP)
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        status = read_status(path)
        if status["attempt"] >= target and status["state"] != "reloading":
            return status
        os.kill(before["pid"], 0)
        time.sleep(0.02)
    raise TimeoutError(f"no answer to the reload within {limit_s:g} s")
