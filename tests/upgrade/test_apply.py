"""Whole upgrades by the command, over made-up releases of the present code, with a server that people use meanwhile."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from release_world import Installation

from server import RunningServer

pytestmark = pytest.mark.timeout(900)


class InstalledServer(RunningServer):
    """`phiomia serve` of the current release of an installation."""

    installation: Installation

    def settled_in(self, installation: Installation) -> InstalledServer:
        """Itself, with the place, the data and the settings of an installation; commands there get the same."""
        shutil.rmtree(self.data)
        self.data, self.installation = installation.data, installation
        installation.extra |= {
            "PHIOMIA_BIND": self.bind,
            "PHIOMIA_RATE_LIMITS": "off",
            "PHIOMIA_REGISTRATIONS": "open",
            "PHIOMIA_CONFIRM_EMAIL": "off",
            "PHIOMIA_WEB_WORKERS": "1",
        }
        return self

    def start(self, *options: str) -> None:
        """Starts it and waits until it serves."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [self.installation.places.current / "venv/bin/phiomia", "serve", *options],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.until(self._is_ready, "the server serves", 60.0)

    @property
    def environment(self) -> dict[str, str]:
        """That of the installation: whatever runs the tests must not be found by releases."""
        return {**self.installation.environment, "PHIOMIA_BIND": self.bind}

    def versions(self, role: str) -> set[str]:
        """What the processes of a role run."""
        children = [one for one in self.status["children"] if one["role"] == role and one["state"] == "ready"]
        return {Path(one["python"]).parents[2].name.partition("-")[0] for one in children}


# An app without a pause would use up a processor that the upgrade needs as well.
PAUSE_S = 0.1


class Poster(threading.Thread):
    """An app that posts, again and again, on fresh connections and on kept ones."""

    def __init__(self, server: RunningServer) -> None:
        super().__init__(daemon=True)
        self.url = f"{server.url}/api/v1/statuses"
        self.headers = server.sign_up("poster").headers
        self.failures: list[str] = []
        self.posted: list[str] = []
        self.pause_s = PAUSE_S
        self.enough = threading.Event()

    def run(self) -> None:
        """Posts until it is enough."""
        kept = requests.Session()
        while not self.enough.wait(self.pause_s):
            how = kept if len(self.posted) % 2 else requests
            try:
                answer = how.post(self.url, data={"status": f"n {len(self.posted)}"}, headers=self.headers, timeout=60)
                if answer.status_code == 200:
                    self.posted.append(answer.json()["id"])
                else:
                    self.failures.append(f"{answer.status_code} {answer.text}")
            except requests.RequestException as error:
                self.failures.append(repr(error))
        # What is idle but open is waited for, for as long as a proxy might still use it.
        kept.close()

    def stop(self) -> None:
        """Ends it."""
        self.enough.set()
        self.join(90)


@pytest.fixture
def begins_with(installation: Installation, request: pytest.FixtureRequest) -> str:
    """The release that is installed, as a parameter; to be asked for before the server is."""
    installation.begin_again(request.param)
    return str(request.param)


@pytest.fixture
def server(installation: Installation, tmp_path: Path) -> Iterator[InstalledServer]:
    """The server of it."""
    # Long enough to find out that a release can't serve; how long is the subject of other tests.
    installation.extra["PHIOMIA_PROCESSES_CANARY_SECONDS"] = "0.5"
    with InstalledServer(tmp_path).settled_in(installation) as server:
        yield server


def steps_of(journal: list[dict[str, Any]], kind: str = "done") -> list[str]:
    return [entry["step"] for entry in journal if entry["kind"] == kind]


def fetch_once(address: str) -> requests.Response:
    """The answer, over a connection that ends with it: as long as one is open, the process that it leads to stays."""
    return requests.get(address, headers={"Connection": "close"}, timeout=60)


