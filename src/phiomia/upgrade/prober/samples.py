"""The file of what was seen: one line of JSON for each thing, in its order, whichever release wrote it.

`[at, target, ms, wrong]` is a request: when it began, what for, how long it took, and why its answer was the wrong one
(empty: it was right). `{"at", "kind", …}` is anything else; kinds that a reader does not know it passes over. Each
process that writes into the file begins with the kind `began`, which has the number of the format, and ends with
`ended` unless it is killed. Standard library only.
"""

import json
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

FORMAT = 2
Note = dict[str, Any]


class Request(NamedTuple):
    """A request and what became of it."""

    at: float
    target: str
    ms: float
    wrong: str

    @property
    def until(self) -> float:
        """When it was over."""
        return self.at + self.ms / 1000


class Run(NamedTuple):
    """What one process saw."""

    requests: list[Request]
    notes: list[Note]

    def of_kind(self, kind: str) -> list[Note]:
        """The notes of a kind."""
        return [note for note in self.notes if note["kind"] == kind]


class Samples(NamedTuple):
    """All that was seen during an upgrade."""

    runs: list[Run]

    @property
    def requests(self) -> list[Request]:
        """All requests."""
        return [request for run in self.runs for request in run.requests]

    def of_kind(self, kind: str) -> list[Note]:
        """All notes of a kind."""
        return [note for run in self.runs for note in run.of_kind(kind)]


class SampleFile:
    """Writes the file, from any thread."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8", buffering=1)
        self._writing = threading.Lock()
        self.note("began", format=FORMAT)

    def request(self, at: float, target: str, ms: float, wrong: str) -> None:
        """Notes a request."""
        self._write([round(at, 4), target, round(ms, 2), wrong])

    def note(self, kind: str, **more: Any) -> None:
        """Notes something else."""
        self._write({"at": round(time.time(), 4), "kind": kind, **more})

    def close(self) -> None:
        """Ends the file."""
        self.note("ended")
        self._file.close()

    def _write(self, value: Any) -> None:
        with self._writing:
            self._file.write(json.dumps(value) + "\n")


def read_samples(path: Path) -> Samples:
    """What the file has so far; nothing when there is none."""
    runs: list[Run] = []
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    for value in map(_read, lines):
        if not runs or (isinstance(value, dict) and value["kind"] == "began"):
            runs.append(Run([], []))
        if isinstance(value, dict):
            runs[-1].notes.append(value)
        elif value is not None:
            runs[-1].requests.append(Request(*value))
    return Samples(runs)


def _read(line: str) -> Any:
    # One that was being written when the power went is not whole.
    return json.loads(line) if line.endswith(("]", "}")) else None
