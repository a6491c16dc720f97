"""What the supervisor knows, and what it says of itself; the files named `supervisor_` beside this one act on it.

Standard library only.
"""

import os
import selectors
import socket
import sys
from collections import deque
from collections.abc import Callable

from phiomia.platform.crew import Crew, Steps
from phiomia.platform.notify import notify_systemd, write_status
from phiomia.platform.orders import Order
from phiomia.platform.park import ParkKeeper
from phiomia.platform.seat import HubSeat
from phiomia.platform.spawn import FOREVER
from phiomia.platform.stand_in import StandIn
from phiomia.platform.supervisor_status import describe_supervisor
from phiomia.platform.topology import Settings

# A release that takes this many times as long as the last one did does not start: seen also on a machine that has
# much else to do, yet soon enough for who waits.
PATIENCE = 5.0
LEAST_LIMIT_S = 12.0


class Supervisor:
    """The state of the supervisor."""

    def __init__(self, settings: Settings, python: str) -> None:
        self.python = python
        self.generation = 1
        self.attempt = 0
        self.state = "starting"
        self.reason = ""
        self.answered = {"id": "", "reason": ""}
        self.boot_s = 0.0
        self.selector = selectors.DefaultSelector()
        self.seat = HubSeat(self.selector, settings.bus_path)
        self.park = ParkKeeper(self.selector, os.path.dirname(settings.bus_path))
        self.crew = Crew(self.selector, settings, self._is_serving, self.publish, self.log)
        self.stand_in = StandIn(self.crew, os.path.dirname(settings.status_path), self.log)
        self.action: Steps | None = None
        self.action_wakes = FOREVER
        self.orders: deque[Order] = deque()
        self.lock = -1
        self.exit_code = 0
        self.finished = False
        self.wakers: tuple[socket.socket, ...] = ()

    @property
    def settings(self) -> Settings:
        """What the release that serves wants to run."""
        return self.crew.settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        self.crew.settings = settings

    @property
    def renewal_limit_s(self) -> float:
        """How long the children of another release may take together."""
        return self.settings.reload_limit_s or max(LEAST_LIMIT_S, PATIENCE * self.boot_s)

    def _is_serving(self) -> bool:
        return self.state not in ("starting", "stopping")

    def begin(self, action: Steps) -> None:
        """Takes the first step of a long action; the loop takes the others."""
        self.action = action
        self.step()

    def step(self) -> None:
        """Takes the next step of the action that was begun."""
        assert self.action is not None
        try:
            self.action_wakes = next(self.action)
        except StopIteration:
            self.action = None
            self.action_wakes = FOREVER

    def open_park(self, open_it: Callable[[], None]) -> None:
        """Gives streams a place to wait in, where there can be one."""
        try:
            open_it()
        except OSError as error:
            # Streams will be closed when the unit is restarted; that is no reason not to serve them now.
            self.log(f"streams have no place to wait in: {error}")

    def publish(self, **systemd: str | int) -> None:
        """Writes the status file, and tells the service manager."""
        status = describe_supervisor(
            self.settings,
            self.crew.listeners,
            self.crew.children,
            generation=self.generation,
            attempt=self.attempt,
            state=self.state,
            reason=self.reason,
            answered=self.answered,
            boot_s=round(self.boot_s, 3),
            python=self.python,
        )
        try:
            write_status(self.settings.status_path, status)
            notify_systemd(**systemd, STATUS=f"{self.state}, generation {self.generation} {self.reason}".strip())
        except OSError as error:
            # A full disk must not end what serves well.
            self.log(f"cannot report the status: {error}")

    def log(self, message: str) -> None:
        """Says something to the operator."""
        print(f"supervisor: {message}", file=sys.stderr, flush=True)
