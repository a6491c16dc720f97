"""The end: tells every child to go, and leaves nothing behind. Standard library only."""

import os
import signal

from phiomia.platform.park import may_outlive
from phiomia.platform.spawn import FOREVER, Process
from phiomia.platform.supervisor_state import Supervisor


def stop_children(one: Supervisor, reason: str) -> None:
    """Listens no more and tells every child to end; the loop waits for them."""
    one.state = "stopping"
    one.reason = reason
    one.action = None
    one.action_wakes = FOREVER
    for slot in one.crew.slots:
        slot.retry_at = FOREVER
    # Refused at once is better than queued and then cut; where systemd holds the socket too, it goes on queueing.
    for sockets in one.crew.listeners.values():
        for sock in sockets:
            sock.close()
    for process in one.crew.children:
        if _outlives(one, process):
            # It hears of our end by itself, and goes on until a child of the next supervisor relieves it.
            one.crew.children.let_go(process)
            continue
        # What does not serve yet has nothing to finish, and no handler either that makes SIGINT a quiet end.
        number = signal.SIGTERM if process.state == "starting" else process.stop_signal
        process.leave(number, one.settings.stop_limit_s)
    one.publish(STOPPING=1)


def _outlives(one: Supervisor, process: Process) -> bool:
    slot = next((slot for slot in one.crew.slots if slot.process is process), None)
    hands_over = slot is not None and slot.child.hands_over and process.state == "ready"
    return hands_over and one.park.pair is not None and may_outlive(dict(os.environ))


def clean_up(one: Supervisor) -> None:
    """Takes away what would lead others to a server that is not there."""
    one.seat.leave()
    one.park.close()
    for path in _list_unix_paths(one):
        if os.path.exists(path):
            os.unlink(path)
    one.state = "stopped"
    one.publish()


def _list_unix_paths(one: Supervisor) -> list[str]:
    if "LISTEN_FDS" in os.environ:
        return []
    addresses = [address for names in one.settings.listen.values() for address in names]
    return [address.removeprefix("unix:") for address in addresses if address.startswith("unix:")]
