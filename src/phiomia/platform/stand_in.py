"""Lets somebody answer when none of the children that should can: 503 and Retry-After instead of silence.

What takes no longer than a restart is waited for in the socket, which nobody notices. Where an upgrade has announced
that nobody will be answered, people are told at once. Standard library only.
"""

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from phiomia.platform.crew import Crew
from phiomia.platform.downtime import FILE, read_notice
from phiomia.platform.spawn import FOREVER, Process
from phiomia.platform.topology import PYTHON, Child, Release

STAND_IN = "stand-in-"
# Longer than a start takes; not as long as clients and proxies wait.
PATIENCE_S = 20.0
ANNOUNCED_S = 0.5
AGAIN_S = 5.0
_LIMIT_S = 30.0


class StandIn:
    """Looks after the sockets that nobody serves."""

    def __init__(self, crew: Crew, folder: str, log: Callable[[str], None]) -> None:
        # At once: another generation of us may have left somebody at it.
        self.wakes_at = 0.0
        self._crew = crew
        self._notice = Path(folder) / FILE
        self._log = log
        self._due: dict[str, float] = {}

    def look(self) -> None:
        """Starts whoever answers instead, where it is time, and ends them where they are not needed any more."""
        self.wakes_at = FOREVER
        for name in self._crew.listeners:
            process = self._find(name)
            if self._is_served(name):
                self._due.pop(name, None)
                if process is not None:
                    process.leave(signal.SIGTERM, _LIMIT_S)
            elif process is None:
                self._wait_or_start(name)

    def dismiss(self) -> None:
        """Ends whoever answers: children have come, and the release that goes on may know nothing of stand-ins."""
        for process in filter(None, map(self._find, self._crew.listeners)):
            process.leave(signal.SIGTERM, _LIMIT_S)

    def _wait_or_start(self, name: str) -> None:
        now = time.monotonic()
        announced = read_notice(self._notice) is not None
        due = self._due.setdefault(name, now + PATIENCE_S)
        if announced and due > now + ANNOUNCED_S:
            due = self._due[name] = now + ANNOUNCED_S
        if due > now:
            self.wakes_at = min(self.wakes_at, due)
            return
        self._log(f"nobody serves {name}; answering with 503 meanwhile")
        # One that falls over is not started without end.
        self._due[name] = now + AGAIN_S
        self._start(name)

    def _start(self, name: str) -> None:
        child = Child(f"{STAND_IN}{name}", (PYTHON, "-P", "-m", "phiomia.platform.maintenance", str(self._notice)))
        sockets = [sock.fileno() for sock in self._crew.listeners[name]]
        settings = self._crew.settings
        process = self._crew.children.start(child, sys.executable, sockets, settings.bus_path, _LIMIT_S)
        process.release = Release(sys.executable, version=settings.version)

    def _is_served(self, name: str) -> bool:
        roles = {child.role for child in self._crew.settings.children if child.listen == name}
        roles |= {slot.child.role for slot in self._crew.slots if slot.child.listen == name}
        return any(
            process.role in roles and process.state == "ready" and not process.held for process in self._crew.children
        )

    def _find(self, name: str) -> Process | None:
        """Who answers there; also one that another generation of us has started."""
        role = f"{STAND_IN}{name}"
        found = (one for one in self._crew.children if one.role == role and one.state in ("starting", "ready"))
        return next(found, None)