def test_nobody_notices_an_upgrade(server: InstalledServer, installation: Installation) -> None:
    sheet = re.search(r"/static/style\.\w+\.css", requests.get(server.url, timeout=60).text)
    assert sheet is not None
    before = fetch_once(f"{server.url}{sheet[0]}")
    poster = Poster(server)
    poster.start()
    try:
        installation.command("upgrade", "0.3.0", "--yes")
        told = len(poster.posted)
        server.until(lambda: len(poster.posted) > told + 5, "people post after it")
        assert installation.current == "0.3.0"
        for role in ("web", "worker", "streaming"):
            assert server.versions(role) == {"0.3.0"}
        after = fetch_once(f"{server.url}{sheet[0]}")
        assert sheet[0] not in requests.get(server.url, timeout=60).text
    finally:
        poster.stop()
    assert poster.failures == []
    assert len(set(poster.posted)) == len(poster.posted)
    assert after.content == before.content
    assert after.headers["Cache-Control"].endswith("immutable")
    assert installation.ran == ["tidy", "polish", "paint"]
    status = installation.status()
    assert status["missing"] == [] and status["problems"] == []
    assert status["contract_pending"] == "0.3.0"
    [pending] = status["pending"]
    assert (pending["id"], pending["command"]) == ("migrate-contract", "phiomia upgrade resume")
    serving = [one for one in status["processes"] if not one["leaving"]]
    assert {one["release"].partition("-")[0] for one in serving} == {"0.3.0"}

    installation.command("upgrade", "resume")
    assert steps_of(installation.journal())[-2:] == ["settle", "migrate-contract"]
    assert installation.status()["pending"] == []
    assert "has removed from the schema" in installation.command("upgrade", "rollback", ok=False)
    assert installation.current == "0.3.0"
    (told_of,) = json.loads(installation.ask("upgrade", "history", "--json"))
    assert (told_of["start"], told_of["target"], told_of["state"]) == ("0.1.0", "0.3.0", "finished")
    noticed = told_of["noticed"]
    assert noticed["failures"] == 0 and noticed["reasons"] == []
    stream, work = noticed["stream"], noticed["work"]
    assert (stream["opened"], stream["drops"], stream["lost"], stream["doubled"]) == (1, 0, 0, 0)
    assert stream["events"] >= 1 and work["writes"] == work["written"] > 1 and work["lost"] == 0
    assert set(noticed["job_age_s"]) >= {"before", "after"} and noticed["absent"] == {}
    parts = [noticed[when]["requests"] for when in ("before", "during", "after")]
    assert all(parts) and sum(parts) == noticed["requests"]
    assert f"{noticed['requests']} requests, 0 failed" in installation.ask("upgrade", "history")
    assert not list(installation.places.journal.glob("*.probe*"))


@pytest.mark.parametrize("begins_with", ["0.4.0"], indirect=True)
def test_a_release_that_cannot_serve_changes_nothing(
    begins_with: str, server: InstalledServer, installation: Installation
) -> None:
    poster = Poster(server)
    poster.start()
    try:
        marker = installation.data / "broken"
        marker.touch()
        said = installation.command("upgrade", "apply", "0.5.0", ok=False)
    finally:
        poster.stop()
    assert "0.4.0" in said and "serves as before" in said
    assert poster.failures == [] and poster.posted
    assert installation.current == "0.4.0"
    for role in ("web", "worker", "streaming"):
        assert server.versions(role) == {"0.4.0"}
    assert installation.journal()[-1]["kind"] == "failed"
    assert "failed" in installation.ask("upgrade", "status", ok=False)

    marker.unlink()
    installation.command("upgrade", "resume")
    assert installation.current == "0.5.0"
    assert server.versions("web") == {"0.5.0"}

    installation.command("upgrade", "rollback")
    assert installation.current == "0.4.0"
    assert server.versions("web") == server.versions("worker") == {"0.4.0"}


@pytest.mark.parametrize("begins_with", ["0.1.1"], indirect=True)
def test_a_patch_is_quick(begins_with: str, server: InstalledServer, installation: Installation) -> None:
    installation.forget("0.1.2")
    untouched = {role: server.pids(role) for role in ("worker", "streaming")}
    began = time.monotonic()
    installation.command("upgrade", "apply", "0.1.2")
    print(f"a patch took {time.monotonic() - began:.1f} s")
    assert "0.1.2" in installation.ask("upgrade", "history", "last")
    assert steps_of(installation.journal()) == ["fetch", "build", "backup", "switch", "restart-web", "cleanup"]
    assert server.versions("web") == {"0.1.2"}
    assert server.versions("worker") == {"0.1.1"}
    assert {role: server.pids(role) for role in untouched} == untouched
    assert not (installation.places.shared / "backups").exists()
    assert os.path.samefile(installation.places.previous, installation.directory("0.1.1"))
