"""The first start: listens, then starts every child. Standard library only."""

import os
import time

from phiomia.platform.crew import Steps
from phiomia.platform.listen import open_listeners
from phiomia.platform.locks import try_lock
from phiomia.platform.notify import read_status
from phiomia.platform.supervisor_signals import catch_signals
from phiomia.platform.supervisor_state import Supervisor
from phiomia.platform.supervisor_stop import stop_children
from phiomia.platform.topology import Release

LOCKED_LIMIT_S = 2.0


def start_children(one: Supervisor) -> None:
    """Listens, then starts every child; the loop waits for them. Raises OSError."""
    catch_signals(one)
    _take_place(one)
    one.crew.listeners = open_listeners(one.settings.listen, dict(os.environ))
    one.seat.take()
    one.open_park(lambda: one.park.open(dict(os.environ)))
    one.publish()
    one.begin(_start(one))


def _take_place(one: Supervisor) -> None:
    """Makes sure that no other supervisor does the same on this data directory."""
    path = one.settings.status_path
    if not path:
        return
    deadline = time.monotonic() + LOCKED_LIMIT_S
    while (lock := try_lock(f"{path}.lock")) is None:
        # Whoever looks whether we run holds it for a moment.
        if time.monotonic() > deadline:
            raise FileExistsError(
                f"another supervisor runs here, process {_find_other(path)}, which keeps {path}:"
                " end that one first, or give this one another PHIOMIA_DATA"
            )
        time.sleep(0.05)
    one.lock = lock
    # Whoever sees the lock believes the file, which may still be that of somebody who has gone.
    one.publish()


def _find_other(path: str) -> str:
    try:
        return str(read_status(path)["pid"])
    except (OSError, ValueError, KeyError):
        return "unknown"  # it has only just begun


def _start(one: Supervisor) -> Steps:
    begun = time.monotonic()
    crew, limit_s = one.crew, one.settings.ready_limit_s
    release = Release(one.python, one.settings.template, one.generation, one.settings.version)
    crew.template = crew.start_template(release, limit_s)
    failure = yield from crew.wait_warm(crew.template)
    if not failure:
        children = [child for child in one.settings.children for _ in range(child.processes)]
        crew.slots = [crew.fill(child, release, crew.template, limit_s) for child in children]
        failure = yield from crew.wait_ready(crew.slots)
    if failure:
        one.log(f"gave up: {failure}")
        one.exit_code = 1
        stop_children(one, failure)
    else:
        one.boot_s = time.monotonic() - begun
        one.state = "running"
        one.publish(READY=1, MAINPID=os.getpid())
    return failure
