"""Becomes a process of another release: from the build on, the code of the release that comes does the work."""

import os
import signal
import sys
from collections.abc import Iterable
from typing import NoReturn

from phiomia.upgrade.build import Release
from phiomia.upgrade.lock import pass_on
from phiomia.upgrade.places import Places


def become(release: Release, arguments: Iterable[str], lock: int, places: Places) -> NoReturn:
    """Replaces this process by a command of another release, which keeps the lock."""
    # Between the two nobody listens for Ctrl-C; it must not end the upgrade in the middle.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    environment = {**os.environ, **pass_on(lock), **places.environ()}
    for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"):
        environment.pop(name, None)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(release.python, [str(release.python), "-P", "-m", "phiomia", *arguments], environment)  # noqa: S606
