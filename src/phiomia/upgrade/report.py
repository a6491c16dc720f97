"""What an upgrade tells while it runs; as plain lines for logs and pipes. Standard library only."""

import sys
import time
from typing import Any, Protocol, TextIO


class Report(Protocol):
    """Whoever watches an upgrade."""

    def plan(self, plan: dict[str, Any], done: dict[tuple[int, str], dict[str, Any]], began: float) -> None:
        """What will be done, what has been done of it, and when it began."""

    def start(self, leg: int, step: dict[str, Any]) -> None:
        """A step begins."""

    def finish(self, leg: int, step: dict[str, Any], seconds: float, note: str = "") -> None:
        """A step is done, or need not be done, as the note says."""

    def fail(self, leg: int, step: dict[str, Any], reason: str) -> None:
        """A step has failed."""

    def progress(self, done: float, total: float | None, text: str = "") -> None:
        """How far the step is."""

    def say(self, text: str) -> None:
        """One line about the step."""

    def hand_over(self) -> None:
        """The code of another release goes on telling, in this very process."""

    def close(self) -> None:
        """Nothing more will come."""


class PlainReport:
    """A line for each thing that happens."""

    def __init__(self, to: TextIO | None = None) -> None:
        self._to = to or sys.stderr
        self._phase = ""
        self._told_at = 0.0

    def plan(self, plan: dict[str, Any], done: dict[tuple[int, str], dict[str, Any]], began: float) -> None:
        """Nothing: what is done was told when it was done."""

    def start(self, leg: int, step: dict[str, Any]) -> None:
        """Tells the phase when it changes, then the step."""
        if step["phase"] != self._phase:
            self._phase = step["phase"]
            self._line(f"== {self._phase}")
        self._line(f"   {step['id']}: {step['title']}")
        self._told_at = time.monotonic()

    def finish(self, leg: int, step: dict[str, Any], seconds: float, note: str = "") -> None:
        """Tells the time it took, or the note."""
        self._line(f"   {step['id']}: {note or f'done in {seconds:.1f} s'}")

    def fail(self, leg: int, step: dict[str, Any], reason: str) -> None:
        """Tells the reason."""
        self._line(f"   {step['id']}: FAILED: {reason}")

    def progress(self, done: float, total: float | None, text: str = "") -> None:
        """Tells how far it is, at most every five seconds."""
        if time.monotonic() - self._told_at >= 5:
            self._told_at = time.monotonic()
            of = f" of {total:,.0f}" if total else ""
            self._line(f"     {done:,.0f}{of} {text}".rstrip())

    def say(self, text: str) -> None:
        """Tells it."""
        self._line(f"     {text}")

    def hand_over(self) -> None:
        """Nothing: the next line stands below this one."""

    def close(self) -> None:
        """Nothing is left to tell."""

    def _line(self, text: str) -> None:
        print(text, file=self._to, flush=True)
