"""One upgrade at a time: a lock on the directory of releases, and one in the database for whoever shares that.

Both are gone when the process is, however it ends.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from phiomia.upgrade.database import Connection, connect, sqlite_path

INHERITED = "PHIOMIA_UPGRADE_LOCK_FD"
# Not 7417001: with that writers put their events in order, and would wait for as long as an upgrade takes.
_ADVISORY = 7_417_003


class Locked(Exception):
    """Another upgrade is under way; the message says whose."""


@contextmanager
def hold_lock(state: Path) -> Iterator[int]:
    """Keeps every other upgrade of this installation out; gives the descriptor. Raises Locked."""
    fd = _take_over() or _take(state)
    try:
        yield fd
    finally:
        os.close(fd)


def pass_on(fd: int) -> dict[str, str]:
    """The variable with which the program that this process becomes keeps the lock."""
    os.set_inheritable(fd, True)
    return {INHERITED: str(fd)}


def who_holds(state: Path) -> str:
    """Who has the lock, in words; empty when nobody has."""
    path = state / "lock"
    if not path.exists():
        return ""
    with path.open("r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return _describe(file.read())
    return ""


@contextmanager
def hold_database(database_url: str) -> Iterator[None]:
    """Keeps upgrades out that use the same database from elsewhere. Raises Locked."""
    path = sqlite_path(database_url)
    with ExitStack() as held:
        if path is None:
            _lock_postgresql(held.enter_context(connect(database_url)))
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            _lock_file(held.enter_context(path.with_name(f"{path.name}.upgrade").open("ab")).fileno())
        yield


def _take(state: Path) -> int:
    state.mkdir(parents=True, exist_ok=True)
    fd = os.open(state / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        told = os.read(fd, 4096)
        os.close(fd)
        raise Locked(f"Another upgrade is under way: {_describe(told)}.") from None
    os.ftruncate(fd, 0)
    os.pwrite(fd, json.dumps({"pid": os.getpid(), "since": time.time()}).encode(), 0)
    return fd


def _take_over() -> int | None:
    told = os.environ.pop(INHERITED, "")
    if not told:
        return None
    fd = int(told)
    os.set_inheritable(fd, False)
    return fd


def _lock_postgresql(connection: Connection) -> None:
    if connection.rows("SELECT pg_try_advisory_lock(?)", _ADVISORY) != [(True,)]:
        raise Locked("Another upgrade of this database is under way, perhaps from another machine.")


def _lock_file(fd: int) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Locked("Another upgrade of this database is under way, from another installation.") from None


def _describe(told: bytes) -> str:
    with suppress(ValueError, KeyError, TypeError):
        holder = json.loads(told)
        return f"process {holder['pid']} has been at it for {time.time() - holder['since']:.0f} s"
    return "another process is at it"
