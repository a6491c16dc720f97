"""Tries the server out while it is upgraded, so that the report can say what people noticed.

It is a process of its own, because an upgrade becomes another program in the middle; it ends when the upgrade does.
What it does is in `prober/`; who signs for it and starts it is `cli/upgrade_prober.py`.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from phiomia.upgrade.prober.samples import read_samples
from phiomia.upgrade.prober.summary import judge, sum_up
from phiomia.upgrade.prober.targets import Target, list_targets

__all__ = [
    "BASELINE_S",
    "find_probe",
    "judge",
    "list_targets",
    "read_samples",
    "start_probe",
    "stop_probe",
    "sum_up",
]

# So that there is something to compare with.
BASELINE_S = 3.0
PROGRAM = "phiomia.cli.upgrade_prober"


def start_probe(path: Path, targets: Iterable[Target], database_url: str = "") -> None:
    """Begins to ask, unless a process of ours is at it already. Without a database only for what anybody may."""
    if find_probe(path):
        return
    command = [sys.executable, "-P", "-m", PROGRAM, str(path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True)
    assert process.stdin is not None
    wanted = {"targets": [target._asdict() for target in targets], "database_url": database_url}
    process.stdin.write(json.dumps(wanted).encode())
    process.stdin.close()
    _note(path).write_text(str(process.pid), "ascii")
    # It is waited for by its number, perhaps by another program that this process has become.
    process.returncode = 0


def find_probe(path: Path) -> int:
    """The number of the process that asks for us; 0 when none does."""
    note = _note(path)
    if not note.exists():
        return 0
    pid = int(note.read_text("ascii") or 0)
    try:
        return pid if os.waitpid(pid, os.WNOHANG) == (0, 0) else 0
    except ChildProcessError:
        return 0  # of an upgrade that was killed; it ends by itself


def stop_probe(path: Path) -> None:
    """Ends it; what is on its way arrives before."""
    pid = find_probe(path)
    if pid:
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
    _note(path).unlink(missing_ok=True)


def _note(path: Path) -> Path:
    return path.with_suffix(".probe-pid")
