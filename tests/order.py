"""The order of the tests: what takes long is begun first, and by each process of pytest-xdist some of it.

Else one of them would still be at it when the others are done. Each process gets an equal share of the list and takes
from the others' ends when it is through (`--dist worksteal`). What starts the same servers is done by one process, for
each would start all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")

# Fixtures that start servers for all tests of a process.
SHARED = ("running_peers", "servers")
# In seconds, by file below tests/ or shared fixture, as a full run has shown; of those that take more than half a
# minute, or as long to prepare in each process that begins them.
SECONDS = {
    "upgrade/test_rollback_by_itself.py": 250,
    "running_peers": 150,
    "systemd/test_page.py": 145,
    "upgrade/test_apply.py": 140,
    "federation/test_outage.py": 140,
    "systemd/test_streams.py": 130,
    "servers": 120,
    "test_package.py": 100,
    "upgrade/test_previous.py": 80,
    "systemd/test_one_command.py": 80,
    "fuzz/test_fuzz.py": 65,
    "flows/test_kill.py": 60,
    "upgrade/test_reload.py": 60,
    "upgrade/test_notice.py": 55,
    "upgrade/test_bundle.py": 35,
}
# Of files that are not named, in these folders and elsewhere.
FOLDERS = {"systemd": 20, "upgrade": 15, "flows": 15, "clients": 15, "fuzz": 15}


def find_unit(file: str, fixtures: Iterable[str]) -> str:
    """What a test stays together with: all that share its servers, or else its file."""
    return next((name for name in SHARED if name in fixtures), file)


def spread(items: Sequence[T], file_of: Callable[[T], str], processes: int) -> list[T]:
    """The items so that each of as many equal shares begins with files that take long, the longest first."""
    files: dict[str, list[T]] = {}
    for item in items:
        files.setdefault(file_of(item), []).append(item)
    long = sorted((name for name in files if _estimate(name)), key=_estimate, reverse=True)
    heads: list[list[T]] = [[] for _ in range(processes)]
    loads = [0] * processes
    for name in long:
        least = loads.index(min(loads))
        loads[least] += _estimate(name)
        heads[least] += files.pop(name)
    rest = iter([item for members in files.values() for item in members])
    return [item for share in _fill(heads, rest, len(items)) for item in share]


def _fill(heads: Iterable[list[T]], rest: Iterable[T], count: int) -> list[list[T]]:
    """As xdist deals them out."""
    shares, left = list(heads), list(rest)
    for place, share in enumerate(shares):
        missing = max(count // (len(shares) - place) - len(share), 0)
        share += left[:missing]
        del left[:missing]
        count -= len(share)
    shares[-1] += left
    return shares


def _estimate(file: str) -> int:
    return SECONDS.get(file, FOLDERS.get(file.partition("/")[0], 0))
