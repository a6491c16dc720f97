"""From one generation of the supervisor to the next, in the same process. Standard library only."""

import os
import signal
from typing import Any

from phiomia.platform.handover import FORMAT, become_supervisor, write_state
from phiomia.platform.listen import adopt
from phiomia.platform.orders import load_order
from phiomia.platform.supervisor_signals import SIGNALS, catch_signals
from phiomia.platform.supervisor_state import Supervisor


def become_next(one: Supervisor) -> None:
    """Turns this process into the supervisor of the release that its children already run."""
    # Between the exec and the new handlers a signal would have its default effect, which is death.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    state_fd = write_state(save_supervisor(one))
    os.set_inheritable(state_fd, True)
    for fd in _list_descriptors(one):
        os.set_inheritable(fd, True)
    try:
        become_supervisor(one.python, state_fd)
    except OSError as error:
        # The children run the new release, which is what was asked for; only this process stays behind.
        one.log(f"cannot become the new supervisor: {error}")
        os.close(state_fd)
        for fd in _list_descriptors(one):
            os.set_inheritable(fd, False)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        _go_on(one)


def save_supervisor(one: Supervisor) -> dict[str, Any]:
    """What the next generation needs to know."""
    return {
        "format": FORMAT,
        "settings": one.settings.save(),
        "generation": one.generation,
        "attempt": one.attempt,
        "orders": [order._asdict() for order in one.orders],
        "answered": one.answered,
        "boot_s": one.boot_s,
        "lock": one.lock,
        "listeners": {name: [sock.fileno() for sock in sockets] for name, sockets in one.crew.listeners.items()},
        "hub": one.seat.save(),
        "park": one.park.descriptors(),
        "processes": one.crew.children.save(),
        "slots": one.crew.save_slots(),
    }


def restore_supervisor(one: Supervisor, saved: dict[str, Any]) -> None:
    """Takes over what the previous generation left: sockets, children, bus connections."""
    one.generation = saved["generation"]
    one.attempt = saved["attempt"]
    one.orders += map(load_order, saved["orders"])
    one.answered = saved["answered"]
    one.boot_s = saved["boot_s"]
    one.lock = saved["lock"]
    if one.lock >= 0:
        os.set_inheritable(one.lock, False)
    for name, fds in saved["listeners"].items():
        one.crew.listeners[name] = [adopt(fd) for fd in fds]
    one.seat.restore(saved["hub"])
    one.open_park(lambda: one.park.restore(saved.get("park"), dict(os.environ)))
    one.crew.children.restore(saved["processes"])
    one.crew.restore_slots(saved["slots"])
    _go_on(one)
    catch_signals(one)


def _go_on(one: Supervisor) -> None:
    one.state = "running"
    one.log(f"generation {one.generation} serves")
    one.publish(READY=1, MAINPID=os.getpid())


def _list_descriptors(one: Supervisor) -> list[int]:
    locks = [one.lock] if one.lock >= 0 else []
    return one.crew.descriptors() + one.seat.descriptors() + one.park.descriptors() + locks
