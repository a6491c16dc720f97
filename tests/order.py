"""Which tests belong together, and their order: what takes long is begun first.

A file is done by one process of pytest-xdist, for what its tests share; so are files that share servers, for each
process would start all of them. Whoever is through takes the next, so that at the end only what is short is left.
"""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

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
# In seconds, by unit, as a full run has shown; of those that take more than half a minute.
SECONDS = {
    "upgrade/test_rollback_by_itself.py": 205,
    "servers": 200,
    "running_peers": 180,
    "systemd/test_page.py": 170,
    "federation/test_outage.py": 135,
    "clients/test_story.py": 135,
    "upgrade/test_previous.py": 115,
    "systemd/test_streams.py": 105,
    "systemd/test_one_command.py": 90,
    "upgrade/test_apply.py": 85,
    "upgrade/test_apply_refusals.py": 75,
    "platform/test_supervisor.py": 70,
    "upgrade/test_reload.py": 60,
    "flows/test_demo.py": 45,
    "federation/test_snac.py": 45,
    "flows/test_faults.py": 40,
    "flows/test_kill.py": 40,
    "fuzz/test_fuzz.py": 40,
    "upgrade/test_notice.py": 40,
    "upgrade/test_real_releases.py": 40,
    "systemd/test_streams_one_unit.py": 35,
}
# Of files that are not named, in these folders and elsewhere.
FOLDERS = {"systemd": 20, "upgrade": 15, "flows": 15, "clients": 15, "federation": 10}


def find_unit(file: str) -> str:
    """What a file stays together with: all that share its servers, or itself. The path is from tests/ on."""
    return _UNITS.get(file, file)


def estimate(file: str) -> int:
    """How long the unit of a file takes at most, in seconds; 0 for what is quick."""
    unit = find_unit(file)
    return SECONDS.get(unit, FOLDERS.get(unit.partition("/")[0], 0))


class ByUnit(LoadFileScheduling):  # type: ignore[misc]  # its types are not there
    """Hands units to processes, in the order in which they were collected."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        config.option.loadscopereorder = False  # it would begin with those of the most tests
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return find_unit(nodeid.partition("::")[0].removeprefix("tests/"))
