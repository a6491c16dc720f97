"""Lets other programs do their part of a build. Standard library only."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path


class BuildError(Exception):
    """The release could not be built; the message ends with what the failing program said."""


def environment_of_builds() -> dict[str, str]:
    """The variables of a program that builds: those of an environment that is active here are left out."""
    ours = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if name not in ours}


def run_building(command: Sequence[str], folder: Path, what: str, environment: dict[str, str] | None = None) -> None:
    """Lets a program do its part in a folder. Raises BuildError with what it said."""
    # In a session of its own: Ctrl-C asks us to stop after this, not this to stop.
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment or environment_of_builds(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
    )
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or f"exit status {done.returncode}")[-2000:]
        raise BuildError(f"Could not {what}: {said}")
