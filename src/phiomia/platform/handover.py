"""How the supervisor's state gets from one release to the next: through memory that survives an exec.

Standard library only. A newer release reads what an older one wrote; it is asked to before anything depends on it.
"""

import json
import os
import sys
from typing import Any, NoReturn

from phiomia.platform.topology import Settings

FORMAT = 1
STATE_FD = "PHIOMIA_SUPERVISOR_STATE_FD"
SUPERVISOR = ("-P", "-m", "phiomia.platform.supervisor")


def current_python() -> str:
    """The interpreter of the current release: of what PHIOMIA_CURRENT or `current` points to, or our own."""
    current = os.environ.get("PHIOMIA_CURRENT") or _current_link()
    if not current:
        return sys.executable
    # The link is followed now: what runs must not change under the feet of a child that is started again later.
    return os.path.join(os.path.realpath(current), "venv", "bin", "python")


def _current_link() -> str:
    """The link beside the directory of releases that we run from; empty when we run from elsewhere."""
    releases = os.path.dirname(os.path.dirname(sys.prefix))
    link = os.path.join(os.path.dirname(releases), "current")
    return link if os.path.basename(releases) == "releases" and os.path.islink(link) else ""


def write_state(state: dict[str, Any]) -> int:
    """Puts the state into memory that survives an exec; gives its descriptor."""
    fd = os.memfd_create("phiomia-supervisor")
    with open(fd, "wb", closefd=False) as file:
        file.write(json.dumps(state).encode())
    return fd


def read_state(fd: int) -> dict[str, Any]:
    """The state that a previous generation, or the command that started us, left."""
    with open(fd, "rb", closefd=False) as file:
        file.seek(0)
        state: dict[str, Any] = json.load(file)
    if state["format"] != FORMAT:
        raise ValueError(f"supervisor state of format {state['format']}, but this release reads {FORMAT}")
    return state


def become_supervisor(python: str, state_fd: int) -> NoReturn:
    """Replaces this process by the supervisor that is described by the state."""
    os.set_inheritable(state_fd, True)
    os.execve(python, [python, *SUPERVISOR], {**os.environ, STATE_FD: str(state_fd)})  # noqa: S606


def replace_process(settings: Settings) -> NoReturn:
    """Turns the calling program, which may have loaded much, into a small supervisor with these settings."""
    become_supervisor(current_python(), write_state({"format": FORMAT, "settings": settings.save()}))
