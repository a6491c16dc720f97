"""Makes a release the current one, and lets the server's processes take it up role by role.

Processes follow the link `current` when their supervisor is told to; one that can't serve with the new release keeps
the old one. Standard library only.
"""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from phiomia.platform.control import find_supervisors, reload, restart
from phiomia.upgrade.places import Places
from phiomia.upgrade.processes import Live, list_live

# The words of manifests, and the roles of processes.
ROLES = {"workers": "worker", "web": "web", "streaming": "streaming"}
_TIMEOUT_S = 300.0
# Longer than old processes may take to finish what they are at.
_SETTLE_S = 420.0


class SwitchRefused(Exception):
    """A role did not take the release up; the old one serves."""


class Pointed(NamedTuple):
    """Where the links pointed before, if anywhere."""

    current: Path | None
    previous: Path | None


def read_links(places: Places) -> Pointed:
    """Where the links point."""
    return Pointed(_read(places.current), _read(places.previous))


def point(places: Places, release: Path) -> None:
    """Makes a release the current one, and the one before the previous one."""
    current = _read(places.current)
    if current == release.resolve():
        return
    if current is not None:
        _link(places.previous, current)
    _link(places.current, release.resolve())


def restore_links(places: Places, to: Pointed) -> None:
    """Points the links where they pointed before."""
    if to.current is not None:
        _link(places.current, to.current)
    if to.previous is not None:
        _link(places.previous, to.previous)
    else:
        places.previous.unlink(missing_ok=True)


def bring_roles(run_dir: Path, names: Sequence[str], how: str) -> None:
    """Lets roles take up the current release, by `reload` or `restart`. Raises SwitchRefused."""
    change = restart if how == "restart" else reload
    outcome = change(run_dir, [ROLES[name] for name in names], _TIMEOUT_S)
    if not outcome.ok:
        raise SwitchRefused(outcome.reason)


def is_running(run_dir: Path, name: str) -> bool:
    """Whether some supervisor keeps that role."""
    return any(ROLES[name] in supervisor.roles for supervisor in find_supervisors(run_dir))


def runs_only(run_dir: Path, name: str, release: Path) -> bool:
    """Whether every process of a role that takes work runs this release; true when none runs."""
    return _list_serving(run_dir, name) <= {release.resolve()}


def is_taken_up(run_dir: Path, name: str, release: Path) -> bool:
    """Whether a role has processes that take work, and all of them run this release."""
    return _list_serving(run_dir, name) == {release.resolve()}


def _list_serving(run_dir: Path, name: str) -> set[Path]:
    return {
        Path(child["python"]).parent.parent.parent
        for supervisor in find_supervisors(run_dir)
        for child in supervisor.status["children"]
        if child["role"] == ROLES[name] and child["state"] != "leaving"
    }


def list_older(places: Places, run_dir: Path, release: Path, untouched: set[str]) -> list[Live]:
    """Processes that run something else; those of untouched roles may."""
    return [one for one in list_live(places, run_dir) if one.release != release.resolve() and one.role not in untouched]


def wait_until_settled(
    places: Places, run_dir: Path, release: Path, untouched: set[str], tell: Callable[[str], None]
) -> list[Live]:
    """Waits for old processes to finish; gives those that have not when patience is at its end."""
    deadline = time.monotonic() + _SETTLE_S
    told: set[int] = set()
    while (older := list_older(places, run_dir, release, untouched)) and time.monotonic() < deadline:
        if {one.pid for one in older} != told:
            told = {one.pid for one in older}
            tell("waiting for " + ", ".join(f"{one.role} {one.pid}" for one in older))
        time.sleep(0.2)
    return older


def check_follows(places: Places, run_dir: Path) -> str:
    """Why the running server would not follow `current`; empty when it would, or when none runs."""
    for supervisor in find_supervisors(run_dir):
        python = Path(str(supervisor.status["python"]))
        if python.parent.parent.parent.parent != places.releases.resolve():
            return (
                f"The server that runs (process {supervisor.status['pid']}) was not started from {places.current}."
                f" Start it from there once: {places.current}/venv/bin/phiomia serve"
            )
    return ""


def _link(link: Path, to: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    temporary = link.with_name(f".{link.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(to)
    os.replace(temporary, link)


def _read(link: Path) -> Path | None:
    return link.resolve() if link.is_symlink() and link.exists() else None
