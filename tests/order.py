"""Which tests belong together, and their order: what takes long is begun first.

A file is done by one process of pytest-xdist, for what its tests share; so are files that share servers, for each
process would start all of them. Whoever is through takes the next, so that at the end only what is short is left.
What mostly waits is done beside what keeps a processor busy.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

# Files below tests/ that ask for servers of the whole run.
SHARING = {
    "running_peers": (
        "federation/test_leaving.py",
        "federation/test_quotes.py",
        "federation/test_suspended.py",
        "federation/test_two_servers.py",
    ),
    "servers": (
        "clients/test_masto.py",
        "clients/test_mastodon_py.py",
        "clients/test_mastodon_py_surface.py",
        "clients/test_recorder.py",
        "clients/test_toot.py",
        "federation/test_documents.py",
        "flows/test_answers.py",
        "flows/test_filters.py",
        "platform/test_health.py",
        "upgrade/test_probe.py",
    ),
}
_UNITS = {file: fixture for fixture, files in SHARING.items() for file in files}
# How long units take, in seconds, as a full run has shown; of those that take a quarter of a minute or more. Those that
# mostly wait, and all.
WAITING = {
    "upgrade/test_rollback_by_itself.py": 185,
    "clients/test_story.py": 140,
    "federation/test_outage.py": 130,
    "systemd/test_page.py": 130,
    "servers": 110,
    "running_peers": 100,
    "systemd/test_streams.py": 85,
    "systemd/test_one_command.py": 70,
    "federation/test_snac.py": 45,
    "upgrade/test_notice.py": 40,
    "flows/test_faults.py": 35,
    "systemd/test_streams_one_unit.py": 30,
}
SECONDS = WAITING | {
    "upgrade/test_previous.py": 110,
    "fuzz/test_fuzz.py": 80,
    "platform/test_supervisor.py": 75,
    "upgrade/test_apply.py": 70,
    "upgrade/test_apply_refusals.py": 60,
    "upgrade/test_reload.py": 55,
    "upgrade/test_real_releases.py": 50,
    "flows/test_demo.py": 35,
    "flows/test_kill.py": 35,
    "federation/test_fedify.py": 35,
    "federation/test_blocked_peers.py": 30,
    "federation/test_inbox_durable.py": 30,
    "upgrade/test_resume.py": 30,
    "platform/test_stand_in.py": 25,
    "platform/test_worker_restarts.py": 25,
    "cli/test_commands.py": 20,
    "platform/test_jail.py": 20,
    "test_package.py": 20,
    "bench/test_bench_smoke.py": 15,
    "platform/test_template.py": 15,
}
# Of files that are not named, in these folders and elsewhere.
FOLDERS = {"systemd": 20, "upgrade": 15, "flows": 15, "clients": 15, "federation": 10}


def count_processes(cpuinfo: Path = Path("/proc/cpuinfo")) -> int:
    """How many processes do the tests: more than cores, for many wait.

    Three keep two threads of one core busy. On two cores four took 10:48 for all tests and the checks, five 11:01.
    """
    text = cpuinfo.read_text() if cpuinfo.exists() else ""
    told = re.findall(r"^(?:physical id|core id)\s*: (\d+)$", text, re.MULTILINE)
    cores = set(zip(told[::2], told[1::2], strict=False))
    return 3 if len(cores) == 1 else 4


def find_unit(file: str) -> str:
    """What a file stays together with: all that share its servers, or itself. The path is from tests/ on."""
    return _UNITS.get(file, file)


def estimate(file: str) -> int:
    """How long the unit of a file takes at most, in seconds; 0 for what is quick."""
    unit = find_unit(file)
    return SECONDS.get(unit, FOLDERS.get(unit.partition("/")[0], 0))


class ByUnit(LoadFileScheduling):  # type: ignore[misc]  # its types are not there
    """Hands units to processes, in the order in which they were collected.

    Every second process begins with those that wait, as long as there are such: side by side they would leave the
    processor idle, and what does not wait would crowd at the end.
    """

    def __init__(self, config: pytest.Config, log: Any) -> None:
        config.option.loadscopereorder = False  # it would begin with those of the most tests
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return find_unit(nodeid.partition("::")[0].removeprefix("tests/"))

    def _assign_work_unit(self, node: WorkerController) -> None:
        waits = self.nodes.index(node) % 2 == 0
        first = next((unit for unit in self.workqueue if (unit in WAITING) == waits), None)
        if first is not None:
            self.workqueue.move_to_end(first, last=False)
        super()._assign_work_unit(node)
