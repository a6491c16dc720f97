"""A bar for each piece of a longer job on a terminal, plain lines elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from phiomia.upgrade.report import PlainReport, Report

if TYPE_CHECKING:
    from rich.progress import Progress


@contextmanager
def show_bars() -> Iterator[Report]:
    """A report for jobs that have pieces but no plan."""
    if not sys.stderr.isatty():
        yield PlainReport()
        return
    from rich.console import Console  # only who looks at it pays for it
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[told]}")
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as progress:
        report = _Bars(progress)
        yield report
        report.close()


class _Bars(PlainReport):
    def __init__(self, progress: "Progress") -> None:
        super().__init__()
        self._progress = progress
        self._task: Any = None

    def say(self, text: str) -> None:
        """Ends the piece before and begins one of that name."""
        self.close()
        self._task = self._progress.add_task(text, total=None, told="")

    def progress(self, done: float, total: float | None, text: str = "") -> None:
        """Moves the bar."""
        if self._task is not None:
            of = f" of {total:,.0f}" if total else ""
            self._progress.update(self._task, completed=done, total=total, told=f"{done:,.0f}{of} {text}")

    def close(self) -> None:
        """Fills the bar."""
        if self._task is not None:
            self._progress.update(self._task, total=1, completed=1)
            self._task = None
