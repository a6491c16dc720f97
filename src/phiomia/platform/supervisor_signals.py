"""What the supervisor does when it gets a signal. Standard library only."""

import selectors
import signal
import socket

from phiomia.platform.orders import take_order
from phiomia.platform.supervisor_state import Supervisor
from phiomia.platform.supervisor_stop import stop_children

SIGNALS = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)


def catch_signals(one: Supervisor) -> None:
    """Lets signals wake the loop."""
    awake, wake = socket.socketpair()
    awake.setblocking(False)
    wake.setblocking(False)
    for number in SIGNALS:
        signal.signal(number, lambda _number, _frame: None)
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    one.wakers = (awake, wake)
    one.selector.register(awake, selectors.EVENT_READ, lambda _mask: _on_signals(one, awake.recv(4096)))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    # What ended before we listened for it left no signal.
    one.crew.reap()


def _on_signals(one: Supervisor, numbers: bytes) -> None:
    if signal.SIGCHLD in numbers:
        one.crew.reap()
    if signal.SIGHUP in numbers:
        order = take_order(one.settings.status_path)
        if order not in one.orders:
            one.orders.append(order)
    stops = [number for number in numbers if number in (signal.SIGTERM, signal.SIGINT)]
    if stops and one.state == "stopping":
        if signal.SIGINT in stops:
            for process in one.crew.children:
                process.kill()
    elif stops:
        stop_children(one, "")
