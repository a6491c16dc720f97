"""What processes cost, as Linux counts it: processor seconds from /proc/<pid>/stat, memory from smaps_rollup."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


def list_tree(roots: Iterable[int]) -> list[int]:
    """The processes and everything that descends from them."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _read_stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found: list[int] = []
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.append(pid)
            waiting += children.get(pid, [])
    return found


def count_cpu_seconds(roots: Iterable[int]) -> float:
    """User and system time of the trees so far, with that of children which have ended."""
    ticks = 0
    for pid in list_tree(roots):
        fields = _read_stat(pid)
        ticks += sum(int(field) for field in fields[11:15]) if fields else 0
    return ticks / _TICK


def count_pss_mb(roots: Iterable[int]) -> float:
    """Memory of the trees in MB, what is shared counted in proportion."""
    return sum(_read_pss_kb(pid) for pid in list_tree(roots)) / 1024


def find_parent(pid: int) -> int:
    """The process that started this one."""
    return int(_read_stat(pid)[1])


def _read_stat(pid: int) -> list[str]:
    """The fields after the name, which may hold anything: state, parent, …; empty when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _read_pss_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
