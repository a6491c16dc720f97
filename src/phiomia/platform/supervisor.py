"""Keeps the children running and replaces them without losing a request; its process id never changes.

It imports the standard library only, listens before anything else is loaded and goes on listening while releases
come and go. SIGHUP replaces every child by one of the current release: the new ones are started beside the old ones,
in the order of the settings, on the same sockets; when all of them serve, the old ones drain and the supervisor
becomes the new release's supervisor by `execve`. When one of them fails, all new ones go and nothing has changed.
SIGTERM or SIGINT stops everything. An order (`orders.py`) beside SIGHUP names the roles, or asks for the new ones
only after the old ones have ended.

With a template in the settings, the children are copies of a process that has loaded the release (`template.py`).
It is started before them, ends when all of them serve, and is started again when several must come back.
One alone runs its own program, which is there sooner.

Its state is in `supervisor_state.py`, its loop in `supervisor_loop.py`; beside them one file for each thing it does.

A child finds its sockets in PHIOMIA_LISTEN_FD, writes READY to PHIOMIA_READY_FD when it serves, and reaches the bus
at PHIOMIA_BUS_SOCKET. SIGTERM asks it to drain, SIGINT to end soon. These four are the contract between releases.
PHIOMIA_GENERATION says which one it belongs to: one whose connections outlive it hands them over to the next.
"""

import json
import os
import sys
from typing import Any

from phiomia.platform.handover import STATE_FD, current_python, read_state
from phiomia.platform.supervisor_loop import serve
from phiomia.platform.supervisor_next import restore_supervisor
from phiomia.platform.supervisor_start import start_children
from phiomia.platform.supervisor_state import Supervisor
from phiomia.platform.topology import Settings, load_settings, settings_from_environment


def run(settings: Settings) -> int:
    """Starts everything and serves until told to stop; gives the exit status."""
    supervisor = Supervisor(settings, current_python())
    try:
        start_children(supervisor)
    except OSError as error:
        # What is said of a file names it only as a whole.
        reason = error if error.filename else error.strerror or error
        print(f"supervisor: cannot start: {reason}", file=sys.stderr, flush=True)
        return 1
    return serve(supervisor)


def resume(state: dict[str, Any]) -> int:
    """Goes on where the previous generation stopped."""
    supervisor = Supervisor(load_settings(state["settings"]), sys.executable)
    restore_supervisor(supervisor, state)
    return serve(supervisor)


def check(state: dict[str, Any]) -> None:
    """Prints the settings this release wants, after having read the state of the running one."""
    settings = load_settings(state["settings"])
    if settings.describe:
        os.execv(sys.executable, [sys.executable, "-P", *settings.describe])  # noqa: S606
    print(json.dumps(settings.save()))


def main(argv: list[str]) -> int:
    """The program: a fresh start, a start with prepared settings, the exec of a reload, or the check before it."""
    state_fd = os.environ.pop(STATE_FD, None)
    if state_fd is None:
        return run(settings_from_environment(dict(os.environ)))
    state = read_state(int(state_fd))
    os.close(int(state_fd))
    if "--check" in argv:
        check(state)
        return 0
    return resume(state) if "generation" in state else run(load_settings(state["settings"]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
