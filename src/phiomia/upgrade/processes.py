"""Which release each process of the server runs, as the system tells it. Standard library only."""

import os
from pathlib import Path
from typing import NamedTuple

from phiomia.platform.control import find_supervisors
from phiomia.upgrade.places import Places

_PROC = Path("/proc")
# Commands are no part of the server: nothing waits for them.
_SERVING = ("child", "template", "serve", "web", "worker", "streaming", "run")


class Live(NamedTuple):
    """A process: what it does, and the directory of its release (None: it runs from elsewhere).

    One that is leaving only finishes what it is at.
    """

    pid: int
    role: str
    release: Path | None
    leaving: bool = False


def list_live(places: Places, run_dir: Path) -> list[Live]:
    """The processes that serve: those that supervisors know of, and whatever else runs from a release directory."""
    found: dict[int, Live] = {}
    for supervisor in find_supervisors(run_dir):
        for child in supervisor.status["children"]:
            if child["pid"] > 0 and _is_alive(child["pid"]):
                release = _release_in([child["python"]])
                found[child["pid"]] = Live(child["pid"], child["role"], release, child["state"] == "leaving")
    for pid in _pids():
        arguments = _arguments(pid)
        release = _release_in(arguments)
        if pid not in found and release is not None and release.parent == places.releases.resolve():
            role = _role(arguments)
            if role:
                found[pid] = Live(pid, role, release)
    return [found[pid] for pid in sorted(found)]


def used_releases(places: Places) -> set[Path]:
    """The release directories that some process needs, whatever it does."""
    found = set()
    for pid in _pids():
        for path in (_release_in(_arguments(pid)), _working_directory(pid)):
            if path is not None:
                found |= {path} | {one for one in path.parents if one.parent == places.releases.resolve()}
    return found


def _pids() -> list[int]:
    return [int(path.name) for path in _PROC.iterdir() if path.name.isdigit()] if _PROC.is_dir() else []


def _arguments(pid: int) -> list[str]:
    try:
        told = (_PROC / str(pid) / "cmdline").read_bytes().decode("utf-8", "surrogateescape")
    except OSError:
        return []  # it has ended, or is not ours
    return told.split("\0") if told else []


def _working_directory(pid: int) -> Path | None:
    try:
        return Path(os.readlink(_PROC / str(pid) / "cwd"))
    except OSError:
        return None


def _release_in(arguments: list[str]) -> Path | None:
    python = Path(arguments[0]) if arguments else Path()
    if python.parts[-3:-1] != ("venv", "bin"):
        return None
    # What was started through `current` long ago may not be what `current` is now, so only real paths tell.
    release = python.parent.parent.parent
    return None if release.is_symlink() else release.resolve()


def _role(arguments: list[str]) -> str:
    if "phiomia.platform.supervisor" in arguments:
        return "supervisor"
    if "phiomia" not in arguments:
        return ""
    named = arguments[arguments.index("phiomia") + 1 :]
    if not named or named[0] not in _SERVING:
        return ""
    return named[1] if named[0] == "child" and len(named) > 1 else named[0]


def _is_alive(pid: int) -> bool:
    # What has ended and was not waited for yet has no arguments any more.
    return bool(_arguments(pid)[0:1])
