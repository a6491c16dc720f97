"""Talks to the supervisors that run on a data directory: what they do, and a reload or restart that is waited for.

Standard library only: the upgrade uses it before a release is there. A server is one supervisor (`status.json`) or one
for each role (`status-<role>.json`).
"""

import os
import signal
import time
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from phiomia.platform.locks import is_locked, try_lock
from phiomia.platform.notify import Status, read_status
from phiomia.platform.orders import RELOAD, RESTART, Order, place_order

# Whoever enqueues for others comes after those who run it.
ORDER = ("worker", "streaming", "web")
LOOK_EVERY_S = 0.02


class Outcome(NamedTuple):
    """Whether everything asked for was done, and if not, why."""

    ok: bool
    reason: str = ""


class Supervisor(NamedTuple):
    """A supervisor that runs, and what it last said of itself."""

    path: str
    status: Status

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles it keeps."""
        return tuple(self.status["roles"])


def find_supervisors(run_dir: Path | str) -> list[Supervisor]:
    """Those that run on this data directory, workers first; a file that a dead one left does not count."""
    found = []
    for path in Path(run_dir).glob("status*.json"):
        if is_locked(f"{path}.lock"):
            found.append(Supervisor(str(path), read_status(str(path))))
    return sorted(found, key=lambda each: min((_place(role) for role in each.roles), default=len(ORDER)))


def reload(run_dir: Path | str, roles: Collection[str] | None = None, timeout_s: float = 180.0) -> Outcome:
    """Replaces the children of these roles (None: of all) beside the running ones; a refusal changes nothing."""
    return _order_all(run_dir, RELOAD, roles, timeout_s)


def restart(run_dir: Path | str, roles: Collection[str] | None = None, timeout_s: float = 180.0) -> Outcome:
    """Ends the children of these roles, then starts new ones; what can't start leaves the old release running."""
    return _order_all(run_dir, RESTART, roles, timeout_s)


def ask(run_dir: Path | str, how: str, roles: Collection[str] | None = None) -> Outcome:
    """The same without waiting for what becomes of it."""
    targets, missing = _choose(run_dir, roles)
    if missing:
        return Outcome(False, missing)
    for target in targets:
        _send(target, how, roles)
    return Outcome(True)


def _order_all(run_dir: Path | str, how: str, roles: Collection[str] | None, timeout_s: float) -> Outcome:
    targets, missing = _choose(run_dir, roles)
    if missing:
        return Outcome(False, missing)
    deadline = time.monotonic() + timeout_s
    for target in targets:
        outcome = _order(target, how, roles, deadline)
        if not outcome.ok:
            return outcome
    return Outcome(True)


def _choose(run_dir: Path | str, roles: Collection[str] | None) -> tuple[list[Supervisor], str]:
    running = find_supervisors(run_dir)
    if not running:
        return [], f"no server runs on {run_dir}"
    if roles is None:
        return running, ""
    missing = set(roles) - {role for each in running for role in each.roles}
    if missing:
        return [], f"no supervisor on {run_dir} runs the role {', '.join(sorted(missing, key=_place))}"
    return [each for each in running if set(each.roles) & set(roles)], ""


def _order(target: Supervisor, how: str, roles: Collection[str] | None, deadline: float) -> Outcome:
    """One order at a time: the next would overwrite it."""
    while (lock := try_lock(f"{target.path}.orders")) is None:
        if time.monotonic() > deadline:
            return Outcome(False, "another reload is still under way")
        time.sleep(LOOK_EVERY_S)
    try:
        return _await(target, _send(target, how, roles), deadline)
    except ProcessLookupError:
        return Outcome(False, "the supervisor has ended")
    finally:
        os.close(lock)


def _send(target: Supervisor, how: str, roles: Collection[str] | None) -> Order:
    concerned = None if roles is None else _of(target, roles)
    order = place_order(target.path, how, concerned)
    os.kill(target.status["pid"], signal.SIGHUP)
    return order


def _of(target: Supervisor, roles: Iterable[str]) -> list[str]:
    return [role for role in roles if role in target.roles]


def _await(target: Supervisor, order: Order, deadline: float) -> Outcome:
    while time.monotonic() < deadline:
        status = read_status(target.path)
        answered = status["answered"]
        if answered["id"] == order.id:
            return Outcome(not answered["reason"], answered["reason"])
        if status["state"] in ("stopping", "stopped"):
            return Outcome(False, "the server is being stopped")
        os.kill(target.status["pid"], 0)
        time.sleep(LOOK_EVERY_S)
    return Outcome(False, "no answer in time; the server's log says more")


def _place(role: str) -> int:
    return ORDER.index(role) if role in ORDER else len(ORDER)
