"""What the supervisor says of itself and its children in its status file. Standard library only."""

import os
import socket
from collections.abc import Iterable
from typing import Any

from phiomia.platform.children import CHECK, TEMPLATE
from phiomia.platform.listen import Listeners
from phiomia.platform.notify import Status
from phiomia.platform.spawn import Process
from phiomia.platform.topology import Settings


def describe_supervisor(settings: Settings, listeners: Listeners, processes: Iterable[Process], **state: Any) -> Status:
    """The status; `state` is what only the supervisor knows."""
    return {
        "pid": os.getpid(),
        **state,
        "version": settings.version,
        "roles": [child.role for child in settings.children],
        "listen": {name: [_name(sock) for sock in sockets] for name, sockets in listeners.items()},
        "children": [_describe(child) for child in processes if child.role not in (CHECK, TEMPLATE)],
    }


def _describe(child: Process) -> dict[str, Any]:
    return {
        "role": child.role,
        "pid": child.pid,
        "state": child.state,
        "generation": child.release.generation,
        "python": child.release.python,
        "version": child.release.version,
    }


def _name(sock: socket.socket) -> str:
    if sock.fileno() < 0:
        return ""
    name = sock.getsockname()
    return name if isinstance(name, str) else f"{name[0]}:{name[1]}"
