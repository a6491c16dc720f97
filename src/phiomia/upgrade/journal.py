"""The journal of one upgrade: a file of JSON lines, each on disk before and after what it tells of.

A line that was being written when the power went is not there: whatever it would have told happens again or is seen
to have happened. Standard library only.
"""

import json
import os
import signal
import socket
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from phiomia.upgrade.ledger import user_name

FORMAT = 1
DIE_AT = "PHIOMIA_UPGRADE_DIE_AT"
# How an upgrade may stand.
RUNNING, FAILED, STOPPED, SETTLING = "running", "failed", "stopped", "settling"
FINISHED, ROLLED_BACK = "finished", "rolled back"
OPEN = (RUNNING, FAILED, STOPPED)
_STATES = {
    "planned": RUNNING,
    "resumed": RUNNING,
    "failed": FAILED,
    "stopped": STOPPED,
    "settling": SETTLING,
    "finished": FINISHED,
    "rolled_back": ROLLED_BACK,
}

Entry = dict[str, Any]


class JournalError(Exception):
    """There is no such journal, or a newer release wrote it."""


class Journal:
    """Appends to one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries = _read(path) if path.exists() else []
        self._repair()

    @property
    def id(self) -> str:
        """What the upgrade is called."""
        return self.path.stem

    def write(self, kind: str, **fields: Any) -> Entry:
        """Adds an entry; it is on disk when this returns."""
        position = len(self.entries)
        entry = {"n": position, "at": time.time(), "kind": kind, **fields}
        _die_at(2 * position)
        with self.path.open("ab") as file:
            file.write(json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if position == 0:
            _sync_folder(self.path.parent)
        self.entries.append(entry)
        _die_at(2 * position + 1)
        return entry

    @property
    def told(self) -> "Told":
        """What the entries say, taken together."""
        return tell(self.entries)

    def _repair(self) -> None:
        whole = sum(len(line) for line in _whole_lines(self.path)) if self.path.exists() else 0
        if self.path.exists() and self.path.stat().st_size > whole:
            os.truncate(self.path, whole)


class Told(NamedTuple):
    """How an upgrade stands: the plan as it was accepted, and what became of each action."""

    planned: Entry
    state: str
    reason: str
    done: dict[tuple[int, str], Entry]
    switched: tuple[Entry, ...]
    resumed: int

    @property
    def plan(self) -> dict[str, Any]:
        """The plan, as `--json` prints it."""
        plan: dict[str, Any] = self.planned["plan"]
        return plan


def tell(entries: Iterable[Entry]) -> Told:
    """Reads the entries in their order. Raises JournalError."""
    planned: Entry | None = None
    state, reason, resumed = "", "", 0
    done: dict[tuple[int, str], Entry] = {}
    switched: list[Entry] = []
    for entry in entries:
        kind = entry["kind"]
        if kind == "planned":
            planned = entry
        elif kind == "done":
            done[entry["leg"], entry["step"]] = entry
        elif kind == "undone":
            done.pop((entry["leg"], entry["step"]), None)
        elif kind == "switched":
            switched.append(entry)
        state = _STATES.get(kind, state)
        reason = entry.get("reason", "") if kind in _STATES else reason
        resumed += kind == "resumed"
    if planned is None:
        raise JournalError("The journal has no plan.")
    return Told(planned, state, reason, done, tuple(switched), resumed)


def create_journal(folder: Path, plan: dict[str, Any], **options: Any) -> Journal:
    """A journal with its first entry: what will be done, who wants it and how."""
    folder.mkdir(parents=True, exist_ok=True)
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    for number in range(100):
        path = folder / f"{stamp}-{plan['hash'][:8]}{f'-{number}' if number else ''}.jsonl"
        if not path.exists():
            break
    journal = Journal(path)
    journal.write("planned", format=FORMAT, plan=plan, user=user_name(), host=socket.gethostname(), **options)
    return journal


def open_journal(path: Path) -> Journal:
    """An existing journal. Raises JournalError."""
    if not path.exists():
        raise JournalError(f"There is no journal {path}.")
    journal = Journal(path)
    wrote = journal.entries[0].get("format", 0) if journal.entries else 0
    if wrote > FORMAT:
        raise JournalError(f"{path} was written by a newer release: let that one go on with it.")
    return journal


def list_journals(folder: Path) -> list[Journal]:
    """All upgrades, the oldest first; what never got as far as a plan is left out."""
    found = [Journal(path) for path in sorted(folder.glob("*.jsonl"))] if folder.is_dir() else []
    return [one for one in found if any(entry["kind"] == "planned" for entry in one.entries)]


def find_open(journals: Iterable[Journal], states: Iterable[str]) -> Journal:
    """The latest upgrade in one of these states. Raises JournalError."""
    wanted = tuple(states)
    for journal in reversed(list(journals)):
        if journal.told.state in wanted:
            return journal
    raise JournalError("No upgrade is waiting for that.")


def _read(path: Path) -> list[Entry]:
    return [json.loads(line) for line in _whole_lines(path)]


def _whole_lines(path: Path) -> list[bytes]:
    return [line for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _die_at(boundary: int) -> None:
    # How the tests end us where it hurts: before and after each entry.
    if os.environ.get(DIE_AT) == str(boundary):
        os.kill(os.getpid(), signal.SIGKILL)
