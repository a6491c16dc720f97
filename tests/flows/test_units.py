"""Web, worker and streaming as units of their own on one data directory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from phiomia.platform import control
from server import PATIENCE, START_SECONDS, STOP_SECONDS, Member, RunningServer

ROLES = ("web", "worker", "streaming")


class Units(RunningServer):
    """A server of three supervisors."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.units: dict[str, subprocess.Popen[bytes]] = {}

    def start_unit(self, role: str) -> None:
        """Starts the supervisor of a role; does not wait for it."""
        with self.log.open("ab") as log:
            command = [sys.executable, "-P", "-m", "phiomia", role]
            self.units[role] = subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=log, stderr=log)

    def stop_unit(self, role: str) -> None:
        """Ends it as an operator would."""
        self.units[role].send_signal(signal.SIGTERM)
        assert self.units.pop(role).wait(STOP_SECONDS) == 0

    def await_units(self) -> None:
        """Waits until everybody serves."""
        self.until(self._all_serve, "every unit serves", START_SECONDS)

    def _all_serve(self) -> bool:
        found = control.find_supervisors(self.data / "run")
        serving = {role for each in found if each.status["state"] == "running" for role in each.roles}
        return serving == set(ROLES) and self._is_ready()


@contextmanager
def units(folder: Path) -> Iterator[Units]:
    server = Units(folder)
    try:
        for role in ROLES:
            server.start_unit(role)
        server.await_units()
        yield server
    finally:
        for process in server.units.values():
            process.terminate()
        for process in server.units.values():
            process.wait(STOP_SECONDS)
    server.check_log()


def assert_events_flow(server: Units, member: Member, text: str) -> None:
    """A post comes through the stream of its author."""
    answer = requests.get(
        f"{server.url}/api/v1/streaming/user", headers=member.headers, stream=True, timeout=PATIENCE * 2
    )
    assert answer.ok
    heard = threading.Event()

    def listen() -> None:
        for line in answer.iter_lines(chunk_size=1):
            if text.encode() in line:
                heard.set()
                return

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    posted = requests.post(
        f"{server.url}/api/v1/statuses", headers=member.headers, data={"status": text}, timeout=PATIENCE
    )
    assert posted.ok, posted.text
    assert heard.wait(PATIENCE), server.output()[-4000:]
    thread.join()
    answer.close()


@pytest.mark.timeout(240)
def test_units_share_a_data_directory_and_each_may_come_and_go(tmp_path: Path) -> None:
    with units(tmp_path) as server:
        alice = server.sign_up("alice")
        assert_events_flow(server, alice, "first words")
        before = {each.roles[0]: each.status for each in control.find_supervisors(server.data / "run")}
        assert list(before) == ["worker", "streaming", "web"]
        assert control.reload(server.data / "run", ["web"]) == (True, "")
        after = {each.roles[0]: each.status for each in control.find_supervisors(server.data / "run")}
        assert {role: status["generation"] for role, status in after.items()} == {"worker": 1, "streaming": 1, "web": 2}
        assert after["worker"] == before["worker"]
        server.stop_unit("web")
        server.start_unit("web")
        server.await_units()
        assert_events_flow(server, alice, "last words")
        pids = [
            child["pid"] for each in control.find_supervisors(server.data / "run") for child in each.status["children"]
        ]
        assert all(os.path.exists(f"/proc/{pid}") for pid in pids)
