"""The releases that there are: a server that the first one has filled reaches the newest by one command.

Their commits are found by what added their manifests, so the test needs the history but no tags.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from release_world import ROOT, Installation
from test_apply import InstalledServer, Poster, steps_of

from phiomia.upgrade.database import connect
from phiomia.upgrade.manifest import read_releases
from phiomia.upgrade.release_rules import find_cut
from phiomia.upgrade.versions import version_order

pytestmark = pytest.mark.timeout(600)
FIRST = "0.1.0"


class History:
    """A clone of this repository in which every release has its tag."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._git(ROOT, "clone", "--quiet", "--no-hardlinks", str(ROOT), str(root))
        self.versions = sorted(read_releases(root / "releases"), key=version_order)
        self._commits = {}
        for version in self.versions:
            cut = find_cut(root, version)
            if cut is not None:
                self._commits[version] = cut.commit
                who = ("-c", "user.name=Nobody", "-c", "user.email=nobody@mail.example")
                self._git(root, *who, "tag", "--force", "-a", f"v{version}", "-m", version, cut.commit)

    def commit_of(self, version: str) -> str:
        """The commit of a release."""
        return self._commits[version]

    def __contains__(self, version: str) -> bool:
        return version in self._commits

    def _git(self, where: Path, *arguments: str) -> None:
        subprocess.run(["git", "-C", where, *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    """The repository of the releases."""
    found = History(tmp_path_factory.mktemp("history") / "live")
    if FIRST not in found:
        pytest.skip(f"the history that is here does not reach back to {FIRST}")
    return found


@pytest.fixture
def server(history: History, tmp_path: Path) -> Iterator[InstalledServer]:
    """A server of the first release."""
    installation = Installation(history, tmp_path / "installed")  # type: ignore[arg-type]
    installation.data.mkdir(exist_ok=True)
    installation.install(FIRST)
    with InstalledServer(tmp_path).settled_in(installation) as server:
        yield server


def test_from_the_first_to_the_newest(history: History, server: InstalledServer) -> None:
    installation, newest = server.installation, history.versions[-1]
    early = [server.sign_up(name) for name in ("early", "bird")]
    poster = Poster(server)
    poster.start()
    try:
        server.until(lambda: len(poster.posted) > 5, "people post before it")
        installation.command("upgrade", newest, "--yes", "--contract-now")
        told = len(poster.posted)
        server.until(lambda: len(poster.posted) > told + 5, "people post after it")
    finally:
        poster.stop()
    assert poster.failures == []
    assert len(set(poster.posted)) == len(poster.posted)
    assert installation.current == newest
    for role in ("web", "worker", "streaming"):
        assert server.versions(role) == {newest}
    assert {"migrate-expand", "backfills", "migrate-contract"} <= set(steps_of(installation.journal()))
    status = installation.status()
    assert status["missing"] == [] and status["problems"] == [] and not status["contract_pending"]

    with connect(installation.url) as connection:
        columns = {str(row[0]) for row in connection.rows("SELECT name FROM pragma_table_info('users')")}
        assert "created_by_app_id" in columns and "invited_with_app" not in columns
        filled = connection.rows("SELECT count(*) FROM users WHERE created_by_app_id IS NOT NULL")
        assert filled[0][0] == 3
    for member in early:
        answer = requests.get(f"{server.url}/api/v1/accounts/verify_credentials", headers=member.headers, timeout=60)
        assert answer.status_code == 200, "whoever was signed in still is"
