"""How an upgrade looks on a terminal: its phases, the step at work, and the time that has passed."""

import os
import sys
import time
from typing import Any

from phiomia.upgrade.report import PlainReport, Report

VIEW = "PHIOMIA_UPGRADE_VIEW"
PLAIN, LIVE = "plain", "live"
_LINES = 3


def choose_view() -> Report:
    """The live view on a terminal, plain lines elsewhere; whoever goes on with an upgrade keeps what was chosen."""
    chosen = os.environ.get(VIEW) or (LIVE if sys.stderr.isatty() else PLAIN)
    os.environ[VIEW] = chosen
    return LiveReport() if chosen == LIVE else PlainReport()


class LiveReport:
    """Redraws itself below what was printed before."""

    def __init__(self) -> None:
        from rich.console import Console  # only who looks at it pays for it
        from rich.live import Live

        # Drawn before there is a plan, too.
        self._title = ""
        self._steps: list[tuple[int, dict[str, Any]]] = []
        self._done: dict[tuple[int, str], str] = {}
        self._now: tuple[int, str] | None = None
        self._failed = ""
        self._said: list[str] = []
        self._progress: tuple[float, float | None, str] | None = None
        self._began = time.time()
        self._handed_over = False
        self._live = Live(
            console=Console(stderr=True), get_renderable=self._draw, refresh_per_second=5, redirect_stdout=False
        )

    def plan(self, plan: dict[str, Any], done: dict[tuple[int, str], dict[str, Any]], began: float) -> None:
        """Begins to draw."""
        self._title = f"{plan['installed']} → {plan['target']}"
        self._steps = [(leg, step) for leg, one in enumerate(plan["legs"]) for step in one["steps"]]
        self._done = {key: _took(entry) for key, entry in done.items()}
        self._began = began
        self._live.start()

    def start(self, leg: int, step: dict[str, Any]) -> None:
        """Marks the step."""
        self._now = (leg, step["id"])
        self._progress = None
        self._said = []

    def finish(self, leg: int, step: dict[str, Any], seconds: float, note: str = "") -> None:
        """Ticks the step off."""
        self._done[leg, step["id"]] = note or f"{seconds:.1f} s"
        self._now = None

    def fail(self, leg: int, step: dict[str, Any], reason: str) -> None:
        """Marks the step as the one that failed."""
        self._failed = step["id"]

    def progress(self, done: float, total: float | None, text: str = "") -> None:
        """Moves the bar."""
        self._progress = (done, total, text)

    def say(self, text: str) -> None:
        """Shows the line below the step."""
        self._said = [*self._said, text][-_LINES:]

    def hand_over(self) -> None:
        """Takes the picture away: whoever goes on draws one in its place."""
        if self._live.is_started:
            self._handed_over = True
            self._live.transient = True
            self._live.stop()

    def close(self) -> None:
        """Leaves the last picture standing."""
        if self._live.is_started:
            self._live.refresh()
            self._live.stop()

    def _draw(self) -> Any:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        if self._handed_over:
            return Text("")
        table = Table.grid(padding=(0, 1))
        phase = ""
        for leg, step in self._steps:
            shown = step["phase"] if step["phase"] != phase else ""
            phase = step["phase"]
            mark, style, note = self._describe(leg, step)
            table.add_row(Text(shown, "dim"), Text(mark, style), Text(step["title"], style), Text(note, "dim"))
            if (leg, step["id"]) == self._now:
                for line in self._said:
                    table.add_row("", "", Text(f"  {line}", "dim"), "")
                if self._progress is not None and self._progress[1]:
                    table.add_row("", "", ProgressBar(self._progress[1], self._progress[0], width=40), "")
                    for line in filter(None, self._progress[2].split(", ")):
                        table.add_row("", "", Text(f"  {line}", "dim"), "")
        counted = sum(key in self._done for key in ((leg, step["id"]) for leg, step in self._steps))
        head = Text(f"{self._title}   {counted} of {len(self._steps)}   {_clock(time.time() - self._began)}", "bold")
        whole = Table.grid()  # a bar alone does not end its line
        whole.add_row(ProgressBar(max(1, len(self._steps)), counted, width=60))
        return Group(head, whole, table, Text("Ctrl-C stops after the current step.", "dim"))

    def _describe(self, leg: int, step: dict[str, Any]) -> tuple[str, str, str]:
        key = (leg, step["id"])
        if key in self._done:
            return "✔", "green", self._done[key]
        if step["id"] == self._failed:
            return "✘", "red", "failed"
        if key == self._now:
            return "▶", "cyan", ""
        return "·", "dim", ""


def _took(entry: dict[str, Any]) -> str:
    return str(entry.get("note") or f"{float(entry['seconds']):.1f} s")


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
