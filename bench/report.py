"""The table people read, and the JSON that programs read."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from bench.figures import Figure


def print_report(figures: Sequence[Figure], title: str) -> None:
    """Prints every figure beside its budget."""
    table = Table(title=title)
    for column in ("", "figure", "unit", "budget", "kept", "GoToSocial", "x hello", "more"):
        table.add_column(column, justify="left" if column in ("", "unit", "more") else "right")
    group = ""
    for figure in figures:
        if figure.group != group:
            group = figure.group
            table.add_section()
        table.add_row(
            figure.name,
            _number(figure.value),
            figure.unit,
            _budget(figure),
            {True: "[green]yes", False: "[red]NO", None: ""}[figure.kept],
            _number(figure.gotosocial),
            _number(figure.baseline),
            ", ".join(f"{name} {value}" for name, value in figure.more.items()),
        )
    Console(width=None if Console().is_terminal else 160).print(table)


def conclude(figures: Sequence[Figure], title: str, load: float, options: argparse.Namespace) -> int:
    """Prints, and writes if asked, what was measured; the exit status: 1 with --check when a budget is missed."""
    print_report(figures, f"{title}, load average {load:.1f}")
    if options.json:
        write_json(figures, {"load": round(load, 1), "python": sys.version.split()[0]}, options.json)
    return 1 if options.check and any(figure.kept is False for figure in figures) else 0


def write_json(figures: Sequence[Figure], about: dict[str, object], file: Path) -> None:
    """Writes the same for programs."""
    shown = [{**msgspec.to_builtins(figure), "kept": figure.kept} for figure in figures]
    file.write_bytes(msgspec.json.format(msgspec.json.encode({"about": about, "figures": shown})) + b"\n")


def _budget(figure: Figure) -> str:
    if figure.budget is None:
        return ""
    return f"{'>=' if figure.better == 'more' else '<='} {_number(figure.budget)}"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if value < 10 else f"{value:.1f}" if value < 1000 else f"{value:,.0f}"
